from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from darec.alignments.base import AlignmentConfig
from darec.data.synthetic import SyntheticConfig, World, make_world
from darec.errors import ConfigError, DataError
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.text import embed
from darec.theory.advice import RANGES, THRESHOLDS, advise
from darec.theory.check import InformationCheck, InformationEstimate, check, held_out, log_losses
from darec.theory.features import interaction_features, text_features
from darec.types import Interactions, TextTable


def planted(shared: float, specific: float, sharpness: float = 3.0) -> tuple[World, TextTable]:
    config = SyntheticConfig(
        n_users=500,
        n_items=400,
        n_topics=4,
        shared_share=shared,
        specific_share=specific,
        sharpness=sharpness,
        popularity_share=1 - shared - specific,
    )
    world = make_world(config)
    return world, embed(world.dataset, "tfidf")


@pytest.fixture(scope="module")
def of_text() -> tuple[World, TextTable]:
    return planted(0.9, 0.0)


@pytest.fixture(scope="module")
def of_interactions() -> tuple[World, TextTable]:
    return planted(0.0, 0.9)


def test_text_that_carries_taste_is_told_from_text_that_does_not(
    of_text: tuple[World, TextTable], of_interactions: tuple[World, TextTable]
) -> None:
    (world, text), (other, mute) = of_text, of_interactions
    carries, silent = check(world.dataset, text), check(other.dataset, mute)
    assert carries.text.low > 0.1
    assert silent.text.high < 0.02 < 0.05 < silent.interactions.low
    assert silent.only_text.value < 0.01 and silent.gap.low > 0
    assert silent.price.value > 0.8 > carries.price.value
    assert advise(silent).level in ("weak", "none")
    assert advise(carries).level != "none"


@pytest.mark.parametrize("name", ["of_text", "of_interactions"])
def test_no_gain_is_above_what_the_planted_utility_tells(
    name: str, request: pytest.FixtureRequest
) -> None:
    """The utility is all that choice depends on, so that a predictor from it is nearly the best there is."""
    world, text = request.getfixturevalue(name)
    found = check(world.dataset, text)
    rng = np.random.default_rng(0)
    users, items, target = held_out(world.dataset, 50_000, "uniform", rng)
    utility = world.utilities()[users, items][:, None]
    best = np.log(2) - log_losses(utility, target, users % 5).mean()
    for gain in (found.interactions, found.text, found.both):
        assert gain.value < best + 0.01
    assert found.both.value > 0.3 * best


