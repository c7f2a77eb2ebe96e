"""A finite joint distribution of two sources and a target, and the information of the sources about the target.

Everything is in nats and float64. Where possible, sums have terms of one sign. A probability of zero contributes
exactly nothing, so that deterministic worlds give exact zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from darec.errors import DataError

Probabilities = NDArray[np.float64]

_TOLERANCE: Final = (
    1e-9  # largest distance of the sum from 1, which covers rounding in a large array
)


@dataclass(frozen=True, init=False, eq=False)
class Joint:
    """A checked distribution p(d, d', y).

    Attributes:
        p: [n_D, n_D', n_Y] float64, non-negative, summing to 1: D are the interactions, D' the text, Y the target.

    Raises:
        DataError: the array is not such a distribution; the message says what is wrong and at which index.
    """

    p: Probabilities

    def __init__(self, p: ArrayLike) -> None:
        object.__setattr__(self, "p", _checked(p))

    @property
    def of_D(self) -> Probabilities:
        """p(d, y), [n_D, n_Y]."""
        return np.asarray(self.p.sum(1))

    @property
    def of_D_prime(self) -> Probabilities:
        """p(d', y), [n_D', n_Y]."""
        return np.asarray(self.p.sum(0))

    @property
    def of_both(self) -> Probabilities:
        """p((d, d'), y), [n_D * n_D', n_Y]."""
        return self.p.reshape(-1, self.p.shape[2])


@dataclass(frozen=True)
class Informations:
    """The information of the sources about the target, in nats.

    Attributes:
        H_Y: entropy of the target: the best cross-entropy without any source.
        I_D: I(D;Y).
        I_D_prime: I(D';Y).
        I_both: I(D,D';Y).
        cross_entropy: H(Y|D,D'), the best cross-entropy of a predictor that sees both sources.
    """

    H_Y: float
    I_D: float
    I_D_prime: float
    I_both: float
    cross_entropy: float

    @property
    def delta_p(self) -> float:
        """The information gap |I(D;Y) - I(D';Y)|."""
        return abs(self.I_D - self.I_D_prime)

    @property
    def only_D(self) -> float:
        """I(D;Y|D'): the information of the interactions if the text is known."""
        return self.I_both - self.I_D_prime

    @property
    def only_D_prime(self) -> float:
        """I(D';Y|D): the information of the text if the interactions are known."""
        return self.I_both - self.I_D


def informations(joint: Joint) -> Informations:
    """Entropies and informations of a joint distribution; O(n_D n_D' n_Y) time."""
    return Informations(
        H_Y=entropy(joint.p.sum((0, 1))),
        I_D=mutual_information(joint.of_D),
        I_D_prime=mutual_information(joint.of_D_prime),
        I_both=mutual_information(joint.of_both),
        cross_entropy=conditional_entropy(joint.of_both),
    )


def entropy(p: ArrayLike) -> float:
    """Entropy in nats of probabilities in an array of any shape."""
    return float(entr(np.asarray(p, np.float64)).sum())


def conditional_entropy(p: Probabilities) -> float:
    """H(Y|X) in nats, exactly 0 if X determines Y.

    Args:
        p: [n_X, n_Y] joint probabilities.
    """
    rows = p.sum(1, keepdims=True)
    # The ratio is exactly 1 if X determines Y, and a logarithm of 1 is exactly 0.
    ratio = np.divide(p, rows, out=np.ones_like(p), where=p > 0)
    return float(-(p * np.log(ratio)).sum()) + 0.0


def mutual_information(p: Probabilities) -> float:
    """I(X;Y) in nats, at least 0.

    Args:
        p: [n_X, n_Y] joint probabilities.
    """
    marginal = p.sum(0)
    seen = p > 0
    # Separate logarithms, because the product of two small marginals may underflow.
    log_rows, log_columns = (np.log(np.where(m > 0, m, 1.0)) for m in (p.sum(1), marginal))
    terms = p * (np.log(np.where(seen, p, 1.0)) - log_rows[:, None] - log_columns[None, :])
    return max(0.0, float(terms[seen].sum()))


def _checked(p: Any) -> Probabilities:
    try:
        values = np.array(p, np.float64)
    except (TypeError, ValueError):
        raise DataError(
            "a distribution p(d, d', y) must be an array of numbers, all rows of one length."
        ) from None
    if values.ndim != 3:
        raise DataError(
            f"a distribution p(d, d', y) has three axes (interactions, text, target); this one has {values.ndim}."
        )
    if not values.size:
        raise DataError(
            f"a distribution of shape {list(values.shape)} is empty: every axis needs a value."
        )
    for name, wrong in (
        ("NaN", np.isnan(values)),
        ("infinite", np.isinf(values)),
        ("negative", values < 0),
    ):
        if wrong.any():
            where = np.argwhere(wrong)[0].tolist()
            raise DataError(
                f"the probability at {where} is {name} ({values[tuple(where)]:g}): give numbers from 0 to 1."
            )
    total = values.sum()
    if abs(total - 1) > _TOLERANCE:
        raise DataError(
            f"the probabilities sum to {total:.12g}, not to 1: divide counts or weights by their sum."
        )
    values /= total
    values.setflags(write=False)
    return values
