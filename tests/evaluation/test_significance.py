"""Intervals and p-values against theory, enumeration and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from darec.errors import ConfigError, DataError
from darec.evaluation import Evaluation, compare, holm
from darec.evaluation.significance import (
    paired_bootstrap,
    permutation_test,
    student_half_width,
)


def test_bootstrap_interval_is_normal_for_large_n():
    rng = np.random.default_rng(0)
    b = rng.random(4000)
    a = b + 0.01 + 0.2 * rng.standard_normal(4000) * (rng.random(4000) < 0.5)  # half without change
    a[:1000] = b[:1000]
    result = paired_bootstrap(a, b, n_resamples=4000, confidence=0.9)
    error = (a - b).std() / np.sqrt(4000)
    low, high = stats.norm.interval(0.9, (a - b).mean(), error)
    assert result.difference == pytest.approx((a - b).mean())
    assert result.low == pytest.approx(low, abs=0.1 * error)
    assert result.high == pytest.approx(high, abs=0.1 * error)
    assert (result.p_value < 0.1) == (result.low > 0)


def test_bootstrap_equals_the_exact_distribution_of_a_tiny_sample():
    a, b = np.array([1.0, 0.0, 0.0, 0.5]), np.array([0.0, 0.0, 0.25, 0.0])
    means = np.array([np.mean(draw) for draw in itertools.product(a - b, repeat=4)])
    result = paired_bootstrap(a, b, n_resamples=40_000, seed=1)
    # The lower end is an atom of the distribution; tails are shares of 256 equally likely samples.
    assert (result.low, result.high) == tuple(np.quantile(means, [0.025, 0.975]))
    assert result.p_value == pytest.approx(2 * (means <= 0).mean(), rel=0.05)


def test_bootstrap_draws_samples_without_any_user_that_differs():
    result = paired_bootstrap(np.array([1.0, 0, 0]), np.zeros(3))
    assert result.p_value == pytest.approx(2 * (2 / 3) ** 3, rel=0.05)
    assert result.low == 0


@pytest.mark.parametrize("n", [1, 4, 7, 10])
def test_permutation_is_exact_for_small_n(n):
    rng = np.random.default_rng(n)
    a, b = rng.integers(0, 5, (2, n)) / 10  # coarse values: sums tie and some differences are zero
    observed = abs(np.sum(a - b))
    sums = [
        abs(np.dot(signs, a - b)) >= observed - 1e-9
        for signs in itertools.product([1, -1], repeat=n)
    ]
    assert permutation_test(a, b) == pytest.approx(np.mean(sums), abs=1e-12)
    sampled = permutation_test(np.tile(a, 3), np.tile(b, 3), n_resamples=5000)
    tripled = np.tile(a - b, 3)
    if np.count_nonzero(tripled) > 12:
        signs = np.random.default_rng(1).choice([1, -1], (20_000, 3 * n))
        expected = (np.abs(signs @ tripled) >= abs(tripled.sum()) - 1e-9).mean()
        assert sampled == pytest.approx(expected, abs=0.03)


def test_equal_runs_do_not_differ():
    a = np.random.default_rng(0).random(50)
    result = paired_bootstrap(a, a, n_resamples=100)
    assert (result.difference, result.low, result.high, result.p_value) == (0, 0, 0, 1)
    assert permutation_test(a, a) == 1


def test_a_plain_difference_is_found_and_seeds_repeat():
    rng = np.random.default_rng(0)
    b = rng.random(500)
    a = b + 0.05 + 0.1 * rng.standard_normal(500)
    first = paired_bootstrap(a, b, n_resamples=999, seed=3)
    assert first == paired_bootstrap(a, b, n_resamples=999, seed=3)
    assert first != paired_bootstrap(a, b, n_resamples=999, seed=4)
    assert first.low > 0 and first.p_value == 2 / 1000
    assert permutation_test(a, b, n_resamples=999) == 1 / 1000


def test_calibrated_under_the_null():
    """Where a and b are exchangeable, 5% tests reject in about 5% of 400 worlds (2.8% to 7.7%)."""
    rng = np.random.default_rng(0)
    rejected = {"bootstrap": 0, "permutation": 0}
    for world in range(400):
        a, b = rng.random((2, 80)) < 0.3
        settings = {"n_resamples": 400, "seed": world}
        result = paired_bootstrap(a, b, **settings)
        rejected["bootstrap"] += result.p_value <= 0.05
        rejected["permutation"] += permutation_test(a, b, **settings) <= 0.05
    assert 11 <= rejected["permutation"] <= 31
    assert 11 <= rejected["bootstrap"] <= 36  # slightly liberal for 80 users, as theory has it


def test_holm_known_answer():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).tolist() == []
    with pytest.raises(DataError, match=r"0\.\.1"):
        holm([0.5, float("nan")])


def evaluation(users, values, **more):
    return Evaluation(np.array(users), {"recall@20": np.array(values, float)}, **more)


def test_compare_matches_users_by_row():
    a = evaluation([3, 1, 2], [0.3, 0.1, 0.2])
    b = evaluation([1, 2, 3], [0.0, 0.1, 0.2])
    for test in ("bootstrap", "permutation"):
        result = compare(a, b, test=test, n_resamples=200)
        assert result.difference == pytest.approx(0.1)
        assert result.low == pytest.approx(0.1) and result.n_users == 3
    assert compare(a, b, test="permutation").p_value == 2 / 8


def test_compare_leaves_out_users_that_neither_counts():
    a = evaluation([1, 2, 3], [0.5, np.nan, 0.5])
    b = evaluation([1, 2, 3], [0.0, np.nan, 0.5])
    assert compare(a, b, n_resamples=50).difference == 0.25
    with pytest.raises(DataError, match="counts different users"):
        compare(a, evaluation([1, 2, 3], [0, 0, 0]))
    with pytest.raises(DataError, match="no user"):
        compare(evaluation([1], [np.nan]), evaluation([1], [np.nan]))


def test_compare_refuses_what_is_not_paired():
    a = evaluation([1, 2], [0, 1])
    with pytest.raises(DataError, match=r"1 \(rows 2\) only in the first, 1 \(rows 7\) only in"):
        compare(a, evaluation([1, 7], [0, 1]))
    with pytest.raises(DataError, match="one mask"):
        compare(a, evaluation([1, 2], [0, 1], problem="another"))
    with pytest.raises(ConfigError, match="no metric 'ndcg@20'"):
        compare(a, a, "ndcg@20")
    with pytest.raises(ConfigError, match="unknown test"):
        compare(a, a, test="t")


def test_bad_values_are_refused():
    values = np.ones(3)
    with pytest.raises(DataError, match="one length"):
        paired_bootstrap(values, np.ones(2))
    with pytest.raises(DataError, match="second run has NaN or infinity at position 1"):
        permutation_test(values, np.array([1, np.nan, 1]))
    with pytest.raises(ConfigError, match="confidence 95"):
        paired_bootstrap(values, values, confidence=95)
    with pytest.raises(ConfigError, match="0 resamples"):
        paired_bootstrap(values, values, n_resamples=0)


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_students_interval_is_that_of_scipy(confidence: float):
    values = [0.1, 0.35, 0.2, 0.22]
    half = student_half_width(values, confidence)
    expected = stats.t.interval(confidence, 3, np.mean(values), stats.sem(values))
    assert (np.mean(values) - half, np.mean(values) + half) == pytest.approx(expected)
    assert student_half_width(values[:1]) is None
