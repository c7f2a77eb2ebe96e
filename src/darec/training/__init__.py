"""The training loop, its checkpoints and its progress display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darec.config import RunConfig
    from darec.data.dataset import Dataset
    from darec.training.closed_form import ClosedFormTrainer
    from darec.training.trainer import Trainer
    from darec.types import TextTable


def make_trainer(
    config: RunConfig, dataset: Dataset, text: TextTable | None = None, **options: Any
) -> Trainer | ClosedFormTrainer:
    """The trainer that a run's backbone needs: one that goes by epochs, or one that solves in closed form.

    Args:
        config: the run's configuration.
        dataset: what to train and validate on.
        text: language embeddings, where the pair needs them.
        **options: those of :class:`~darec.training.trainer.Trainer`.
    """
    from darec.registry import BACKBONES
    from darec.training.closed_form import ClosedFormTrainer
    from darec.training.trainer import Trainer

    closed_form = BACKBONES.get(config.backbone.name).closed_form
    return (ClosedFormTrainer if closed_form else Trainer)(config, dataset, text, **options)
