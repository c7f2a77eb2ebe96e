"""Settings of a run that depend on the machine and the dataset: threads, and the language embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from darec.config import RunConfig, TextConfig
from darec.data.dataset import Dataset
from darec.model import Model
from darec.types import TextTable


def resolve_runtime(
    config: RunConfig, dataset: Dataset, text: TextTable | None = None
) -> tuple[RunConfig, TextTable | None]:
    """Fill in the settings that the machine and the dataset decide: threads, and the text.

    Args:
        config: the run's configuration.
        dataset: the training dataset.
        text: language embeddings; None is those stored for the dataset, if the pair needs any.
    """
    threads = config.options.threads or torch.get_num_threads()
    options = config.options.model_copy(update={"threads": threads})
    settings = config.text
    if not Model.needs_text(config):
        text = None
    elif text is None:
        text = stored_text(dataset, settings)
    if text is not None:
        settings = settings.model_copy(update={"encoder": text.name})
    return config.model_copy(update={"options": options, "text": settings}), text


@contextmanager
def using_threads(count: int | None) -> Iterator[None]:
    """Set torch's number of CPU threads within the block; None is torch's own choice."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def stored_text(dataset: Dataset, settings: TextConfig) -> TextTable:
    """The language embeddings of a dataset that a run with these settings reads."""
    from darec.text import load_text

    return load_text(
        dataset,
        settings.encoder,
        sources=settings.sources,
        combine=settings.combine,
        pooling=settings.pooling,
    )
