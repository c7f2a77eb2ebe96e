"""Weights of scorers that are added to another one: the candidates, the rule that chooses, and the sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from darec.data.dataset import Dataset
from darec.scoring import AddedScorer, Scorer
from darec.types import IntArray

_CLEARLY: Final = 0.01  # share of the best value by which a weight is clearly worse
_USERS: Final = 1000  # number of users on whom spreads are measured


@dataclass(frozen=True)
class Choice:
    """How the weight of an added scorer is chosen on the validation split.

    Attributes:
        name: of the added scorer, in the display of progress.
        weights: candidates in this order, until two in a row are clearly worse than the best; 0 adds nothing.
        tolerance: share of the best value that a weight may lose.
        of_near: which of the weights is chosen that lose no more.
    """

    name: str
    weights: tuple[float, ...]
    tolerance: float
    of_near: Callable[[Sequence[float]], float]


# With ten thousand users the standard error of the difference between two weights is nearly 1%, so that a smaller
# tolerance would follow chance.
POPULARITY: Final = Choice(
    "popularity", (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85), 0.01, min
)
AFTER_AN_EPOCH: Final = replace(POPULARITY, weights=(0.0, 0.1, 0.2, 0.4, 0.7))
# A few large entries of a matrix change a list already with a small weight.
MATRIX: Final = Choice(
    "the matrix", (0.0, 0.02, 0.03, 0.05, 0.07, *POPULARITY.weights[2:]), 0.005, max
)


@dataclass(frozen=True)
class Weighed:
    """A sum, the weight of the added scorer, its value on the validation split, and the values of all weights."""

    scorer: Scorer
    weight: float
    value: float
    values: Mapping[float, float]

    def told(self, name: str) -> dict[str, float]:
        """The values by ``NAME@WEIGHT``."""
        return {f"{name}@{weight:g}": value for weight, value in self.values.items()}


def falls(values: Sequence[float]) -> bool:
    """Whether the last two values are both clearly below the best one, so that larger weights will not be better."""
    return len(values) > 2 and max(values[-2:]) < (1 - _CLEARLY) * max(values)


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
