"""The trainer of closed-form backbones, which solves once where the other goes by epochs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from darec.backbones.closed_form import ClosedForm, ClosedFormInputs
from darec.config import RunConfig
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.evaluation.evaluate import validator
from darec.lock import Lock
from darec.registry import ALIGNMENTS, BACKBONES
from darec.scoring import Scorer
from darec.seeding import seeded
from darec.training.checks import check_config
from darec.training.history import History
from darec.training.progress import Reporter
from darec.training.state import TrainState
from darec.types import TextTable


class ClosedFormTrainer:
    """Solves one closed-form backbone on one dataset, with the structure that its alignment gives.

    Args and errors are those of :class:`~darec.training.trainer.Trainer`.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        text: TextTable | None = None,
        *,
        folder: Path | None = None,
        lock: Lock | None = None,
        reporter: Reporter | None = None,
        tensorboard: bool = False,
        validate: bool = True,
    ) -> None:
        metric, k = check_config(config, dataset, validate=validate)
        self.config, self.dataset, self.text, self.folder = config, dataset, text, folder
        self.reporter = reporter or Reporter()
        self.metric, self.lock, self.tensorboard = metric, lock, tensorboard
        options = config.options
        if options.threads:
            torch.set_num_threads(options.threads)
        alignment = ALIGNMENTS.get(config.alignment.name)
        backbone = BACKBONES.get(config.backbone.name)
        if (alignment.needs_text or backbone.needs_text) and text is None:
            raise ConfigError(
                f"backbone {config.backbone.name!r} with alignment {config.alignment.name!r} needs language "
                "embeddings: run 'darec encode' on the dataset first."
            )
        self.backbone: ClosedForm[Any] = backbone(config.backbone)
        self.alignment = alignment
        self.evaluator = validator(dataset, k) if validate else None
        self.state = TrainState()
        self._scorer: Scorer | None = None

    def solve(self) -> None:
        """Solve for the scorer."""
        config, train = self.config, self.dataset.train
        device = torch.device(config.options.device)
        with self.reporter, self.reporter.preparing(), seeded(config.options.seed, device):
            structure = None
            if self.alignment.needs_text and self.text is not None:
                structure = self.alignment.structure(config.alignment, self.text, train)
            inputs = ClosedFormInputs(
                train=train,
                ties=self.dataset.items.tie_order,
                text=self.text if self.backbone.needs_text else None,
                structure=structure,
                seed=config.options.seed,
                threads=config.options.threads or torch.get_num_threads(),
                device=config.options.device,
                folder=self.folder,
            )
            self._scorer = self.backbone.fit(inputs)

    def fit(self, *, resume: bool = False) -> TrainState:
        """Solve and validate; one epoch, as far as figures go.

        Args:
            resume: for backbones that keep finished blocks in ``folder``.
        """
        started = time.perf_counter()
        self.solve()
        state, monitor = self.state, self.config.train.monitor
        state.seconds = [time.perf_counter() - started]
        figures = {}
        if self.evaluator is not None:
            state.best_value = self.evaluator.evaluate(self.scorer(), (self.metric,)).summary()[
                monitor
            ]
            figures = {f"valid/{monitor}": state.best_value}
        state.epoch = state.best_epoch = 1
        state.best_seconds = state.total_seconds = time.perf_counter() - started
        history = History(self.folder, 0, tensorboard=self.tensorboard)
        history.append(1, {"seconds": state.total_seconds, **figures})
        history.close()
        if figures:
            self.reporter.evaluated(1, {}, monitor, state.best_value, state.best_value)
        else:
            self.reporter.trained(1, {})
        return state

    def scorer(self) -> Scorer:
        """What was solved for. Raises ``RuntimeError`` before :meth:`fit`."""
        if self._scorer is None:
            raise RuntimeError("fit() comes first")
        return self._scorer

    def weights(self) -> dict[str, Tensor]:
        """None: all that is learned is in the scorer."""
        return {}

    @property
    def n_parameters(self) -> int:
        """Numbers that the scorer holds, histories left out."""
        arrays = self.scorer().arrays()
        return sum(
            array.numel()
            for name, array in arrays.items()
            if not name.startswith("histories") and not name.endswith(("indices", "indptr"))
        )
