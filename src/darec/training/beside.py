"""An item-item matrix beside trained tables: what the two know differs, and their scores are added.

Tables of a usual width hold what users and items have in common; which item goes with which, one by one, they cannot
hold, and a linear item-item model can (docs/studies/target.md). The matrix is solved once the tables are trained, its
scores are brought to the same spread as theirs, and its weight is chosen on the validation split.
"""

from __future__ import annotations

import math
import time
from typing import Any, Final

import numpy as np
from torch import Tensor

from darec.config import BesideConfig, RunConfig
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.evaluation.evaluate import Evaluator
from darec.progress import counted
from darec.scoring import AddedScorer, Scorer
from darec.training.closed_form import ClosedFormTrainer, chosen, n_numbers
from darec.training.state import TrainState
from darec.training.trainer import Trainer
from darec.types import IntArray, Interactions, TextTable

WEIGHTS: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85)
"""Tried, where none is given; 0 is the tables alone."""
_USERS: Final = 1000  # by whom spreads are measured
_JUDGES: Final = 10_000  # users of the validation split by whom the weight is chosen, at most


class BesideTrainer:
    """Trains tables, then solves for a matrix beside them, and weighs the two.

    Args:
        config: the run's configuration, with ``beside``.
        dataset: what to train and validate on.
        text: language embeddings, where either part needs them.
        **options: those of :class:`~darec.training.trainer.Trainer`.
    """

    def __init__(
        self, config: RunConfig, dataset: Dataset, text: TextTable | None = None, **options: Any
    ) -> None:
        beside = config.beside
        if not isinstance(beside, BesideConfig):
            raise TypeError("the configuration has no matrix beside the tables")
        if beside.weight is None and not options.get("validate", True):
            raise ConfigError("beside.weight is null, and nothing is validated: give a weight.")
        self.beside, self.dataset = beside, dataset
        self.tables = Trainer(config, dataset, text, **options)
        self.reporter, self.monitor = self.tables.reporter, config.train.monitor
        kept = ("folder", "reporter", "validate")
        shared = {name: value for name, value in options.items() if name in kept}
        matrix = config.model_copy(
            update={"backbone": beside.backbone, "alignment": beside.alignment, "beside": None}
        )
        self.matrix = ClosedFormTrainer(matrix, dataset, text, **shared)
        self.weight = beside.weight or 0.0
        self._scorer: Scorer | None = None

    @property
    def state(self) -> TrainState:
        """Where training stands."""
        return self.tables.state

    def fit(self, *, resume: bool = False) -> TrainState:
        """Train the tables, going on with them where ``resume``, then solve for the matrix and choose its weight."""
        state = self.tables.fit(resume=resume)
        started = time.perf_counter()
        tables, best, judge = self.tables.scorer(), -math.inf, self._judge()
        of_tables = spread(tables, self.dataset)
        for config in self.matrix.candidates():
            matrix = self.matrix.solve(config)
            ratio = of_tables / max(spread(matrix, self.dataset), 1e-12)
            found = self._weigh(tables, matrix, ratio, judge) if judge else {}
            weight = max(found, key=lambda weight: found[weight]) if found else self.weight
            value = found.get(weight, -math.inf)
            if self._scorer is None or value > best:
                best, self.weight = value, weight
                self._scorer = added(tables, matrix, weight, ratio)
                told = {"weight": weight, **chosen(self.matrix.config, config)}
                told |= {f"valid@{tried:g}": value for tried, value in found.items()}
        if judge:
            state.best_value = best
        state.total_seconds += time.perf_counter() - started
        state.best_seconds += time.perf_counter() - started
        state.diagnostics |= {f"beside/{name}": value for name, value in told.items()}
        return state

    def _weigh(
        self, tables: Scorer, matrix: Scorer, ratio: float, judge: Evaluator
    ) -> dict[float, float]:
        """What the validation split says of each weight that may be."""
        weights = WEIGHTS if self.beside.weight is None else (self.beside.weight,)
        found = {}
        with self.reporter, self.reporter.preparing():
            for weight in counted(weights, "weighing the matrix beside the tables"):
                scorer = added(tables, matrix, weight, ratio)
                values = judge.evaluate(scorer, (self.tables.metric,)).summary()
                found[weight] = values[self.monitor]
        return found

    def _judge(self) -> Evaluator | None:
        """The tables' own evaluator, or one on a fixed sample of its users where there are many."""
        whole = self.tables.evaluator
        if whole is None or len(whole.users) <= _JUDGES:
            return whole
        valid, train = self.dataset.valid, self.dataset.train
        drawn = np.random.default_rng(0).permutation(whole.users)[:_JUDGES]
        kept = np.isin(valid.users, drawn)
        valid = Interactions.from_pairs(
            valid.users[kept], valid.items[kept], valid.n_users, valid.n_items
        )
        return Evaluator(valid, train, train, whole.ks, user_groups=0, item_groups=0)

    def scorer(self) -> Scorer:
        """Both, added. Raises ``RuntimeError`` before :meth:`fit`."""
        if self._scorer is None:
            raise RuntimeError("fit() comes first")
        return self._scorer

    def weights(self) -> dict[str, Tensor]:
        """Those of the trained model."""
        return self.tables.weights()

    @property
    def n_parameters(self) -> int:
        """Of both."""
        added_up = self.scorer()
        if not isinstance(added_up, AddedScorer):
            return self.tables.n_parameters
        return self.tables.n_parameters + n_numbers(added_up.scorers[1])


def added(tables: Scorer, matrix: Scorer, weight: float, ratio: float) -> Scorer:
    """The tables' scores and the matrix's in the given share.

    Args:
        tables: keeps its scale.
        matrix: what is added.
        weight: of the matrix, in [0, 1).
        ratio: spread of the tables' scores over that of the matrix's.
    """
    if not weight:
        return tables
    return AddedScorer([tables, matrix], [1.0, ratio * weight / (1 - weight)])


def spread(scorer: Scorer, dataset: Dataset) -> float:
    """Standard deviation of a user's scores over all items, the mean over some users with training items."""
    users: IntArray = np.flatnonzero(dataset.train.user_degree)
    chosen = np.random.default_rng(0).permutation(users)[:_USERS]
    blocks = [scorer.score(chosen[start : start + 100]) for start in range(0, len(chosen), 100)]
    return float(np.mean([block.std(axis=1).mean() for block in blocks]))
