"""Partial alignment: the exact trade-off of disagreement and cross-entropy, for small alphabets.

Encoders f and g label the values of the two sources; their *disagreement* is P(f(D) != g(D')), half the mean squared
distance of one-hot representations. The predictor sees both labels, so its best cross-entropy is H(Y|f(D),g(D')),
which depends only on the two partitions and not on the labels. The labels decide only the disagreement, which is least
if blocks are matched by a maximum-weight assignment. So all encoder pairs of any number of labels are covered by
Bell(n_D) * Bell(n_D') assignments.

Randomised encoders (with shared or private randomness) cannot be better than the lower convex hull of the deterministic
pairs, because knowing the randomness can only help the predictor. Shared randomness that the predictor knows attains
the hull.

Fano's inequality extends the theorem to this case: with m labels and disagreement e, I(f,g;Y) is at most I(W;Y) plus
the entropy of the other label given W's, and therefore loss >= delta_p - h(e) - e log(m - 1), h the binary entropy
(:func:`fano_bound`).

Real-valued representations are different. Without a limit on the predictor's resolution a distance has no meaning: f
and g can be injective and arbitrarily close, so that the least cross-entropy at any positive mean squared distance is
H(Y|D,D'). The theorem says nothing there; ``darec theory sweep`` measures what happens in training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import comb
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from darec.errors import DataError
from darec.theory.information import Joint, Probabilities, conditional_entropy, entropy
from darec.theory.zero_gap import common_part, zero_gap
from darec.types import IntArray

MAX_PAIRS: Final = 50_000
"""Default limit of :func:`trade_off` on pairs of partitions: 6 x 6 values have 41,209 and take a few seconds."""
_EQUAL: Final = 1e-12  # cross-entropies nearer than this are equal
_STRAIGHT: Final = 1 - 1e-9  # corners whose two prices are nearer than this are not corners


@dataclass(frozen=True)
class Encoders:
    """A pair of encoders with its disagreement and cross-entropy.

    Attributes:
        disagreement: P(f(D) != g(D')).
        cross_entropy: H(Y|f(D),g(D')) in nats.
        f: label of each value of D.
        g: label of each value of D'.
    """

    disagreement: float
    cross_entropy: float
    f: tuple[int, ...]
    g: tuple[int, ...]


@dataclass(frozen=True)
class TradeOff:
    """The exact trade-off curve of a world.

    Attributes:
        pareto: the undominated deterministic pairs, disagreement ascending and cross-entropy descending; the first
            has disagreement 0 and cross-entropy H(Y|K), the last H(Y|D,D').
        n_pairs: number of enumerated pairs of partitions.
    """

    pareto: tuple[Encoders, ...]
    n_pairs: int

    @property
    def hull(self) -> tuple[Encoders, ...]:
        """The pairs at the corners of the lower convex hull."""
        corners: list[Encoders] = []
        for point in self.pareto:
            while len(corners) > 1 and _price(corners[-1], point) >= _STRAIGHT * _price(
                *corners[-2:]
            ):
                corners.pop()
            corners.append(point)
        return tuple(corners)

    @property
    def prices(self) -> tuple[float, ...]:
        """Nats saved for each unit of disagreement, between neighbouring corners of the hull; descending.

        With a penalty of ``weight * disagreement`` on the cross-entropy, the best pair is the corner at which the
        price falls below the weight: a weight above the first price aligns exactly, one below the last loses nothing.
        """
        corners = self.hull
        return tuple(_price(a, b) for a, b in pairwise(corners))

    def cross_entropy(self, disagreement: float) -> float:
        """The least cross-entropy of any encoders, including randomised ones, with at most this disagreement."""
        if not 0 <= disagreement <= 1:
            raise DataError(f"disagreement {disagreement:g}: give a probability, from 0 to 1.")
        corners = self.hull
        x, y = ([getattr(c, name) for c in corners] for name in ("disagreement", "cross_entropy"))
        return float(np.interp(disagreement, x, y))


def trade_off(
    joint: Joint,
    *,
    max_pairs: int = MAX_PAIRS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> TradeOff:
    """The trade-off curve by enumeration of all pairs of partitions.

    Args:
        joint: the world; values of probability zero are left out, and their labels are -1.
        max_pairs: refuse more pairs than this.
        on_progress: called from time to time with the number of finished pairs and of all pairs.

    Raises:
        DataError: there are more pairs than ``max_pairs``.
    """
    pairs = joint.p.sum(2)
    kept, kept_ = np.flatnonzero(pairs.sum(1)), np.flatnonzero(pairs.sum(0))
    p = joint.p[np.ix_(kept, kept_)]
    total = bell(len(kept)) * bell(len(kept_))
    if total > max_pairs:
        raise DataError(
            f"{len(kept)} x {len(kept_)} values have {total:,} pairs of partitions and at most {max_pairs:,} are "
            "enumerated: merge values, or raise max_pairs."
        )
    all_D_prime = list(partitions(len(kept_)))
    # Exact alignment is computed by its own formula, because rounding errors could hide small probabilities.
    common = common_part(Joint(p))
    found = [
        Encoders(
            0.0,
            zero_gap(joint).cross_entropy,
            tuple(common.D.tolist()),
            tuple(common.D_prime.tolist()),
        )
    ]
    done = 0
    for f in partitions(len(kept)):
        of_f = _merged(p, f)
        for g in all_D_prime:
            table = _merged(of_f.swapaxes(0, 1), g).swapaxes(0, 1)
            found.append(_matched(table, f, g))
        done += len(all_D_prime)
        on_progress(done, total)
    sizes = joint.p.shape[:2]
    return TradeOff(tuple(_spread(e, (kept, kept_), sizes) for e in _undominated(found)), total)


def fano_bound(delta_p: float, disagreement: float, n_labels: int) -> float:
    """A lower bound on the loss of any encoders with a number of labels and a disagreement, in nats.

    It is ``delta_p`` at zero disagreement, as in the theorem, less at larger disagreement, and never below zero.
    """
    wrong = disagreement
    fano = entropy([wrong, 1 - wrong]) + (wrong * np.log(n_labels - 1) if n_labels > 1 else 0.0)
    return max(0.0, delta_p - float(fano))


def partitions(n: int) -> Iterator[IntArray]:
    """All partitions of n values, each as the block of every value (restricted growth strings)."""

    def grown(blocks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(blocks) == n:
            yield blocks
            return
        for block in range(max(blocks, default=-1) + 2):
            yield from grown((*blocks, block))

    for blocks in grown(()):
        yield np.array(blocks, np.int64)


def bell(n: int) -> int:
    """Number of partitions of n values."""
    numbers = [1]
    for size in range(n):
        numbers.append(sum(comb(size, k) * numbers[k] for k in range(size + 1)))
    return numbers[n]


def _merged(p: Probabilities, blocks: IntArray) -> Probabilities:
    """Sum the first axis over the members of each block."""
    return np.tensordot(np.eye(blocks.max() + 1)[blocks], p, axes=(0, 0))


def _matched(table: Probabilities, f: IntArray, g: IntArray) -> Encoders:
    """The pair of partitions with the labels that agree most. ``table``: [blocks of f, blocks of g, n_Y]."""
    weights = table.sum(2)
    rows, columns = linear_sum_assignment(weights, maximize=True)
    # Blocks of g without a partner get labels that f does not use.
    labels = np.arange(weights.shape[1]) + weights.shape[0]
    labels[columns] = rows
    cross_entropy = conditional_entropy(table.reshape(-1, table.shape[2]))
    weights[rows, columns] = (
        0.0  # the remaining entries are summed directly, so that an aligned pair gives exactly 0
    )
    return Encoders(
        float(weights.sum()), cross_entropy, tuple(f.tolist()), tuple(labels[g].tolist())
    )


def _undominated(found: list[Encoders]) -> list[Encoders]:
    """The lower left border; of equal pairs (to 12 digits), the one with the fewest labels."""
    found.sort(
        key=lambda e: (
            float(f"{e.disagreement:.12g}"),
            round(e.cross_entropy, 12),
            len({*e.f, *e.g}),
        )
    )
    kept: list[Encoders] = []
    for pair in found:
        if not kept or pair.cross_entropy < kept[-1].cross_entropy - _EQUAL:
            kept.append(pair)
    return kept


def _spread(pair: Encoders, kept: tuple[IntArray, ...], sizes: tuple[int, ...]) -> Encoders:
    """The same pair with labels for all values, -1 for values that never occur."""
    labels = []
    for rows, n, of in zip(kept, sizes, (pair.f, pair.g), strict=True):
        full = np.full(n, -1)
        full[rows] = of
        labels.append(tuple(full.tolist()))
    return Encoders(pair.disagreement, pair.cross_entropy, labels[0], labels[1])


def _price(a: Encoders, b: Encoders) -> float:
    return (a.cross_entropy - b.cross_entropy) / (b.disagreement - a.disagreement)
