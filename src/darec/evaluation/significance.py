"""Whether two runs differ beyond chance, from their values for the same users.

The difference is the mean over users of a - b. :func:`paired_bootstrap` gives it an interval,
:func:`permutation_test` a p-value under the hypothesis that the two runs are exchangeable, and :func:`holm` corrects
p-values where several comparisons are made. Both tests treat users as the sample: they do not cover the variation
between training seeds, which :func:`student_half_width` measures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from darec.errors import ConfigError, DataError
from darec.evaluation.metrics import Values
from darec.evaluation.result import Evaluation

_CHUNK: Final = 1 << 22  # number of draws in memory at once
_ROUNDING: Final = 1e-12  # sums that are equal in exact arithmetic count as equal


@dataclass(frozen=True)
class PairedTest:
    """The difference of two runs in one metric.

    Attributes:
        difference: mean of a - b over users.
        low: lower end of the bootstrap interval of the difference.
        high: upper end.
        p_value: two-sided.
        n_users: users compared.
    """

    difference: float
    low: float
    high: float
    p_value: float
    n_users: int


def paired_bootstrap(
    a: Values, b: Values, *, n_resamples: int = 10_000, seed: int = 0, confidence: float = 0.95
) -> PairedTest:
    """Percentile interval of the mean difference, users resampled with replacement (Efron, 1979).

    The p-value is that of the smallest interval, two-sided, that reaches zero; it agrees with the interval and is
    at least 2 / (n_resamples + 1).

    Args:
        a: [n] values of one run.
        b: [n] values of the other, for the same users in the same order.
        n_resamples: number of resamples.
        seed: seed of the draws.
        confidence: level of the interval, in 0..1.

    Raises:
        ConfigError: the confidence is outside 0..1, or there is less than one resample.
        DataError: the arrays have different lengths or no entries, or one has NaN.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence {confidence}: must be between 0 and 1.")
    difference = _differences(a, b, n_resamples)
    n = len(difference)
    generator = np.random.Generator(np.random.SFC64(seed))
    # Users without a difference contribute nothing, so only the number of the others in a resample is drawn.
    nonzero = difference[difference != 0]
    rows = max(1, _CHUNK // max(len(nonzero), 1))
    sums = np.zeros(n_resamples)
    for start in range(0, n_resamples if len(nonzero) else 0, rows):
        chunk = sums[start : start + rows]
        sizes = generator.binomial(n, len(nonzero) / n, size=len(chunk))
        drawn = nonzero.take(generator.integers(len(nonzero), size=sizes.sum()))
        starts = np.cumsum(sizes) - sizes
        chunk[:] = np.where(sizes > 0, np.add.reduceat(np.append(drawn, 0.0), starts), 0.0)
    means = sums / n
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    rounding = _ROUNDING * np.abs(difference).mean()
    tail = min((means <= rounding).sum(), (means >= -rounding).sum())
    p_value = min(1.0, 2 * (1 + int(tail)) / (n_resamples + 1))
    return PairedTest(float(difference.mean()), float(low), float(high), p_value, n)


def permutation_test(a: Values, b: Values, *, n_resamples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value of the mean difference under random swaps of a and b, user by user (Fisher, 1935).

    It is exact, by enumeration, if there are at most ``n_resamples`` ways to swap the users whose values differ.
    Otherwise it uses that many random ways, and is then at least 1 / (n_resamples + 1). Args and errors as
    :func:`paired_bootstrap`.
    """
    difference = _differences(a, b, n_resamples)
    difference = difference[difference != 0]  # swapping equal values changes nothing
    n = len(difference)
    exact = n < 63 and 2**n <= n_resamples
    n_swaps = 2**n if exact else n_resamples
    generator = np.random.Generator(np.random.SFC64(seed))
    observed = abs(difference.sum()) - _ROUNDING * np.abs(difference).sum()
    extreme = 0
    rows = max(1, _CHUNK // max(n, 1))
    for start in range(0, n_swaps, rows):
        size = min(rows, n_swaps - start)
        if exact:
            swapped = (np.arange(start, start + size)[:, None] >> np.arange(n) & 1).astype(bool)
        else:
            packed = generator.integers(256, size=(size, -(-n // 8)), dtype=np.uint8)
            swapped = np.unpackbits(packed, axis=1, count=n).astype(bool)
        sums = difference.sum() - 2 * (swapped @ difference)
        extreme += int((np.abs(sums) >= observed).sum())
    return extreme / n_swaps if exact else (1 + extreme) / (1 + n_swaps)


def compare(
    a: Evaluation,
    b: Evaluation,
    metric: str = "recall@20",
    *,
    test: Literal["bootstrap", "permutation"] = "bootstrap",
    n_resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> PairedTest:
    """Compare two evaluations of one problem, user by user.

    Args:
        a: one run.
        b: the other; a positive difference means that ``a`` is higher.
        metric: a name of :meth:`Evaluation.names`, of all users or of a group.
        test: the test of the p-value; the interval is always the bootstrap's.
        n_resamples: number of resamples of each test.
        seed: seed of the draws.
        confidence: level of the interval.

    Raises:
        ConfigError: one of them lacks the metric, or the test is unknown.
        DataError: users, targets, masks or groups differ.
    """
    if test not in ("bootstrap", "permutation"):
        raise ConfigError(f"unknown test {test!r}: choose bootstrap or permutation.")
    only_a, only_b = np.setdiff1d(a.users, b.users), np.setdiff1d(b.users, a.users)
    if len(only_a) or len(only_b):
        raise DataError(
            f"the evaluations cover different users: {_some(only_a)} only in the first, "
            f"{_some(only_b)} only in the second. Compare runs on one split of one dataset."
        )
    if a.problem != b.problem:
        raise DataError(
            "the evaluations looked for different items or excluded different ones: "
            "compare runs on one split of one dataset with one mask."
        )
    values_a, values_b = (
        a.values(metric)[np.argsort(a.users)],
        b.values(metric)[np.argsort(b.users)],
    )
    counted = ~np.isnan(values_a)
    if (counted == np.isnan(values_b)).any():
        raise DataError(f"{metric} counts different users in the two: evaluate with equal groups.")
    if not counted.any():
        raise DataError(f"{metric} counts no user: there is nothing to compare.")
    values_a, values_b = values_a[counted], values_b[counted]
    result = paired_bootstrap(
        values_a, values_b, n_resamples=n_resamples, seed=seed, confidence=confidence
    )
    if test == "bootstrap":
        return result
    p_value = permutation_test(values_a, values_b, n_resamples=n_resamples, seed=seed)
    return PairedTest(result.difference, result.low, result.high, p_value, result.n_users)


def holm(p_values: Sequence[float] | Values) -> Values:
    """Adjusted p-values, in the order given: reject those below the level (Holm, 1979).

    It controls the probability of any false rejection among all comparisons, for any dependence.

    Raises:
        DataError: a p-value outside 0..1.
    """
    p = np.asarray(p_values, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"p-values must be in 0..1, not {p.tolist()}.")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def student_half_width(values: Sequence[float] | Values, confidence: float = 0.95) -> float | None:
    """Half of Student's interval of the mean of a few observations (one for each seed); None for a single one."""
    from scipy import stats

    n = len(values)
    if n < 2:
        return None
    sd = float(np.std(np.asarray(values, np.float64), ddof=1))
    return float(stats.t.ppf((1 + confidence) / 2, n - 1)) * sd / math.sqrt(n)


def _differences(a: Values, b: Values, n_resamples: int) -> Values:
    if n_resamples < 1:
        raise ConfigError(f"{n_resamples} resamples: must be at least 1.")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise DataError(
            f"paired values must be two arrays of one length, at least 1, not {a.shape} and {b.shape}."
        )
    for name, values in (("first", a), ("second", b)):
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).argmax())
            raise DataError(
                f"the {name} run has NaN or infinity at position {row}: evaluate it again."
            )
    return a - b


def _some(rows: NDArray[np.integer]) -> str:
    """A count with the first few rows."""
    shown = ", ".join(map(str, rows[:3].tolist()))
    return f"{len(rows)} (rows {shown}{', ...' if len(rows) > 3 else ''})" if len(rows) else "none"
