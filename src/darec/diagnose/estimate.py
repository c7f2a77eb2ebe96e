"""Means with intervals, overall and by item popularity; every figure of the report has this form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from darec.evaluation.metrics import Values
from darec.evaluation.significance import paired_bootstrap

THIRDS: Final = 3
_RESAMPLES: Final = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% percentile bootstrap interval.

    Attributes:
        value: the mean.
        low: lower end.
        high: upper end.
        n: number of users or items.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class ByPopularity:
    """A figure overall and by item popularity.

    Attributes:
        overall: for all users or items.
        thirds: for the least popular third of the items, the middle one and the most popular one, by training users;
            None if a third has no values.
    """

    overall: Estimate
    thirds: tuple[Estimate | None, ...]


def mean(values: Values, seed: int = 0) -> Estimate | None:
    """Return the mean of the values that are not NaN; None if there are none."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    found = paired_bootstrap(values, np.zeros_like(values), n_resamples=_RESAMPLES, seed=seed)
    return Estimate(found.difference, found.low, found.high, len(values))


def by_popularity(columns: Values) -> ByPopularity:
    """Make a figure of [4, n] values: all, then the thirds. Raises ``ValueError`` if the first row has no values."""
    overall, *thirds = (mean(column) for column in columns)
    if overall is None:
        raise ValueError("no value to take a mean of.")
    return ByPopularity(overall, tuple(thirds))