def test_where_nothing_can_be_told_nothing_is() -> None:
    rng = np.random.default_rng(0)
    n_users, n_items = 300, 200
    pairs = rng.permutation(n_users * n_items)[:4500]
    splits = [
        Interactions.from_pairs(part // n_items, part % n_items, n_users, n_items)
        for part in np.split(pairs, [2500, 4000])
    ]
    world, _ = planted(0.5, 0.5)
    dataset = world.dataset
    noise = replace(
        dataset,
        users=type(dataset.users)("user", dataset.users.ids[:n_users]),
        items=type(dataset.items)("item", dataset.items.ids[:n_items]),
        catalogue=dataset.catalogue[:n_items],
        **dict(zip(("train", "valid", "test"), splits, strict=True)),
    )
    found = check(noise, embed(noise, "tfidf"))
    assert found.both.low <= 0 and found.text.low <= 0 and found.interactions.low <= 0
    assert advise(found).level == "unclear"


def test_popularity_as_such_tells_nothing_among_equally_popular_items() -> None:
    # Popularity alone, and weak enough for draws without replacement to follow it.
    world, text = planted(0.0, 0.0, sharpness=0.5)
    uniform = check(world.dataset, text)
    matched = check(world.dataset, text, negatives="popularity")
    assert uniform.interactions.low > 0.02
    assert matched.interactions.low <= 0


def test_the_test_split_and_repetition_change_nothing(of_text: tuple[World, TextTable]) -> None:
    dataset, text = of_text[0].dataset, of_text[1]
    empty = Interactions.from_pairs(
        np.array([], int), np.array([], int), dataset.n_users, dataset.n_items
    )
    found = check(dataset, text, max_pairs=500)
    assert check(replace(dataset, test=empty), text, max_pairs=500) == found
    assert check(dataset, text, max_pairs=500, seed=1) != found


def test_held_out_pairs_are_balanced_and_unknown() -> None:
    dataset = tiny_dataset()
    for negatives in ("uniform", "popularity"):
        users, items, target = held_out(dataset, 10_000, negatives, np.random.default_rng(0))
        n = len(dataset.valid)
        assert target.sum() == n and len(target) == 2 * n
        assert (users[:n] == users[n:]).all()
        assert dataset.valid.contains(users[:n], items[:n]).all()
        assert not dataset.train.contains(users[n:], items[n:]).any()
        assert not dataset.valid.contains(users[n:], items[n:]).any()
        if negatives == "popularity":
            assert (dataset.train.item_degree[items[n:]] > 0).all()


def test_users_who_have_every_item_are_left_out() -> None:
    dataset = tiny_dataset()
    everything = np.setdiff1d(np.arange(dataset.n_items), dataset.valid.of_user(0))
    train = dataset.train.union(
        Interactions.from_pairs(
            np.zeros_like(everything), everything, dataset.n_users, dataset.n_items
        )
    )
    full = replace(dataset, train=train)
    users, _, _ = held_out(full, 10_000, "uniform", np.random.default_rng(0))
    assert dataset.valid.user_degree[0] > 0 and 0 not in users


def test_features_against_the_plain_formulas() -> None:
    dataset, text = tiny_dataset(), tiny_text(tiny_dataset())
    train = dataset.train
    users, items, _ = held_out(dataset, 40, "uniform", np.random.default_rng(0))
    R = np.zeros((dataset.n_users, dataset.n_items))
    R[train.users, train.items] = 1
    of_items = R / np.sqrt(np.maximum(R.sum(0), 1))
    together = R @ (of_items.T @ of_items)
    found = interaction_features(train, users, items, seed=0)
    np.testing.assert_allclose(found[:, 2], np.log1p(together[users, items]), rtol=1e-9)
    np.testing.assert_allclose(found[:, 3], np.log1p(R.sum(0)[items]), rtol=1e-12)
    said = text_features(text, train, users, items)
    for row, (user, item) in enumerate(zip(users, items, strict=True)):
        vectors = text.items[train.of_user(user)]
        cosines = vectors @ text.items[item] / np.linalg.norm(vectors, axis=1)
        nearest = cosines.max() / np.linalg.norm(text.items[item])
        assert said[row, 1] == pytest.approx(nearest, abs=1e-5)
    assert (np.abs(found[:, :2]) <= 1 + 1e-6).all()


def test_bad_requests_are_refused() -> None:
    dataset = tiny_dataset()
    text = tiny_text(dataset)
    with pytest.raises(DataError, match="users have validation interactions, but at least 50"):
        check(dataset, text, max_pairs=3)
    with pytest.raises(ConfigError, match="unknown negatives 'hard'"):
        check(dataset, text, negatives="hard")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="1 folds"):
        check(dataset, text, folds=1)


def reading(
    interactions: float, text: float, both: float, width: float = 0.001
) -> InformationCheck:
    def around(value: float) -> InformationEstimate:
        return InformationEstimate(value, value - width, value + width)

    D, T = interactions, text
    return InformationCheck(
        around(D),
        around(T),
        around(both),
        around(D - T),
        around(both - T),
        around(both - D),
        around(D + T - both),
        around((both - min(D, T)) / both),
        100,
        50,
        "tfidf",
        "uniform",
    )


@pytest.mark.parametrize(
    ("gains", "level", "said"),
    [
        ((0.0, 0.0, 0.0005), "unclear", "Neither side"),
        ((0.3, 0.1, 0.3), "none", "adds nothing measurable"),
        ((0.3, 0.28, 0.31), "strong", "the weaker side, text"),
        ((0.3, 0.2, 0.32), "moderate", "leave room"),
        ((0.3, 0.1, 0.32), "weak", "leave room"),
        ((0.1, 0.3, 0.32), "weak", "The text is the stronger side"),
        ((0.3, 0.1602, 0.32), "moderate", "contains a threshold"),
    ],
)
def test_advice(gains: tuple[float, float, float], level: str, said: str) -> None:
    advice = advise(reading(*gains))
    assert advice.level == level
    assert said in " ".join(advice.reasons)
    assert advice.rho == RANGES[advice.level]


def test_ranges_of_advice_rise_and_hold_the_default() -> None:
    ranges = [found for found in RANGES.values() if found]
    assert len(ranges) == 3
    assert all(a < b and c < d for (a, c), (b, d) in pairwise(ranges))
    assert all(low < AlignmentConfig(name="any").rho < high for low, high in ranges)
    assert list(THRESHOLDS) == sorted(THRESHOLDS)
