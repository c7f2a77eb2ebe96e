from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from distributions import KINDS, draw_joint, joints
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from darec.theory.information import Joint, conditional_entropy, entropy, informations
from darec.theory.worlds import WORLDS
from darec.theory.zero_gap import common_part, zero_gap


@cache
def encoder_pairs(n: int, m: int) -> list[tuple[tuple[int, ...], tuple[int, ...], Any]]:
    """Every pair of maps into max(n, m) labels, and where they agree."""
    labels = range(max(n, m))
    pairs = product(product(labels, repeat=n), product(labels, repeat=m))
    return [(f, g, np.equal.outer(f, g)) for f, g in pairs]


def brute_force(p: NDArray[np.float64]) -> float:
    """The least H(Y|f(D),g(D')) over all pairs of maps with f(D) = g(D') wherever p(d, d') > 0."""
    n, m, _ = p.shape
    never = p.sum(2) == 0
    best = np.inf
    for f, g, agree in encoder_pairs(n, m):
        if (agree | never).all():
            table: dict[tuple[int, int], NDArray[np.float64]] = {}
            for d, e in product(range(n), range(m)):
                table[f[d], g[e]] = table.get((f[d], g[e]), 0) + p[d, e]
            best = min(best, conditional_entropy(np.array(list(table.values()))))
    return best


@pytest.mark.parametrize(("n", "m", "k"), list(product((1, 2, 3), (1, 2, 3), (1, 2))))
def test_every_support_of_small_alphabets_agrees_with_brute_force(n: int, m: int, k: int) -> None:
    """All 2^(n m) - 1 supports of (D, D')."""
    rng = np.random.default_rng(n * 10 + m)
    for bits in range(1, 2 ** (n * m)):
        support = np.array([bits >> i & 1 for i in range(n * m)]).reshape(n, m)
        p = support[:, :, None] * rng.dirichlet(np.ones(k), size=(n, m)) * rng.random((n, m, 1))
        joint = Joint(p / p.sum())
        assert zero_gap(joint).cross_entropy == pytest.approx(brute_force(joint.p), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(joints())
def test_the_theorem(joint: Joint) -> None:
    check_theorem(joint)


@pytest.mark.parametrize("kind", KINDS)
def test_the_theorem_over_thousands(kind: str) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    for _ in range(800):
        shape = (int(rng.integers(1, 6)), int(rng.integers(1, 6)), int(rng.integers(1, 5)))
        check_theorem(draw_joint(rng, shape, kind))


def check_theorem(joint: Joint) -> None:
    found = zero_gap(joint)
    assert found.loss >= found.bound - 1e-12
    assert found.weaker_adds > -1e-12 and found.weaker_beyond > -1e-12
    assert abs(found.slack - found.weaker_adds - found.weaker_beyond) < 1e-12
    assert found.best - 1e-12 <= found.cross_entropy <= entropy(joint.p.sum((0, 1))) + 1e-12
    if found.n_components == 1:
        assert abs(found.loss - informations(joint).I_both) < 1e-12


@settings(max_examples=200, deadline=None)
@given(joints(), st.integers(0, 2**32 - 1))
def test_names_do_not_matter(joint: Joint, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shuffled = joint.p[np.ix_(*(rng.permutation(n) for n in joint.p.shape))]
    sides_swapped = joint.p.swapaxes(0, 1)
    for other in (shuffled, sides_swapped):
        a, b = zero_gap(joint), zero_gap(Joint(other))
        for name in ("cross_entropy", "best", "bound", "weaker_adds", "weaker_beyond"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-12)
        assert a.n_components == b.n_components


@settings(max_examples=200, deadline=None)
@given(joints(), st.integers(0, 2**32 - 1))
def test_equality_where_the_weaker_source_is_part_of_the_stronger(joint: Joint, seed: int) -> None:
    """D = (D', A): the bound is the whole loss, whatever A and Y."""
    n, m, k = joint.p.shape
    p = np.zeros((m, n, m, k))  # d' x a x d'
    for d_prime in range(m):
        p[d_prime, :, d_prime] = joint.p[:, d_prime]
    found = zero_gap(Joint(p.reshape(m * n, m, k)))
    assert found.slack == pytest.approx(0, abs=1e-12)
    assert found.loss == pytest.approx(found.bound, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(joints())
def test_no_loss_where_the_target_is_in_the_common_part(joint: Joint) -> None:
    """Y made anew from K alone: alignment is free and the bound says so."""
    common = common_part(joint)
    rng = np.random.default_rng(0)
    of_K = rng.dirichlet(
        np.ones(3), size=common.n + 1
    )  # the last row is for -1, values that never occur
    p = joint.p.sum(2)[:, :, None] * of_K[common.D][:, None, :]
    found = zero_gap(Joint(p))
    assert found.loss == pytest.approx(0, abs=1e-12) and found.bound == pytest.approx(0, abs=1e-12)


def test_components_by_hand() -> None:
    p = np.zeros((4, 4, 1))
    for d, e in [(0, 1), (2, 1), (2, 3), (3, 0)]:  # d = 1 and d' = 2 never occur
        p[d, e] = 1 / 4
    found = common_part(Joint(p))
    assert found.n == 2
    assert found.D.tolist() == [0, -1, 0, 1]
    assert found.D_prime.tolist() == [1, 0, -1, 0]


def test_the_named_worlds_are_what_they_say() -> None:
    found = {name: zero_gap(make()) for name, make in WORLDS.items()}
    log2 = np.log(2)
    assert found["nested"].slack == pytest.approx(0, abs=1e-15)
    assert found["nested"].loss > 0.2
    assert found["nuisance"].loss == found["nuisance"].cross_entropy == 0
    assert found["specific"].bound == pytest.approx(0, abs=1e-15)
    assert found["specific"].loss > 0.1
    assert (found["xor"].bound, found["xor"].loss) == (0, pytest.approx(log2, abs=1e-15))
    h = -0.01 * np.log(0.01) - 0.99 * np.log(0.99)
    assert found["leaky"].bound == pytest.approx(h, abs=1e-15)
    assert found["leaky"].loss == pytest.approx(log2, abs=1e-15)


def test_a_large_world_takes_linear_time() -> None:
    """A chain through 2000 x 2000 values has one component, in far less than the n^3 of a closure."""
    n = 2000
    p = np.zeros((n, n, 1))
    p[np.arange(n), np.arange(n)] = 1
    p[np.arange(n - 1), np.arange(1, n)] = 1
    assert zero_gap(Joint(p / p.sum())).n_components == 1
