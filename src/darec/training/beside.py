"""Closed-form scores that are added to those of trained tables: popularity, and an item-item matrix.

Tables that are trained by cosines do not contain the popularity of items, and tables of a usual width cannot contain
every relation between two items, which a linear item-item model has. Their scores are added. Each is scaled to the
spread of the scores to which it is added, and its weight is chosen on the validation split: first that of popularity,
which is also used in the validation after each epoch, then that of the matrix. Of weights that are nearly as good as
the best, the one with the smallest part of popularity is chosen: the least popular items gain more by it than others
lose. For the same reason users with a niche taste get no popularity, as many as the validation split allows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from darec.config import BesideConfig, RunConfig
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.evaluation.evaluate import Evaluator, validator
from darec.progress import counted
from darec.scoring import AddedScorer, PopularityScorer, Scorer
from darec.scoring.niche import limits
from darec.training.closed_form import ClosedFormTrainer, chosen, n_numbers
from darec.training.state import TrainState
from darec.training.trainer import Trainer
from darec.types import IntArray, TextTable

WEIGHTS: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85)
"""Candidates in this order, if no weight is given, until two in a row are clearly worse; 0 adds nothing."""
OF_MATRIX: Final = (0.0, 0.02, 0.03, 0.05, 0.07, *WEIGHTS[2:])
"""The same for the matrix, whose few large entries change a list already with a small weight."""
FEW: Final = (0.0, 0.1, 0.2, 0.4, 0.7)
"""Candidates after the first epoch, for the validation after each epoch."""
TOLERANCE: Final = 0.005
"""Share of the best value on the validation split that a weight may lose for less popularity."""
SHARES: Final = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Candidate shares of users who get no popularity."""
_TINY: Final = 1e-12
_USERS: Final = 1000  # number of users on whom spreads are measured
_JUDGES: Final = 10_000  # largest number of validation users on whom the weight is chosen


@dataclass(frozen=True)
class _Weighed:
    """A sum, the weight of the added scorer, its value on the validation split, and the values of all weights."""

    scorer: Scorer
    weight: float
    value: float
    values: Mapping[float, float]

    def told(self, name: str) -> dict[str, float]:
        """The values by ``NAME@WEIGHT``."""
        return {f"{name}@{weight:g}": value for weight, value in self.values.items()}


