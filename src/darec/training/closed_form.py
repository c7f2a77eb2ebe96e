"""The trainer of closed-form backbones, which solves once instead of training in epochs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from darec.backbones.closed_form import ClosedForm, ClosedFormInputs
from darec.config import RunConfig
from darec.data.dataset import Dataset
from darec.evaluation.evaluate import Evaluator, judges, validator
from darec.lock import Lock
from darec.model import Model
from darec.processes import ALONE, Group
from darec.processes.choice import Shards
from darec.registry import ALIGNMENTS, BACKBONES
from darec.scoring import Scorer
from darec.seeding import seeded
from darec.training.checks import check_config, check_divided
from darec.training.history import History
from darec.training.progress import Reporter, told_sample
from darec.training.state import TrainState
from darec.types import TextTable


class ClosedFormTrainer:
    """Solves one closed-form backbone on one dataset, with the structure that its alignment gives.

    Args and errors are those of :class:`~darec.training.trainer.Trainer`; ``start`` is not used. After the
    ``deadline``, no further settings are tried.
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
        start: Callable[[Model], None] | None = None,
        deadline: float | None = None,
        group: Group = ALONE,
        shards: Shards = "columns",
    ) -> None:
        self.deadline = math.inf if deadline is None else deadline
        self.group = group
        with group.agreeing():
            metric, k = check_config(config, dataset, validate=validate)
            check_divided(config, group.size, shards)
        self.config, self.dataset, self.text, self.folder = config, dataset, text, folder
        self.reporter = reporter or Reporter()
        self.metric, self._lock, self.tensorboard = metric, lock, tensorboard
        Model.require_text(config, text)
        self.backbone = BACKBONES.get(config.backbone.name)
        self.alignment = ALIGNMENTS.get(config.alignment.name)
        users = judges(dataset, config.train.eval_users)
        self.validates = validate
        self.evaluator = validator(dataset, k, users) if validate and group.leads else None
        self.state = TrainState()
        self._scorer: Scorer | None = None
        self.told: dict[str, float] = {}

    def candidates(self) -> list[RunConfig]:
        """The candidate settings: one, or all combinations of candidate values of null settings."""
        parts = {"backbone": self.config.backbone, "alignment": self.config.alignment}
        tried = {
            (section, setting): values
            for section, part in parts.items()
            for setting, values in part.tried.items()
            if getattr(part, setting) is None
        }
        made = []
        for place in range(max(map(len, tried.values()), default=1)):
            given: dict[str, dict[str, float]] = {section: {} for section in parts}
            for (section, setting), values in tried.items():
                given[section][setting] = values[min(place, len(values) - 1)]
            update = {name: part.model_copy(update=given[name]) for name, part in parts.items()}
            made.append(self.config.model_copy(update=update))
        return made

    def solve(self, config: RunConfig) -> Scorer:
        """The scorer with settings of which none is null."""
        train, device = self.dataset.train, torch.device(config.options.device)
        with self.reporter, self.reporter.preparing(), seeded(config.options.seed, device):
            structure = None
            if self.alignment.needs_text and self.text is not None:
                structure = self.alignment.structure(config.alignment, self.text, train)
            self.told = dict(structure.told) if structure is not None else {}
            inputs = ClosedFormInputs(
                train=train,
                ties=self.dataset.items.tie_order,
                text=self.text if self.backbone.needs_text else None,
                structure=structure,
                seed=config.options.seed,
                threads=config.options.threads or torch.get_num_threads(),
                device=config.options.device,
                folder=self.folder,
                group=self.group,
            )
            model: ClosedForm[Any] = self.backbone(config.backbone)
            return model.fit(inputs)

    def fit(self, *, resume: bool = False) -> TrainState:
        """Solve and validate all candidates and keep the best one. It is reported as one epoch.

        Args:
            resume: for backbones that store finished blocks in ``folder``.
        """
        state, monitor = self.state, self.config.train.monitor
        history = History(self.folder, 0, tensorboard=self.tensorboard)
        started = time.perf_counter()
        candidates = self.candidates()
        for done, config in enumerate(candidates, 1):
            begun = time.perf_counter()
            scorer = self.solve(config)
            state.seconds.append(time.perf_counter() - begun)
            if not self.validates:
                self._scorer, state.diagnostics = scorer, self.told
                self.reporter.trained(1, {})
                break
            if self.evaluator is not None:
                self._judge(self.evaluator, config, scorer)
            late = time.monotonic() >= self.deadline
            if self.group.told(late) and done < len(candidates):
                state.out_of_time = True
                break
        state.epoch = state.best_epoch = 1
        state.best_seconds = state.total_seconds = time.perf_counter() - started
        figures = {} if self.evaluator is None else {f"valid/{monitor}": state.best_value}
        if self._lock is not None:
            self._lock.check()
        history.append(1, {"seconds": state.total_seconds, **figures})
        history.close()
        return state

    def _judge(self, evaluator: Evaluator, config: RunConfig, scorer: Scorer) -> None:
        """Keep a scorer if it is the best so far on validation."""
        state, monitor = self.state, self.config.train.monitor
        found = evaluator.evaluate(scorer, (self.metric,))
        value = found.summary()[monitor]
        told = self.told | told_sample(self.reporter, found, monitor, self.dataset)
        if value > state.best_value:
            self._scorer, state.best_value = scorer, value
            state.diagnostics = chosen(self.config, config) | told
        self.reporter.evaluated(1, {}, monitor, value, state.best_value)

    def scorer(self) -> Scorer:
        """The solved scorer. Raises ``RuntimeError`` before :meth:`fit`."""
        if self._scorer is None:
            raise RuntimeError("fit() comes first")
        return self._scorer

    def weights(self) -> dict[str, Tensor]:
        """None, because the scorer has everything that is learned."""
        return {}

    @property
    def n_parameters(self) -> int:
        """Number of values in the scorer."""
        return n_numbers(self.scorer())


def n_numbers(scorer: Scorer) -> int:
    """Number of values in a scorer, without histories and ``ties``."""
    return sum(
        array.numel()
        for name, array in scorer.arrays().items()
        if not name.startswith("histories") and not name.endswith(("indices", "indptr"))
    )


def with_chosen(config: RunConfig, metrics: Mapping[str, float], prefix: str = "") -> RunConfig:
    """The values that validation chose for null settings.

    Args:
        config: of a finished run.
        metrics: its figures.
        prefix: of the keys that :func:`chosen` gave.
    """
    update = {}
    for section in ("backbone", "alignment", "loss"):
        part = getattr(config, section)
        keys = {
            setting: f"diagnostics/{prefix}chosen/{section}.{setting}" for setting in part.tried
        }
        found = {setting: metrics[key] for setting, key in keys.items() if key in metrics}
        update[section] = part.model_copy(update=found)
    return config.model_copy(update=update)


def chosen(asked: RunConfig, taken: RunConfig) -> dict[str, float]:
    """The chosen values of null settings, by dotted key after ``chosen/``."""
    return {
        f"chosen/{section}.{setting}": float(getattr(getattr(taken, section), setting))
        for section in ("backbone", "alignment")
        for setting in getattr(asked, section).tried
        if getattr(getattr(asked, section), setting) is None
    }
