"""Probes: the information in a representation that a cross-validated ridge regression can read.

Probes are linear because a recommender's score is linear: information that only a deep network could read from E_C does
not affect a ranking.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_PENALTIES: Final = tuple(10.0**power for power in range(-3, 5))


def linear_r2(x: NDArray[Any], y: NDArray[Any], *, folds: int = 5, seed: int = 0) -> float:
    """Share of the variance of ``y`` that a linear map of ``x`` predicts for rows on which it was not fitted.

    Args:
        x: [n, d].
        y: [n, k]; its columns are not standardised.
        folds: number of folds; the penalty is chosen inside each.
        seed: seed of the folds.

    Returns:
        At most 1; about 0, or slightly below, if ``x`` has no information about ``y``; 0 for a constant ``y``.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    fold = np.random.default_rng(seed).permutation(len(x)) % folds
    missed = total = 0.0
    for out in range(folds):
        test = fold == out
        model = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES)).fit(x[~test], y[~test])
        missed += float(np.square(y[test] - model.predict(x[test])).sum())
        total += float(np.square(y[test] - y[~test].mean(0)).sum())
    return 1 - missed / total if total > 1e-12 * max(1.0, float(np.square(y).sum())) else 0.0


def linear_gap(E_C: NDArray[Any], E_L: NDArray[Any]) -> float:
    """Share of the unit rows of E_C that no linear map of E_L predicts: 0 if E_C is a map of the text, at most 1.

    This is the gap of the theorem, measured in the same way for every method, independent of its own projectors. At
    zero, the encoders f = E_C and g = a linear map of the text are equal.

    Args:
        E_C: [n, d_C].
        E_L: [n, d_L], the same entities.
    """
    lengths = np.linalg.norm(E_C, axis=1, keepdims=True)
    unit = np.divide(E_C, lengths, out=np.zeros_like(E_C), where=lengths > 0)
    return float(np.clip(1 - linear_r2(E_L, unit), 0.0, 1.0))
