"""Splits: known counts, laws under hypothesis, and every refusal."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.data.split import SPLIT_METHODS, pair_hash, split_interactions
from darec.errors import ConfigError, DataError

PER_USER = ("random", "leave-last-out", "temporal-user")


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Distinct pairs of a few users, with times that often tie."""
    pairs = draw(
        st.lists(
            st.tuples(st.integers(0, 6), st.integers(0, 30)), unique=True, min_size=1, max_size=80
        )
    )
    times = draw(st.lists(st.integers(0, 9), min_size=len(pairs), max_size=len(pairs)))
    users, items = zip(*pairs, strict=True)
    return pl.DataFrame({"user": users, "item": items, "time": [float(t) for t in times]})


RATIOS = st.tuples(st.integers(1, 8), st.integers(0, 8), st.integers(0, 8))


def expected_counts(method: str, n: int, ratios: tuple[int, int, int]) -> tuple[int, int, int]:
    """The rule of the docstring, in whole numbers."""
    total = sum(ratios)
    valid, test = ((2 * n * r + total) // (2 * total) for r in ratios[1:])
    if method == "leave-last-out":
        valid = test = 1
    test = min(test, n - 1)
    valid = min(valid, n - 1 - test)
    return n - valid - test, valid, test


@settings(deadline=None, max_examples=60)
@given(frame=frames(), method=st.sampled_from(PER_USER), ratios=RATIOS, seed=st.integers(-5, 5))
def test_counts_per_user_follow_the_stated_rule(
    frame: pl.DataFrame, method: str, ratios: tuple[int, int, int], seed: int
) -> None:
    split = split_interactions(frame, method, seed=seed, ratios=ratios)
    assert split.name == "split" and split.dtype == pl.String and len(split) == len(frame)
    for _, part in frame.with_columns(split).group_by("user"):
        counts = tuple(part["split"].eq(name).sum() for name in ("train", "valid", "test"))
        assert counts == expected_counts(method, len(part), ratios)
        assert counts[0] >= 1


@settings(deadline=None, max_examples=60)
@given(
    frame=frames(),
    method=st.sampled_from(SPLIT_METHODS),
    seed=st.integers(0, 5),
    shuffle=st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(
    frame: pl.DataFrame, method: str, seed: int, shuffle: Any
) -> None:
    try:
        split = split_interactions(frame, method, seed=seed)
    except DataError:  # few distinct times: a global cut leaves a part empty
        assert method == "global-time" or frame["item"].n_unique() < 3
        return
    assert split.equals(split_interactions(frame, method, seed=seed))
    rows = list(range(len(frame)))
    shuffle.shuffle(rows)
    assert split_interactions(frame[rows], method, seed=seed).equals(split[rows])


@settings(deadline=None, max_examples=60)
@given(frame=frames(), method=st.sampled_from(SPLIT_METHODS[1:4]))
def test_time_runs_from_train_through_valid_to_test(frame: pl.DataFrame, method: str) -> None:
    try:
        split = split_interactions(frame, method)
    except DataError:
        assert method == "global-time"
        return
    parts = [frame] if method == "global-time" else [part for _, part in frame.group_by("user")]
    whole = frame.with_columns(split)
    for part in parts:
        part = part.join(whole, on=["user", "item", "time"])
        latest = -math.inf
        for name in ("train", "valid", "test"):
            times = part.filter(split=name)["time"].to_list()
            assert min(times, default=math.inf) >= latest
            if method == "global-time":  # a moment belongs to one part
                assert min(times, default=math.inf) > latest
            latest = max(times, default=latest)


def test_seeds_give_different_splits_that_are_fair() -> None:
    """Over many seeds every item of a user lands in test about one time in five."""
    frame = pl.DataFrame({"user": [3] * 10, "item": range(10)})
    hits = np.array(
        [split_interactions(frame, "random", seed=s).eq("test").to_numpy() for s in range(1000)]
    )
    assert (hits.sum(1) == 2).all()
    # Binomial(1000, 0.2) has a standard deviation of 12.6; five of them is no accident.
    assert (abs(hits.sum(0) - 200) < 64).all()
    # Pairs of items: both in test once in 45 draws of 2 out of 10.
    both = (hits.T.astype(int) @ hits)[np.triu_indices(10, 1)]
    assert (abs(both - 1000 / 45) < 5 * math.sqrt(1000 / 45)).all()


def test_the_hash_is_distinct_within_a_user_and_uniform() -> None:
    items = np.arange(100_000)
    for user in (0, 7):
        keys = pair_hash(np.full(len(items), user), items, seed=1)
        assert len(np.unique(keys)) == len(items)
        counts = np.bincount((keys >> np.uint64(60)).astype(int), minlength=16)
        assert abs(counts - 6250).max() < 5 * math.sqrt(6250)
    first = pair_hash(np.array([2**31 - 1]), np.array([2**31 - 1]), seed=2**70 - 1)
    assert first == pair_hash(np.array([2**31 - 1]), np.array([2**31 - 1]), seed=-1)


def test_the_assignment_never_changes_between_versions() -> None:
    """Figures from the definition of SplitMix64 in plain integers: published splits stay what they are."""
    mask = 2**64 - 1

    def mix(x: int) -> int:
        x = (x + 0x9E3779B97F4A7C15) & mask
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    # SplitMix64 seeded with 0 starts with this number (Vigna's reference implementation).
    assert mix(0) == 0xE220A8397B1DCDAF
    seed, user, item = 42, 11, 5
    expected = mix((mix((mix(seed) + user) & mask) + item) & mask)
    assert int(pair_hash(np.array([user]), np.array([item]), seed)[0]) == expected
    frame = pl.DataFrame({"user": [0] * 8, "item": range(8)})
    order = sorted(range(8), key=lambda i: mix((mix(mix(0)) + i) & mask))
    split = split_interactions(frame, "random")
    assert [split[i] for i in order] == ["train"] * 4 + ["valid"] * 2 + ["test"] * 2


def test_known_answers_by_time() -> None:
    frame = pl.DataFrame(
        {
            "user": [1, 0, 0, 1, 0, 0, 0, 2, 3, 3],
            "item": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            "time": [9.0, 5.0, 1.0, 8.0, 3.0, 4.0, 2.0, 0.0, 6.0, 7.0],
        }
    )
    tr, va, te = "train", "valid", "test"
    last = [te, te, tr, tr, tr, va, tr, tr, tr, te]
    assert split_interactions(frame, "leave-last-out").to_list() == last
    user = [tr, te, tr, tr, tr, va, tr, tr, tr, tr]
    assert split_interactions(frame, "temporal-user").to_list() == user
    quantiles = [te, tr, tr, te, tr, tr, tr, tr, va, va]
    assert split_interactions(frame, "global-time").to_list() == quantiles
    cuts = [te, tr, tr, te, tr, tr, tr, tr, va, te]
    assert split_interactions(frame, "global-time", time_cuts=(6, 7)).to_list() == cuts
    two = split_interactions(frame, "global-time", ratios=(0.5, 0, 0.5)).to_list()
    assert two == [te, te, tr, te, tr, tr, tr, tr, te, te]
    milliseconds = frame.with_columns(pl.col("time") * 86_400_000 + 1.6e12)
    no_test = split_interactions(milliseconds, "global-time", ratios=(3, 2, 0)).to_list()
    assert no_test == [va, tr, tr, va, tr, tr, tr, tr, va, va]
    whole_numbers = frame.with_columns(pl.col("time").cast(pl.Int32))
    assert split_interactions(whole_numbers, "leave-last-out").to_list() == last


def test_ties_are_not_broken_by_item_number() -> None:
    """Equal times say nothing: which item is last must not depend on how items are numbered."""
    frame = pl.DataFrame(
        {"user": np.repeat(np.arange(500), 6), "item": list(range(6)) * 500, "time": [1.0] * 3000}
    )
    test = frame.filter(split_interactions(frame, "leave-last-out") == "test")["item"]
    counts = np.bincount(test.to_numpy(), minlength=6)
    assert abs(counts - 500 / 6).max() < 5 * math.sqrt(500 / 6)


def test_nothing_to_split() -> None:
    frame = pl.DataFrame(schema={"user": pl.Int64, "item": pl.Int64, "time": pl.Float64})
    for method in SPLIT_METHODS:
        assert split_interactions(frame, method).to_list() == []


def test_counts_agree_with_the_published_split(shared_data: Callable[[str], Path]) -> None:
    """The public 3:1:1 split of toys has the same number of test items for each length of history."""
    log = pl.read_csv(shared_data("toys") / "interactions.csv")
    frame = log.select(
        user=pl.col("user_id").rank("dense").cast(pl.Int64),
        item=pl.col("item_id").rank("dense").cast(pl.Int64),
    )
    ours = frame.with_columns(split_interactions(frame, "random"), theirs=log["split"])
    sums = [
        (pl.col(column) == name).sum().alias(f"{column}_{name}")
        for column in ("split", "theirs")
        for name in ("train", "valid", "test")
    ]
    counts = ours.group_by("user").agg(sums)
    for name in ("train", "valid", "test"):
        same = counts[f"split_{name}"] == counts[f"theirs_{name}"]
        assert same.mean() == 1, counts.filter(~same).head()


FRAME = pl.DataFrame({"user": [0, 0, 1], "item": [0, 1, 0], "time": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("frame", "method", "options", "error", "words"),
    [
        (FRAME, "randm", {}, ConfigError, "unknown split 'randm': did you mean 'random'?"),
        (FRAME, "leave-last", {}, ConfigError, "did you mean 'leave-last-out'?"),
        (FRAME, "random", {"ratios": (0, 1, 1)}, ConfigError, "split ratios (0, 1, 1)"),
        (FRAME, "random", {"ratios": (3, -1, 1)}, ConfigError, "at least 0"),
        (FRAME, "random", {"ratios": (3, math.nan, 1)}, ConfigError, "cannot be used"),
        (FRAME, "random", {"ratios": (3, 1)}, ConfigError, "three numbers"),
        (FRAME, "random", {"time_cuts": (1, 2)}, ConfigError, "for the split 'global-time'"),
        (FRAME, "global-time", {"time_cuts": (2, 1)}, ConfigError, "the earlier one first"),
        (FRAME, "global-time", {"time_cuts": (5, 6)}, DataError, "leave valid empty"),
        (FRAME, "global-time", {"time_cuts": (0, 2)}, DataError, "leave train empty"),
        (FRAME.with_columns(time=1.0), "global-time", {}, DataError, "times run from 1 to 1"),
        (FRAME, "cold-items", {"cold_share": 1.0}, ConfigError, "cold share 1.0"),
        (FRAME, "cold-items", {}, DataError, "2 of 2 items would be cold"),
        (FRAME.drop("time"), "temporal-user", {}, DataError, "needs the time"),
        (FRAME.with_columns(time=pl.lit("x")), "temporal-user", {}, DataError, "must be numeric"),
        (
            FRAME.with_columns(time=pl.Series([1.0, None, math.inf])),
            "temporal-user",
            {},
            DataError,
            "2 interactions have no usable time (the first is row 2)",
        ),
        (pl.concat([FRAME, FRAME[:1]]), "random", {}, DataError, "1 interaction repeats"),
        (FRAME.drop("item"), "random", {}, DataError, "no column 'item'"),
        (FRAME.with_columns(user=pl.lit("u")), "random", {}, DataError, "must hold row numbers"),
        (FRAME.with_columns(item=-pl.col("item")), "random", {}, DataError, "holds -1 to 0"),
    ],
)
def test_what_cannot_be_split_is_refused(
    frame: pl.DataFrame, method: str, options: dict[str, Any], error: type, words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        split_interactions(frame, method, **options)
