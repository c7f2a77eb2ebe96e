"""The training loop: one class for every pair of backbone and alignment.

Every draw comes from two generators whose states are in the checkpoint, and an epoch is the unit of work. A run that is
killed and resumed repeats its unfinished epochs and ends with identical weights.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from darec.config import RunConfig
from darec.data.dataset import Dataset
from darec.errors import RunError
from darec.evaluation.evaluate import Evaluator, judges, validator
from darec.evaluation.shared import SharedRanking
from darec.lock import Lock
from darec.memory import keep_freed_memory
from darec.model import Model
from darec.processes import ALONE, Group
from darec.processes.choice import Shards, chosen_layout
from darec.scoring import Folding, Scorer, TableScorer
from darec.training.checks import check_config, check_divided, resolve_device, warn_of_full_users
from darec.training.fold_in import fitted_folding
from darec.training.history import History
from darec.training.kept import Kept
from darec.training.progress import Reporter, told_sample
from darec.training.state import TrainState
from darec.types import Tables, TextTable

_CHECKPOINT_SECONDS = 60.0  # seconds after which an epoch between evaluations is also saved


class Trainer:
    """Trains one model on one dataset.

    Args:
        config: the run's configuration.
        dataset: the dataset for training and validation.
        text: language embeddings, if the model needs them.
        folder: folder of history, checkpoints and best weights; None keeps them in memory.
        lock: the lock on ``folder``, which is checked before anything is written there.
        reporter: shows progress.
        tensorboard: also write TensorBoard events.
        start: called with the model before training, to give it other initial weights than random ones.
        deadline: by ``time.monotonic()``; the epoch in which it passes is the last one. None is no deadline.
        validate: use the validation split to choose the best epoch and to stop early. Otherwise all epochs are trained,
            and the last one is used.
        group: the processes that train the model together, of which this is one. All call :meth:`fit`, and all rank
            when the leader validates; it alone writes, and has a :meth:`scorer` afterwards.
        shards: how several processes divide tables.

    Attributes:
        judged: makes the scorer that is validated after an epoch from the tables; by default the tables themselves.

    Raises:
        ConfigError: settings do not fit the data or the machine, see :func:`check_config`.
        DataError: there are no training or no validation interactions.
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
        self.config, self.folder, self.tensorboard = config, folder, tensorboard
        self.deadline = math.inf if deadline is None else deadline
        self.dataset = dataset
        self.group = group
        self._lock = lock
        self.reporter = reporter or Reporter()
        keep_freed_memory()
        options = config.options
        with (
            group.agreeing()
        ):  # checked before the model is made, since the processes exchange tables for it
            self.metric, k = check_config(config, dataset, validate=validate)
            check_divided(config, group.size, shards, dataset.train)
            self.device = resolve_device(options.device, options.precision)
        self.ties = dataset.items.tie_order
        self.evaluator: Evaluator | None = None
        self._sharing: SharedRanking | None = None
        if validate:
            users = judges(dataset, config.train.eval_users)
            if group.size > 1:
                ranked = np.flatnonzero(dataset.valid.user_degree) if users is None else users
                self._sharing = SharedRanking(ranked, dataset.train, group)
            if group.leads:
                self.evaluator = validator(dataset, k, users)
                self.evaluator.sharing = self._sharing
        initial = torch.Generator().manual_seed(options.seed)
        with self.reporter.preparing():
            layout = chosen_layout(shards, group, getattr(config.backbone, "dim", 0), dataset.train)
            self.model = Model(config, dataset.train, text, initial, layout).to(self.device)
            if start is not None:
                start(self.model)
        warn_of_full_users(self.model.sampler.full_users, dataset)
        # Separate, so that an alignment's draws do not change the batches and dropout of its backbone.
        self.generator = torch.Generator(self.device).manual_seed(options.seed + 1)
        self.alignment_generator = torch.Generator(self.device).manual_seed(options.seed + 2)
        decoupled = config.train.optimizer == "adamw"
        optimizer = torch.optim.AdamW if decoupled else torch.optim.Adam
        self.optimizer = optimizer(
            self.model.parameter_groups(config.train.l2, decoupled=decoupled),
            lr=config.train.lr,
            fused=True,
        )
        generators = {
            "generator": self.generator,
            "alignment_generator": self.alignment_generator,
        }
        self.kept = Kept(self.model, self.optimizer, generators, folder)
        self.state = TrainState()
        self.judged: Callable[[Scorer], Scorer] = lambda scorer: scorer
        self._folding: Folding | None = None
        self._learned: Tables | None = None  # several processes note it once all are done

    def fit(self, *, resume: bool = False) -> TrainState:
        """Train until early stopping, the last epoch or the deadline, then restore the best weights.

        Args:
            resume: continue from the newest checkpoint in ``folder``, if there is one.

        Raises:
            RunError: a loss is no longer finite, or a checkpoint is damaged.
        """
        if resume:
            self.state = self.kept.newest() or self.state
        history = History(self.folder, self.state.epoch, tensorboard=self.tensorboard)
        train = self.config.train
        saved = time.monotonic()
        try:
            with self.reporter:
                if self.config.loss.undecided:
                    self._choose_temperature(history)
                state = self.state
                while (
                    state.epoch < train.epochs
                    and state.stale < train.patience
                    and not state.out_of_time
                ):
                    started = time.perf_counter()
                    losses = self.train_epoch()
                    state.seconds.append(time.perf_counter() - started)
                    now = time.monotonic()
                    state.out_of_time, old = self.group.told(
                        [now >= self.deadline, now - saved > _CHECKPOINT_SECONDS]
                    )
                    last = state.out_of_time or state.epoch == train.epochs
                    due = last or state.epoch % train.eval_every == 0
                    value, figures = self._validated() if due else (None, {})
                    state.total_seconds += time.perf_counter() - started
                    if due:
                        self._record(losses, value, figures, history)
                    if due or old:
                        self._check_lock()
                        self.kept.save(state)
                        saved = time.monotonic()
        finally:
            history.close()
        self.kept.take_best()
        if self.group.size > 1:
            encoded = self.model.encoded()
            if encoded is None:
                return state
            self._learned = portable(self.model.tables(encoded))
        with self.reporter, self.reporter.preparing():
            self._folding, told = fitted_folding(
                self.scorer(),
                self.dataset,
                train,
                validate=self.evaluator is not None,
                judged=self.judged,
            )
        state.diagnostics |= told | {f"chosen/{key}": one for key, one in state.chosen.items()}
        return state

    def scorer(self) -> TableScorer:
        """The learned tables, float32 on the CPU. Of several processes, the leader has them after :meth:`fit`."""
        learned = self._learned or portable(self.model.tables())
        return TableScorer(learned, self.ties, self._folding)

    def weights(self) -> dict[str, Tensor]:
        """The model's weights, by name."""
        return self.model.state_dict()

    @property
    def n_parameters(self) -> int:
        """Number of learned parameters."""
        model = self.model
        counts = {
            name: model.layout.whole_shape(x).numel() if name in model.divided else x.numel()
            for name, x in model.named_parameters()
        }
        return sum(counts.values())

    def train_epoch(self) -> dict[str, float]:
        """One pass over the training pairs; the mean of each loss term."""
        model, state = self.model, self.state
        batch_size = self.config.train.batch_size
        total = -(-len(model.sampler) // batch_size)
        sums: dict[str, Tensor] = {}
        sent, first = self.group.sent, state.step
        counts: Counter[str] = Counter()  # an alignment may have terms only in some steps
        for done, (users, items) in enumerate(model.sampler.epoch(batch_size, self.generator), 1):
            report = model.train_step(
                users,
                items,
                self.optimizer,
                step=state.step,
                generator=self.generator,
                alignment_generator=self.alignment_generator,
                bf16=self.config.options.precision == "bf16",
            )
            for name, term in report.items():
                sums[name] = sums[name] + term if name in sums else term
                counts[name] += 1
            state.step += 1
            self.reporter.step(state.epoch + 1, done, total)
        state.epoch += 1
        state.sent = (self.group.sent - sent) / max(1, state.step - first)
        losses = {name: float(summed) / counts[name] for name, summed in sums.items()}
        for name, value in losses.items():
            if not math.isfinite(value):
                raise RunError(
                    f"loss {name!r} is {value} in epoch {state.epoch}: training has diverged; lower train.lr "
                    "or the alignment's push."
                )
        return losses

    def _choose_temperature(self, history: History) -> None:
        """Train the first epoch with each candidate temperature, and go on from the best one.

        A resumed run has chosen already.
        """
        key, monitor = "loss.temperature", self.config.train.monitor
        if key not in self.state.chosen:
            begun = time.perf_counter()
            start, best = self.kept.snapshot(), None
            for candidate in self.config.loss.tried["temperature"]:
                self.kept.restore(start)
                self.state = TrainState(chosen={key: candidate})
                self.model.ranking.temperature = candidate
                started = time.perf_counter()
                losses = self.train_epoch()
                self.state.seconds.append(time.perf_counter() - started)
                value, figures = self._validated()
                assert value is not None  # without validation, check_config wants a number
                self.reporter.tried(key, candidate, monitor, value)
                if best is None or value > best[1]:
                    best = (self.state, value, losses, figures, self.kept.snapshot())
                if self.group.told(time.monotonic() >= self.deadline):
                    break
            assert best is not None  # there are candidates
            self.state, value, losses, figures, trained = best
            self.kept.restore(trained)
            self.state.out_of_time = self.group.told(time.monotonic() >= self.deadline)
            self.state.total_seconds = time.perf_counter() - begun
            self._record(losses, value, figures, history)
            self.kept.save(self.state)
        self.model.ranking.temperature = self.state.chosen[key]

    def _validated(self) -> tuple[float | None, dict[str, float]]:
        """The validation value of the current weights, the same for all processes, and diagnostics.

        The value is None without validation.
        """
        monitor = self.config.train.monitor
        encoded = self.model.encoded()
        value: float | None = None
        diagnostics: dict[str, float] = {}
        with self._sharing.open() if self._sharing else nullcontext():
            if encoded is not None and self.evaluator is not None:
                scorer = self.judged(TableScorer(self.model.tables(encoded), self.ties))
                found = self.evaluator.evaluate(scorer, (self.metric,))
                value = found.summary()[monitor]
                diagnostics = told_sample(self.reporter, found, monitor, self.dataset)
        if encoded is not None:
            diagnostics = self.model.diagnostics(encoded) | diagnostics
        return self.group.told(value), diagnostics

    def _record(
        self,
        losses: dict[str, float],
        value: float | None,
        diagnostics: dict[str, float],
        history: History,
    ) -> None:
        """Log what :meth:`_validated` found after an epoch, and store the weights if they are the best so far.

        Without validation the last weights are the best.
        """
        state, monitor = self.state, self.config.train.monitor
        state.stale += 1
        self._check_lock()
        if value is None:
            state.stale = 0
        elif value > state.highest:
            state.highest, state.stale = value, 0
        if value is None or value > state.best_value * (1 + self.config.train.min_gain):
            state.best_epoch = state.epoch
            state.best_value = state.best_value if value is None else value
            state.best_seconds, state.diagnostics = state.total_seconds, diagnostics
            self.kept.keep_best()
        history.append(
            state.epoch,
            {
                "seconds": state.total_seconds,
                **({} if value is None else {f"valid/{monitor}": value}),
                **{f"loss/{name}": loss for name, loss in losses.items()},
                **{f"diagnostics/{name}": figure for name, figure in diagnostics.items()},
            },
        )
        if value is None:
            self.reporter.trained(state.epoch, losses)
        else:
            self.reporter.evaluated(state.epoch, losses, monitor, value, state.highest)

    def _check_lock(self) -> None:
        """Check that the folder is still this run's, before anything is written there."""
        if self._lock is not None:
            self._lock.check()


def portable(tables: Tables) -> Tables:
    """The same tables in stored form: float32, on the CPU."""
    return Tables(*(table.cpu().float().contiguous() for table in (tables.users, tables.items)))
