from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from darec.compare.figures import Gain
from darec.compare.gains import correct, gain, gains_over
from darec.compare.kinds import Title
from darec.compare.notes import seeds_needed
from darec.evaluation.groups import Group
from darec.evaluation.result import Evaluation


def values(seed: int, seeds: int = 4, users: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).random((seeds, users))


def test_the_difference_is_that_of_the_means_and_its_share() -> None:
    b = values(0)
    found = gain(b + 0.1, b, (0, 1, 2, 3))
    assert found.difference == pytest.approx(0.1)
    assert found.base == pytest.approx(b.mean())
    assert found.relative == pytest.approx((0.1 / b.mean(),) * 3)  # every user gains alike
    assert found.by_seed == pytest.approx((0.1,) * 4)
    assert (found.n_users, found.seeds_agreeing) == (60, 4)


def test_over_seeds_it_is_students_interval_and_the_exact_sign_flip_test() -> None:
    a, b = values(0), values(1)
    found = gain(a, b, (0, 1, 2, 3))
    by_seed = (a - b).mean(axis=1)
    t = stats.ttest_1samp(by_seed, 0).confidence_interval(0.95)
    assert (found.seeds_low, found.seeds_high) == pytest.approx((t.low, t.high))
    flips = [
        abs(by_seed @ signs) >= abs(by_seed.sum()) - 1e-12 for signs in product((1, -1), repeat=4)
    ]
    assert found.p_seeds == pytest.approx(np.mean(flips))


def test_over_users_it_is_the_interval_of_users_means() -> None:
    a, b = values(0, users=400), values(1, users=400)
    found = gain(a, b, (0, 1, 2, 3))
    by_user = (a - b).mean(axis=0)
    error = by_user.std(ddof=1) / 20  # sqrt(400)
    assert found.low == pytest.approx(by_user.mean() - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(by_user.mean() + 1.96 * error, abs=0.3 * error)
    assert found.p_users == pytest.approx(stats.ttest_1samp(by_user, 0).pvalue, abs=0.03)


def test_agreeing_seeds_cannot_reject_below_their_floor() -> None:
    b = values(0, seeds=5)
    assert gain(b + 0.5, b, tuple(range(5))).p_seeds == 2 / 2**5
    one = gain(b[:1] + 0.5, b[:1], (0,))
    assert one.p_seeds is None and one.seeds_low is None and not one.significant_over_seeds


def test_no_difference_is_no_gain() -> None:
    b = values(0)
    found = gain(b, b, (0, 1, 2, 3))
    assert (found.difference, found.low, found.high) == (0, 0, 0)
    assert found.p_users == found.p_seeds == 1 and not found.significant
    zero = np.zeros_like(b)
    assert gain(zero, zero, (0, 1, 2, 3)).relative is None


def evaluation(recall: np.ndarray) -> Evaluation:
    """Ten users, the first five in the first group; one has no target in the group of items."""
    items = recall.copy()
    items[3] = np.nan
    return Evaluation(
        np.arange(10),
        {"recall@20": recall, "items/1of1/recall@20": items},
        user_group=np.repeat([0, 1], 5),
        groups=(Group("users", 1, 2, 1, 2, 5), Group("users", 2, 2, 3, 4, 5)),
    )


def test_seeds_of_both_sides_are_paired_by_seed_and_groups_counted_apart() -> None:
    rows = values(0, seeds=5, users=10)
    base = {seed: evaluation(rows[seed]) for seed in (0, 1, 2)}
    mine = {seed: evaluation(rows[seed] + 0.1 * seed) for seed in (3, 2, 1)}
    mine[2].per_user["recall@20"][:5] += 1.0
    metrics = ["recall@20", "users/1of2/recall@20", "items/1of1/recall@20", "items/1of2/recall@20"]
    found = gains_over(base, mine, metrics)
    assert list(found) == metrics[:3]
    assert found["recall@20"].seeds == (2, 1)
    assert found["recall@20"].by_seed == pytest.approx((0.2 + 0.5, 0.1))
    assert found["users/1of2/recall@20"].by_seed == pytest.approx((1.2, 0.1))
    assert [found[metric].n_users for metric in found] == [10, 5, 9]
    assert gains_over({0: base[0]}, {1: mine[1]}, metrics) == {}


def test_holm_runs_over_pairs_and_over_groups_of_one_kind() -> None:
    blank = gain(values(0), values(1), (0, 1, 2, 3))

    def with_p(p: float) -> Gain:
        return replace(blank, p_users=p, p_seeds=p)

    kar = Title.of("mf", "kar", None)
    gains = {
        kar: {"recall@20": with_p(0.01), "items/1of2/recall@20": with_p(0.004)},
        Title.of("mf", "darec", None): {
            "recall@20": with_p(0.03),
            "items/2of2/recall@20": with_p(0.9),
        },
        Title.of("sgl", "darec", None): {"recall@20": replace(with_p(0.04), p_seeds=None)},
    }
    correct(gains)
    found = [by_metric["recall@20"] for by_metric in gains.values()]
    assert [g.p_users_holm for g in found] == pytest.approx([0.03, 0.06, 0.06])
    assert [g.p_seeds_holm for g in found] == [pytest.approx(0.02), pytest.approx(0.03), None]
    assert [g.significant for g in found] == [True, False, False]
    assert gains[kar]["items/1of2/recall@20"].p_users_holm == pytest.approx(0.008)


@pytest.mark.parametrize(("tests", "seeds"), [(1, 6), (2, 7), (10, 9)])
def test_the_fewest_seeds_that_could_reject(tests: int, seeds: int) -> None:
    assert seeds_needed(tests) == seeds
    assert tests * 2 / 2**seeds < 0.05 <= tests * 2 / 2 ** (seeds - 1)
