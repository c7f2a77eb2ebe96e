"""By what the weights of scores beside trained tables are chosen: sums of two scorers, and their validation values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from darec.data.dataset import Dataset
from darec.evaluation.evaluate import Evaluator, validator
from darec.scoring import AddedScorer, Scorer
from darec.scoring.held import HeldSum, held_scores
from darec.types import FloatArray, IntArray

TAIL: Final = "items/1of3"
"""The least popular third of the items, in the names of metrics."""
_USERS: Final = 1000  # number of users on whom spreads are measured
_JUDGES: Final = 20_000  # largest number of validation users on whom weights are chosen
_CLEARLY: Final = 0.01  # share of the highest worth by which a weight is clearly worse
_TINY: Final = 1e-12


class Judge:
    """Judges scorers on the validation split, over all items and over the least popular third of them.

    Args:
        dataset: with the split.
        whole: evaluates the tables after each epoch; a fixed sample of its users is taken if there are many.
        metric: name of the monitored metric without its cut-off.
        tail: what the metric over the least popular third counts, ``beside.tail``.
    """

    def __init__(self, dataset: Dataset, whole: Evaluator, metric: str, tail: float) -> None:
        drawn = np.random.default_rng(0).permutation(whole.users)[:_JUDGES]
        self._evaluator = validator(dataset, whole.ks[0], drawn, item_groups=3)
        self.users: IntArray = self._evaluator.users
        self._metric, self._monitor, self._tail = metric, f"{metric}@{whole.ks[0]}", tail

    def values(self, scorer: Scorer) -> FloatArray:
        """[2, n] monitored metric of each user, over all items and over the least popular third; NaN if unknown."""
        found = self._evaluator.evaluate(scorer, (self._metric,))
        over_all = found.values(self._monitor)
        unknown = np.full(len(over_all), np.nan)  # where all items are equally popular
        return np.stack([over_all, found.per_user.get(f"{TAIL}/{self._monitor}", unknown)])

    def of_sums(self, scorer: Scorer, other: Scorer, ratio: float) -> Callable[[float], FloatArray]:
        """The values of the sum of two scorers by the weight of the second, as :func:`added` has it.

        The scores of the first are computed once.
        """
        kept = held_scores(scorer, self.users)

        def values(weight: float) -> FloatArray:
            return self.values(HeldSum(scorer, other, share(weight, ratio), self.users, kept))

        return values

    def worth(self, values: FloatArray) -> float:
        """What users' values are worth; users without a target in the least popular third count for all items only."""
        known = ~np.isnan(values[1])
        tail = float(values[1, known].mean()) if known.any() else 0.0
        return float(values[0].mean()) + self._tail * tail


def falls(worths: Sequence[float]) -> bool:
    """Whether the last two are both clearly below the highest, so that larger weights will not be better."""
    return len(worths) > 2 and max(worths[-2:]) < (1 - _CLEARLY) * max(worths)


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
    if isinstance(scorer, AddedScorer):
        return AddedScorer([*scorer.scorers, other], [*scorer.weights, share(weight, ratio)])
    return AddedScorer([scorer, other], [1.0, share(weight, ratio)])


def share(weight: float, ratio: float) -> float:
    """The factor of the second scorer of a sum whose first has 1; see :func:`added`."""
    return ratio * weight / (1 - weight)


def ratio_of(wide: float, other: float) -> float:
    """Spread of a scorer divided by that of an added scorer; 0 if the latter does not distinguish items."""
    return wide / other if other > _TINY else 0.0


def spread(scorer: Scorer, dataset: Dataset) -> float:
    """Standard deviation of a user's scores over all items, the mean over some users with training items."""
    users: IntArray = np.flatnonzero(dataset.train.user_degree)
    chosen = np.random.default_rng(0).permutation(users)[:_USERS]
    blocks = [scorer.score(chosen[start : start + 100]) for start in range(0, len(chosen), 100)]
    return float(np.mean([block.std(axis=1, dtype=np.float64).mean() for block in blocks]))