class BesideTrainer:
    """Trains tables, then adds popularity and a matrix to them, each with its weight.

    Args:
        config: the run's configuration, with ``beside``.
        dataset: the dataset for training and validation.
        text: language embeddings, if a part needs them.
        **options: those of :class:`~darec.training.trainer.Trainer`.
    """

    def __init__(
        self, config: RunConfig, dataset: Dataset, text: TextTable | None = None, **options: Any
    ) -> None:
        beside = config.beside
        if not isinstance(beside, BesideConfig):
            raise TypeError("the configuration has nothing beside the tables")
        matrix = beside.backbone is not None
        if not options.get("validate", True):
            needed = ["popularity", *(["niche"] if beside.popularity != 0 else [])]
            for name in [*needed, *(["weight"] if matrix else [])]:
                if getattr(beside, name) is None:
                    raise ConfigError(
                        f"beside.{name} is null, and nothing is validated: set a number."
                    )
        self.beside, self.dataset = beside, dataset
        self.tables = Trainer(config, dataset, text, **options)
        self.tables.judged = self._with_popularity
        self.reporter, self.monitor = self.tables.reporter, config.train.monitor
        counts = torch.from_numpy(dataset.train.item_degree).float()
        ties = dataset.items.tie_order
        self.popularity = PopularityScorer(dataset.n_users, counts.log1p(), ties)
        self.judge = self._judge()
        self.matrix: ClosedFormTrainer | None = None
        if matrix:
            kept = ("folder", "reporter", "validate")
            shared = {name: value for name, value in options.items() if name in kept}
            update = {"backbone": beside.backbone, "alignment": beside.alignment, "beside": None}
            self.matrix = ClosedFormTrainer(
                config.model_copy(update=update), dataset, text, **shared
            )
        self._scorer: Scorer | None = None

    @property
    def state(self) -> TrainState:
        """The state of training."""
        return self.tables.state

    def fit(self, *, resume: bool = False) -> TrainState:
        """Train the tables, or continue training with ``resume``, then add the others."""
        state = self.tables.fit(resume=resume)
        started = time.perf_counter()
        tables = self.tables.scorer()
        ratio = self._ratio(spread(tables, self.dataset), self._spread_of_popularity)
        with self.reporter, self.reporter.preparing():
            found = self._add("popularity", tables, self.popularity, ratio, self.beside.popularity)
            told = {"popularity": found.weight} | found.told("popularity")
            if found.weight:
                found, told["niche"] = self._sparing(found, tables, ratio)
        if self.matrix is not None:
            found, settings = self._with_matrix(self.matrix, found.scorer)
            told |= {"weight": found.weight, **settings} | found.told("valid")
        self._scorer = found.scorer
        if self.judge is not None:
            state.best_value = found.value
        state.total_seconds += time.perf_counter() - started
        state.best_seconds += time.perf_counter() - started
        state.diagnostics |= {f"beside/{name}": value for name, value in told.items()}
        return state

    def _sparing(self, all_users: _Weighed, tables: Scorer, ratio: float) -> tuple[_Weighed, float]:
        """The same without popularity for users with a niche taste, and their share.

        Which users a share spares does not change the lists of others. The value of each share therefore follows from
        the users' values with popularity and without.
        """
        everyone = self.popularity
        values = everyone.values.double().numpy()
        shares = SHARES if self.beside.niche is None else (self.beside.niche,)
        tastes, niches = limits(self.dataset.train, values, shares)
        share, value = shares[0], all_users.value
        if self.judge is not None:
            judged = tastes[self.judge.users]
            with_it, without = (
                self.judge.evaluate(one, (self.tables.metric,)).values(self.monitor)
                for one in (all_users.scorer, tables)
            )
            found = {
                one: float(np.where(judged < niche.below, without, with_it).mean())
                for one, niche in niches.items()
            }
            enough = (1 - self.beside.niche_cost) * max(found.values())
            share = max(one for one in shares if found[one] >= enough)
            value = found[share]
        if not share:
            return all_users, 0.0
        niche = niches[share]
        spared = torch.from_numpy(tastes < niche.below)
        some = PopularityScorer(everyone.n_users, everyone.values, everyone.ties, niche, spared)
        scorer = added(tables, some, all_users.weight, ratio)
        return replace(all_users, scorer=scorer, value=value), share

    def _with_matrix(
        self, matrix: ClosedFormTrainer, tables: Scorer
    ) -> tuple[_Weighed, dict[str, float]]:
        """The tables with the best of the matrices added, and the settings of that."""
        wide = spread(tables, self.dataset)
        best: _Weighed | None = None
        settings: dict[str, float] = {}
        for config in matrix.candidates():
            solved = matrix.solve(config)
            ratio = self._ratio(wide, spread(solved, self.dataset))
            with self.reporter, self.reporter.preparing():
                one = self._add("the matrix", tables, solved, ratio, self.beside.weight, OF_MATRIX)
            if best is None or one.value > best.value:
                best, settings = one, chosen(matrix.config, config) | matrix.told
        assert best is not None  # there is at least one candidate
        return best, settings

    def _with_popularity(self, tables: Scorer) -> Scorer:
        """The scorer that is validated after an epoch. After the first epoch, the weight for all epochs is chosen."""
        state = self.state
        if state.popularity is None:
            state.popularity = self.beside.popularity
        if state.popularity == 0:
            return tables
        ratio = self._ratio(spread(tables, self.dataset), self._spread_of_popularity)
        if state.popularity is None:
            found = self._add("popularity", tables, self.popularity, ratio, None, FEW)
            state.popularity = found.weight
        return added(tables, self.popularity, state.popularity, ratio)

    def _add(
        self,
        name: str,
        scorer: Scorer,
        other: Scorer,
        ratio: float,
        weight: float | None,
        tried: Sequence[float] = WEIGHTS,
    ) -> _Weighed:
        """Add a scorer with a given weight, or with the best candidate on the validation split.

        Args:
            name: name of the added scorer, in the display of progress.
            scorer: the scorer to which it is added.
            other: the added scorer.
            ratio: as for :func:`added`.
            weight: the weight; None chooses it.
            tried: candidate weights.
        """
        weights = tried if weight is None else (weight,)
        if self.judge is None:
            return _Weighed(added(scorer, other, weights[0], ratio), weights[0], -math.inf, {})
        values = {}
        for one in counted(weights, f"weighing {name}"):
            judged = self.judge.evaluate(added(scorer, other, one, ratio), (self.tables.metric,))
            values[one] = judged.summary()[self.monitor]
            if _falls([*values.values()]):
                break
        enough = (1 - TOLERANCE) * max(values.values())
        near = [one for one, value in values.items() if value >= enough]
        best = min(near) if other is self.popularity else max(near)
        return _Weighed(added(scorer, other, best, ratio), best, values[best], values)

    @cached_property
    def _spread_of_popularity(self) -> float:
        return spread(self.popularity, self.dataset)

    @staticmethod
    def _ratio(wide: float, other: float) -> float:
        """Spread of the scorer divided by that of the added scorer; 0 if the latter does not distinguish items."""
        return wide / other if other > _TINY else 0.0

    def _judge(self) -> Evaluator | None:
        """The tables' own evaluator, or one on a fixed sample of its users if there are many."""
        whole = self.tables.evaluator
        if whole is None or len(whole.users) <= _JUDGES:
            return whole
        drawn = np.random.default_rng(0).permutation(whole.users)[:_JUDGES]
        return validator(self.dataset, whole.ks[0], drawn)

    def scorer(self) -> Scorer:
        """The sum of all scorers. Raises ``RuntimeError`` before :meth:`fit`."""
        if self._scorer is None:
            raise RuntimeError("fit() comes first")
        return self._scorer

    def weights(self) -> dict[str, Tensor]:
        """The weights of the trained model."""
        return self.tables.weights()

    @property
    def n_parameters(self) -> int:
        """Number of learned parameters of all together."""
        added_up = self.scorer()
        if not isinstance(added_up, AddedScorer):
            return self.tables.n_parameters
        return self.tables.n_parameters + sum(map(n_numbers, added_up.scorers[1:]))


