"""Closed-form scores that are added to those of trained tables: popularity, and an item-item matrix.

Tables that are trained by cosines do not contain the popularity of items, and tables of a usual width cannot contain
every relation between two items, which a linear item-item model has. Their scores are added. Each is scaled to the
spread of the trained scores, and its weight is chosen on the validation split: first that of the matrix, then that of
popularity. Popularity takes from the least popular items, so users with a niche taste do without it, and the metric
over these items counts too where its weight and the share of these users are chosen. A rough weight of popularity, for
all users, is chosen after the first epoch, and used in the validation after each epoch and for the matrix.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from darec.config import BesideConfig, RunConfig
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.progress import counted
from darec.scoring import AddedScorer, PopularityScorer, Scorer
from darec.scoring.niche import limits
from darec.training.closed_form import ClosedFormTrainer, chosen, n_numbers
from darec.training.state import TrainState
from darec.training.trainer import Trainer
from darec.training.weighing import Judge, added, falls, ratio_of, spread
from darec.types import TextTable

WEIGHTS: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.85)
"""Weights of popularity in this order, until two in a row are clearly worse; 0 adds nothing."""
OF_MATRIX: Final = (0.0, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85)
"""The same for the matrix, whose few large entries change a list already with a small weight."""
FEW: Final = (0.0, 0.1, 0.2, 0.4, 0.7)
"""Candidates after the first epoch, for the validation after each epoch."""
SHARES: Final = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Candidate shares of users who get no popularity."""


