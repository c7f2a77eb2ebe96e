"""``darec train --auto``: try candidates within a time limit, and keep the best one on the validation split."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Unpack

from darec.api import as_dataset, has_text
from darec.automatic.candidates import make_candidates
from darec.automatic.folder import admit, check_same, on_disk, settle
from darec.automatic.record import Record, as_json
from darec.automatic.search import Search
from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.keywords import Keywords, dotted
from darec.run import Run
from darec.run_folder import run_folder
from darec.runtime import stored_text
from darec.training.checks import check_config
from darec.types import TextTable

MINUTES: Final = 10.0
"""Default time limit of a search in minutes."""


@dataclass(frozen=True)
class Automatic:
    """The result of a search.

    Attributes:
        run: the chosen run, evaluated on the test split.
        record: the candidates, the chosen one and the reason.
    """

    run: Run
    record: Record


def fit_auto(
    data: Any,
    *,
    minutes: float | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    keep_candidates: bool = False,
    text: TextTable | str | None = None,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> Automatic:
    """Try models from the cheapest on, within a time limit, and keep the best one on the validation split.

    Candidates are popularity, ItemKNN, EASE, EASE shaped by text, the recommended settings
    (:func:`darec.recommended.recommended`), and changes of one of these settings at a time. Before a candidate begins,
    its estimated time is compared with the remaining time. If the time ends during training, training stops after that
    epoch and keeps its best weights. The test split is read once, for the chosen run.

    Args:
        data: a dataset, the folder of one, or interactions in memory as :func:`darec.load_dataset` takes them.
        minutes: time limit of the search, 10 by default. The current epoch and the last evaluation may exceed it.
        settings: settings for all candidates by dotted key, ``{"train.monitor": "ndcg@20"}``, of the sections train,
            evaluation, text and options. The search itself chooses backbone, alignment, loss and beside.
        out: the folder; None keeps everything in memory. A dataset in memory is written into the folder too.
        resume: continue an interrupted search in ``out``. Finished candidates are not tried again, and the time already
            used counts. ``minutes`` may differ from the first call.
        overwrite: replace what is in ``out``.
        keep_candidates: keep the runs of all candidates in ``out/candidates``.
        text: language embeddings, or the name of an encoder, which encodes the dataset if necessary. With None, the
            most recent embeddings of the dataset.
        progress: show progress on standard error.
        **keywords: see :class:`darec.keywords.Keywords`; ``dim`` and ``loss`` are chosen by the search.

    Raises:
        ConfigError: a setting is chosen by the search, does not exist or does not fit the data; or the time is too
            short for one model. Finished candidates are kept.
        RunError: ``out`` has other content, or no candidate could be fitted.
        DataError: there are no training or no validation interactions.
        FolderError: another process writes ``out``, or it cannot be written.
    """
    started = time.monotonic()
    if minutes is not None and not 0 < minutes < float("inf"):
        raise ConfigError(f"--minutes={minutes:g}: must be above 0.")
    given = dotted(keywords) | dict(settings or {})
    dataset = as_dataset(data)
    with run_folder(out) as folder:
        begun = admit(folder, resume=resume, overwrite=overwrite) if folder else None
        if folder is not None and begun is not None:
            check_same(folder.path, begun, given, dataset)
            given = dict(begun.settings)
            if folder.finished:
                return Automatic(Run.load(folder.path, dataset=dataset), begun)
        table = _text(dataset, given, text, progress=progress)
        candidates = make_candidates(dataset, given, text=table is not None)
        config = candidates[0].config
        check_config(config, dataset)
        record = begun or Record(
            minutes or MINUTES,
            config.train.monitor,
            as_json(given),
            dataset.fingerprint(),
            table.fingerprint() if table else None,
        )
        record.check_text(table)
        record = replace(record, minutes=minutes or record.minutes)
        if folder is not None:
            dataset = on_disk(folder, record, dataset, fresh=begun is None)
        search = Search(dataset, table, candidates, record, folder, started, shown=progress)
        run = search.run()
        return Automatic(*settle(run, search.record, folder, len(candidates), keep=keep_candidates))


def _text(
    dataset: Dataset, given: Mapping[str, Any], text: TextTable | str | None, *, progress: bool
) -> TextTable | None:
    """The language vectors that candidates read, or None."""
    config: RunConfig = resolve_config(given)
    if not has_text(dataset, given, text):
        return None
    if isinstance(text, TextTable):
        return text
    settings = config.text
    if text is not None:
        from darec.text import encode_dataset

        for source in settings.sources:
            encode_dataset(dataset, text, source=source, progress=progress)
        settings = settings.model_copy(update={"encoder": text})
    return stored_text(dataset, settings)
