"""Trainers: by epochs, in closed form, or both; their checkpoints and their progress display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from darec.config import RunConfig
    from darec.data.dataset import Dataset
    from darec.scoring import Scorer
    from darec.training.state import TrainState
    from darec.types import TextTable


class AnyTrainer(Protocol):
    """The interface of trainers."""

    @property
    def state(self) -> TrainState:
        """The state of training."""

    @property
    def n_parameters(self) -> int:
        """Number of learned parameters."""

    def fit(self, *, resume: bool = False) -> TrainState:
        """Train, or continue training."""

    def scorer(self) -> Scorer:
        """The learned scorer."""

    def weights(self) -> dict[str, Tensor]:
        """The weights of the trained model, by name."""


def make_trainer(
    config: RunConfig, dataset: Dataset, text: TextTable | None = None, **options: Any
) -> AnyTrainer:
    """The trainer for a run's settings.

    Args:
        config: the run's configuration.
        dataset: the dataset for training and validation.
        text: language embeddings, if the run reads them.
        **options: those of :class:`~darec.training.trainer.Trainer`. Of several processes only the leader
            adds the scorers beside the tables.
    """
    from darec.processes import ALONE
    from darec.registry import BACKBONES
    from darec.training.beside import BesideTrainer
    from darec.training.closed_form import ClosedFormTrainer
    from darec.training.trainer import Trainer

    if options.get("group", ALONE).leads and config.beside is not None:
        return BesideTrainer(config, dataset, text, **options)
    if BACKBONES.get(config.backbone.name).closed_form:
        return ClosedFormTrainer(config, dataset, text, **options)
    return Trainer(config, dataset, text, **options)