@dataclass(frozen=True)
class _Weighed:
    """A sum with the weight of the added scorer.

    Attributes:
        scorer: the sum.
        weight: the weight.
        value: the monitored metric of the sum on the validation split.
        worth: the same plus the part of the least popular third, by which weights are chosen.
        values: the monitored metric with every candidate weight.
    """

    scorer: Scorer
    weight: float
    value: float = -math.inf
    worth: float = -math.inf
    values: Mapping[float, float] = field(default_factory=dict)

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
        self.reporter = self.tables.reporter
        counts = torch.from_numpy(dataset.train.item_degree).float()
        ties = dataset.items.tie_order
        self.popularity = PopularityScorer(dataset.n_users, counts.log1p(), ties)
        self.judge: Judge | None = None
        if self.tables.evaluator is not None:
            self.judge = Judge(dataset, self.tables.evaluator, self.tables.metric, beside.tail)
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
        wide = spread(tables, self.dataset)
        ratio = ratio_of(wide, self._spread_of_popularity)
        found, told = _Weighed(tables, 0.0), dict[str, float]()
        if self.matrix is not None:
            found, settings = self._with_matrix(self.matrix, tables, wide, ratio)
            told = {"weight": found.weight, **settings} | found.told("valid")
        with self.reporter, self.reporter.preparing():
            found, told["niche"] = self._for_most(found.scorer, ratio)
        told |= {"popularity": found.weight} | found.told("popularity")
        self._scorer = found.scorer
        if self.judge is not None:
            state.best_value = found.value
        state.total_seconds += time.perf_counter() - started
        state.best_seconds += time.perf_counter() - started
        state.diagnostics |= {f"beside/{name}": value for name, value in told.items()}
        return state

    def _with_matrix(
        self, matrix: ClosedFormTrainer, tables: Scorer, wide: float, popular: float
    ) -> tuple[_Weighed, dict[str, float]]:
        """The tables with the best of the matrices added, and the settings of that.

        They are judged with the weight of popularity that was chosen after the first epoch.

        Args:
            matrix: solves for the matrices.
            tables: the trained tables.
            wide: the spread of their scores.
            popular: the ratio of popularity, as for :func:`added`.
        """
        weight = self.state.popularity or 0.0
        best: _Weighed | None = None
        settings: dict[str, float] = {}
        for config in matrix.candidates():
            solved = matrix.solve(config)
            ratio = ratio_of(wide, spread(solved, self.dataset))
            with self.reporter, self.reporter.preparing():
                one = self._add(
                    "the matrix",
                    tables,
                    solved,
                    ratio,
                    self.beside.weight,
                    OF_MATRIX,
                    beside=added(tables, self.popularity, weight, popular),
                )
            if best is None or one.worth > best.worth:
                best, settings = one, chosen(matrix.config, config) | matrix.told
        assert best is not None  # there is at least one candidate
        return best, settings

    def _for_most(self, scorer: Scorer, ratio: float) -> tuple[_Weighed, float]:
        """The same with popularity for all users but those with a niche taste, and the share of these.

        Which users a share spares does not change the lists of others. The value of each share therefore follows from
        the users' values with popularity and without.
        """
        beside, everyone = self.beside, self.popularity
        weights = WEIGHTS if beside.popularity is None else (beside.popularity,)
        shares = SHARES if beside.niche is None else (beside.niche,)
        popularity = everyone.values.double().numpy()
        tastes, niches = limits(self.dataset.train, popularity, shares)
        worth, weight, share, value = -math.inf, weights[0], shares[0], -math.inf
        values: dict[float, float] = {}
        if self.judge is not None:
            judged = tastes[self.judge.users]
            with_weight = self.judge.of_sums(scorer, everyone, ratio)
            without = with_weight(0.0)
            best: list[tuple[float, float, float, float]] = []  # of each weight
            for one in counted(weights, "weighing popularity"):
                with_it = with_weight(one) if one else without
                values[one] = float(with_it[0].mean())
                mixed = {
                    spared: np.where(judged < niche.below, without, with_it)
                    for spared, niche in niches.items()
                }
                worths = {spared: self.judge.worth(figures) for spared, figures in mixed.items()}
                spared = max(worths, key=lambda share: worths[share])
                best.append((worths[spared], one, spared, float(mixed[spared][0].mean())))
                if falls([found for found, *_ in best]):
                    break
            worth, weight, share, value = max(best, key=lambda found: found[0])
        share = share if weight else 0.0
        if share:
            niche = niches[share]
            spared_users = torch.from_numpy(tastes < niche.below)
            everyone = PopularityScorer(
                everyone.n_users, everyone.values, everyone.ties, niche, spared_users
            )
        return _Weighed(added(scorer, everyone, weight, ratio), weight, value, worth, values), share

    def _with_popularity(self, tables: Scorer) -> Scorer:
        """The scorer that is validated after an epoch. After the first epoch, the weight for all epochs is chosen."""
        state = self.state
        if state.popularity is None:
            state.popularity = self.beside.popularity
        if state.popularity == 0:
            return tables
        ratio = ratio_of(spread(tables, self.dataset), self._spread_of_popularity)
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
        tried: Sequence[float],
        beside: Scorer | None = None,
    ) -> _Weighed:
        """Add a scorer with a given weight, or with the best candidate on the validation split.

        Args:
            name: name of the added scorer, in the display of progress.
            scorer: the scorer to which it is added.
            other: the added scorer.
            ratio: as for :func:`added`.
            weight: the weight; None chooses it.
            tried: candidate weights.
            beside: the scorer with something else added, which is validated in its place; None is the scorer itself.
        """
        weights = tried if weight is None else (weight,)
        if self.judge is None:
            return _Weighed(added(scorer, other, weights[0], ratio), weights[0])
        with_weight = self.judge.of_sums(beside or scorer, other, ratio)
        values, worths = {}, {}
        for one in counted(weights, f"weighing {name}"):
            found = with_weight(one)
            values[one], worths[one] = float(found[0].mean()), self.judge.worth(found)
            if falls([*worths.values()]):
                break
        best = max(worths, key=lambda one: worths[one])
        summed = added(scorer, other, best, ratio)
        return _Weighed(summed, best, values[best], worths[best], values)

    @cached_property
    def _spread_of_popularity(self) -> float:
        return spread(self.popularity, self.dataset)

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
