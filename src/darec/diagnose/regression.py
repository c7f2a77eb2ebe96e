"""How much of the items' collaborative factors a linear map of their text predicts, on items outside the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from darec.diagnose.estimate import Estimate
from darec.types import FloatArray, IntArray

FOLDS: Final = 5
_PENALTIES: Final = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
_WIDEST: Final = (
    512  # wider text is reduced to its first principal components, so that a fold takes seconds
)
_RESAMPLES: Final = 1000


@dataclass(frozen=True)
class Regression:
    """R^2 of ridge regression from text to factors, cross-validated over items.

    Attributes:
        r2: predicted share of the factors' variance over items; each factor counts by its variance. Predicting the mean
            gives 0. The interval is over items.
        factors: R^2 of each factor, by falling singular value.
        items: number of items with text and training users.
    """

    r2: Estimate
    factors: tuple[float, ...]
    items: int


def out_of_fold(
    text: FloatArray,
    factors: FloatArray,
    known: NDArray[np.bool_],
    has: NDArray[np.bool_],
    seed: int,
) -> FloatArray:
    """[I, w] factors of each item, predicted from its text by a map that was fitted to the items of other folds.

    The penalty is chosen within each fold's fitted items by leave-one-out.

    Args:
        text: [I, d] from :func:`darec.diagnose.scorers.centred`.
        factors: [I, w].
        known: [I] whether the item has text and training users, and so is fitted.
        has: [I] whether the item has text; the others get the mean of the fitted items.
        seed: of the folds.
    """
    from sklearn.linear_model import RidgeCV

    text = _narrow(text, seed)
    fold = np.random.default_rng(seed).permutation(len(text)) % FOLDS
    predicted = np.zeros_like(factors)
    for number in range(FOLDS):
        out, fitted = fold == number, known & (fold != number)
        model = RidgeCV(_PENALTIES).fit(text[fitted], factors[fitted])
        predicted[out] = model.predict(text[out])
        predicted[out & ~has] = factors[fitted].mean(0)
    return predicted


def regression(
    factors: FloatArray, predicted: FloatArray, known: NDArray[np.bool_], seed: int
) -> Regression:
    """Return R^2 over the ``known`` items, from the predictions of :func:`out_of_fold`."""
    target, error = factors[known].astype(np.float64), factors[known] - predicted[known]
    total = (target - target.mean(0)) ** 2
    residual = error.astype(np.float64) ** 2
    by_factor = 1 - residual.sum(0) / np.maximum(total.sum(0), np.finfo(float).tiny)
    n, rng = len(target), np.random.default_rng(seed)
    ratios = [
        _r2(residual.sum(1), total.sum(1), rng.integers(n, size=n)) for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(ratios, [0.025, 0.975])
    value = _r2(residual.sum(1), total.sum(1), np.arange(n))
    return Regression(Estimate(value, float(low), float(high), n), tuple(by_factor.tolist()), n)


def _r2(residual: NDArray[np.float64], total: NDArray[np.float64], rows: IntArray) -> float:
    return float(1 - residual[rows].sum() / max(total[rows].sum(), np.finfo(float).tiny))


def _narrow(text: FloatArray, seed: int) -> FloatArray:
    if text.shape[1] <= _WIDEST or len(text) <= _WIDEST:
        return text
    from sklearn.utils.extmath import randomized_svd

    left, values, _ = randomized_svd(text, _WIDEST, random_state=seed)
    return np.asarray(left * values, np.float32)
