from __future__ import annotations

import numpy as np
import pytest
from distributions import joints
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.errors import DataError
from darec.theory.information import (
    Joint,
    conditional_entropy,
    entropy,
    informations,
    mutual_information,
)


def test_closed_forms() -> None:
    assert entropy([0.5, 0.5]) == pytest.approx(np.log(2), abs=1e-15)
    assert entropy([1.0, 0.0]) == 0
    flip = 0.1  # a binary symmetric channel: I = log 2 - h(flip)
    channel = np.array([[1 - flip, flip], [flip, 1 - flip]]) / 2
    h = -flip * np.log(flip) - (1 - flip) * np.log(1 - flip)
    assert mutual_information(channel) == pytest.approx(np.log(2) - h, abs=1e-15)
    assert conditional_entropy(channel) == pytest.approx(h, abs=1e-15)
    assert conditional_entropy(np.diag([0.3, 0.7])) == 0
    assert mutual_information(np.outer([0.3, 0.7], [0.1, 0.9])) == pytest.approx(0, abs=1e-16)


def test_probabilities_whose_product_underflows() -> None:
    tiny = 1e-200
    p = np.array([[tiny, 0], [0, 1 - tiny]])
    assert mutual_information(p) == pytest.approx(-tiny * np.log(tiny), rel=1e-9)


def test_an_independent_formula_agrees() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(24)).reshape(3, 4, 2)
    found = informations(Joint(p))
    H_D, H_D_Y = entropy(p.sum((1, 2))), entropy(p.sum(1))
    assert pytest.approx(H_D + found.H_Y - H_D_Y, abs=1e-14) == found.I_D
    assert found.I_both == pytest.approx(entropy(p.sum(2)) + found.H_Y - entropy(p), abs=1e-14)
    assert found.cross_entropy == pytest.approx(entropy(p) - entropy(p.sum(2)), abs=1e-14)
    assert found.delta_p == abs(found.I_D - found.I_D_prime)


@settings(max_examples=300, deadline=None)
@given(joints())
def test_bounds_and_chain_rules(joint: Joint) -> None:
    found = informations(joint)
    for value in (found.I_D, found.I_D_prime):
        assert 0 <= value <= found.I_both + 1e-12
    assert found.only_D > -1e-12 and found.only_D_prime > -1e-12
    assert 0 <= found.cross_entropy <= found.H_Y + 1e-12
    assert found.H_Y - found.cross_entropy == pytest.approx(found.I_both, abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(joints(), st.integers(0, 2**32 - 1))
def test_data_processing(joint: Joint, seed: int) -> None:
    """A source passed through any channel, deterministic or noisy, tells no more."""
    rng = np.random.default_rng(seed)
    n = len(joint.p)
    channel = (
        rng.dirichlet(np.full(3, 0.3), size=n) if seed % 2 else np.eye(3)[rng.integers(3, size=n)]
    )
    passed = np.einsum("dey,dz->zey", joint.p, channel)
    before, after = informations(joint), informations(Joint(passed))
    assert after.I_D <= before.I_D + 1e-12
    assert after.I_both <= before.I_both + 1e-12
    assert after.I_D_prime == pytest.approx(before.I_D_prime, abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([[[0.5, 0.6], [-0.1, 0.0]]], r"\[0, 1, 0\] is negative \(-0.1\)"),
        ([[[0.5, np.nan]]], r"\[0, 0, 1\] is NaN"),
        ([[[0.5, np.inf]]], r"\[0, 0, 1\] is infinite"),
        ([[[0.5, 0.4]]], "sum to 0.9, not to 1"),
        ([[[0.0, 0.0]]], "sum to 0, not to 1"),
        ([[0.5, 0.5]], "three axes .* this one has 2"),
        (1.0, "three axes .* this one has 0"),
        (np.zeros((2, 0, 2)), r"shape \[2, 0, 2\] is empty"),
        ([[[0.5, 0.5]], [[0.0]]], "array of numbers"),
        ([[["a", "b"]]], "array of numbers"),
        ({"p": 1}, "array of numbers"),
    ],
)
def test_what_is_no_distribution_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Joint(wrong)  # type: ignore[arg-type]


def test_a_joint_cannot_be_changed_and_changes_nothing() -> None:
    given = np.array([[[0.5, 0.5 + 1e-12]]])
    joint = Joint(given)
    assert joint.p.sum() == pytest.approx(1, abs=1e-15) and given[0, 0, 1] == 0.5 + 1e-12
    with pytest.raises(ValueError, match="read-only"):
        joint.p[0, 0, 0] = 1
