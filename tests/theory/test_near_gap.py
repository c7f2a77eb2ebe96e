from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from distributions import joints
from hypothesis import given, settings
from numpy.typing import NDArray

from darec.errors import DataError
from darec.theory.information import Joint, conditional_entropy, informations
from darec.theory.near_gap import bell, fano_bound, partitions, trade_off
from darec.theory.worlds import leaky, mixed
from darec.theory.zero_gap import zero_gap


def all_pairs(p: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Disagreement and cross-entropy of every pair of maps into n + m labels, in the plainest way."""
    n, m, k = p.shape
    found = []
    for f in product(range(n), repeat=n):  # n blocks at most, and their names are free
        for g in product(range(n + m), repeat=m):
            table = np.zeros((n, n + m, k))
            for d, e in product(range(n), range(m)):
                table[f[d], g[e]] += p[d, e]
            pairs = table.sum(2)
            differ = pairs.sum() - np.trace(pairs[:, :n])
            found.append((float(differ), conditional_entropy(table.reshape(-1, k))))
    return found


@pytest.mark.parametrize("shape", [(1, 2, 2), (2, 2, 2), (2, 3, 2), (3, 2, 3), (3, 3, 2)])
def test_the_curve_is_the_border_of_all_encoder_pairs(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(sum(shape))
    for sparsity in (0.0, 0.5):
        p = rng.random(shape) * (rng.random(shape) >= sparsity)
        p[0, 0, 0] += 0.1
        joint = Joint(p / p.sum())
        curve, everything = trade_off(joint), all_pairs(joint.p)
        for pair in curve.pareto:  # each point exists ...
            assert any(
                abs(x - pair.disagreement) < 1e-9 and abs(y - pair.cross_entropy) < 1e-9
                for x, y in everything
            )
        for x, y in everything:  # ... and none is below the border or its hull
            reached = min(e.cross_entropy for e in curve.pareto if e.disagreement <= x + 1e-9)
            assert y >= reached - 1e-9
            assert y >= curve.cross_entropy(min(1.0, max(0.0, x))) - 1e-9


@settings(max_examples=80, deadline=None)
@given(joints(most=4))
def test_ends_shape_and_fano(joint: Joint) -> None:
    curve, zero, found = trade_off(joint), zero_gap(joint), informations(joint)
    assert curve.pareto[0].disagreement == 0
    assert curve.pareto[0].cross_entropy == pytest.approx(zero.cross_entropy, abs=1e-9)
    assert curve.pareto[-1].cross_entropy == pytest.approx(zero.best, abs=1e-9)
    prices = np.array(curve.prices)
    assert (prices > 0).all() and (np.diff(prices) <= 1e-6 * prices[:-1]).all()
    for pair in curve.pareto:
        labels = len({*pair.f, *pair.g} - {-1})
        bound = fano_bound(found.delta_p, pair.disagreement, labels)
        assert pair.cross_entropy - zero.best >= bound - 1e-9


@settings(max_examples=60, deadline=None)
@given(joints(most=3))
def test_encoders_achieve_what_they_claim(joint: Joint) -> None:
    for pair in trade_off(joint).pareto:
        f, g = np.array(pair.f), np.array(pair.g)
        pairs = joint.p.sum(2)
        assert (f[pairs.sum(1) > 0] >= 0).all() and (g[pairs.sum(0) > 0] >= 0).all()
        differ = pairs[np.not_equal.outer(f, g)].sum()
        assert differ == pytest.approx(pair.disagreement, abs=1e-12)


def test_a_little_disagreement_can_be_worth_everything() -> None:
    curve = trade_off(leaky())
    assert curve.cross_entropy(0) == pytest.approx(np.log(2), abs=1e-12)
    assert curve.cross_entropy(0.01) == pytest.approx(0, abs=1e-12)
    assert curve.prices == (pytest.approx(np.log(2) / 0.01),)


def test_the_best_pair_under_a_penalty_is_where_the_price_falls_below_it() -> None:
    curve = trade_off(mixed())
    for weight in (0.01, 0.345, 0.5, 2.0):
        best = min(curve.pareto, key=lambda e: e.cross_entropy + weight * e.disagreement)
        assert best == curve.hull[sum(price > weight for price in curve.prices)]


def test_partitions_are_counted_by_bell() -> None:
    for n, expected in enumerate([1, 1, 2, 5, 15, 52, 203, 877]):
        assert bell(n) == expected
        assert len({tuple(p.tolist()) for p in partitions(n)}) == expected


def test_too_many_pairs_and_no_probability_are_refused() -> None:
    with pytest.raises(DataError, match=r"7 x 7 values have 769,129 pairs .* at most 50,000"):
        trade_off(Joint(np.full((7, 7, 1), 1 / 49)))
    with pytest.raises(DataError, match=r"disagreement 1\.5"):
        trade_off(leaky()).cross_entropy(1.5)
