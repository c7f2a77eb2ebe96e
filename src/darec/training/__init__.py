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
    """What every trainer does."""

    @property
    def state(self) -> TrainState:
        """Where training stands."""

    @property
    def n_parameters(self) -> int:
        """Numbers that are learned."""

    def fit(self, *, resume: bool = False) -> TrainState:
        """Train, or go on with it."""

    def scorer(self) -> Scorer:
        """What was learned."""

    def weights(self) -> dict[str, Tensor]:
        """Of the trained model, by name."""


def make_trainer(
    config: RunConfig, dataset: Dataset, text: TextTable | None = None, **options: Any
) -> AnyTrainer:
    """The trainer that a run's settings ask for.

    Args:
        config: the run's configuration.
        dataset: what to train and validate on.
        text: language embeddings, where the run reads them.
        **options: those of :class:`~darec.training.trainer.Trainer`. Of the processes of its ``group`` the leader alone
            adds what stands beside the tables.
    """
    from darec.processes import ALONE
    from darec.registry import BACKBONES
    from darec.training.beside import BesideTrainer
    from darec.training.checks import check_divided
    from darec.training.closed_form import ClosedFormTrainer
    from darec.training.trainer import Trainer

    if options.get("group", ALONE).leads and config.beside is not None:
        return BesideTrainer(config, dataset, text, **options)
    if BACKBONES.get(config.backbone.name).closed_form:
        check_divided(config, options.pop("group", ALONE).size)
        return ClosedFormTrainer(config, dataset, text, **options)
    return Trainer(config, dataset, text, **options)