def _falls(values: Sequence[float]) -> bool:
    """Whether the last two values are both clearly below the best one, so that larger weights will not be better."""
    return len(values) > 2 and max(values[-2:]) < (1 - 2 * TOLERANCE) * max(values)


def added(scorer: Scorer, other: Scorer, weight: float, ratio: float) -> Scorer:
    """The weighted sum of two scorers.

    Args:
        scorer: the first scorer, which keeps its scale.
        other: the added scorer.
        weight: of ``other``, in [0, 1); with 0, ``scorer`` stays alone.
        ratio: spread of the scorer's scores over that of the other's.
    """
    if not weight:
        return scorer
    share = ratio * weight / (1 - weight)
    if isinstance(scorer, AddedScorer):
        return AddedScorer([*scorer.scorers, other], [*scorer.weights, share])
    return AddedScorer([scorer, other], [1.0, share])


def spread(scorer: Scorer, dataset: Dataset) -> float:
    """Standard deviation of a user's scores over all items, the mean over some users with training items."""
    users: IntArray = np.flatnonzero(dataset.train.user_degree)
    chosen = np.random.default_rng(0).permutation(users)[:_USERS]
    blocks = [scorer.score(chosen[start : start + 100]) for start in range(0, len(chosen), 100)]
    return float(np.mean([block.std(axis=1, dtype=np.float64).mean() for block in blocks]))
