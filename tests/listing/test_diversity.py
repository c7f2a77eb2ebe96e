"""Unlike items, and at most so many of a kind: against a plain loop over each list."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.errors import ConfigError
from darec.listing.diversity import NONE, Cap, choose, pool_size


def by_hand(
    items: Any, scores: Any, k: int, diversity: float, vectors: Any, groups: Any, at_most: int
) -> list[int]:
    """One list, an item at a time."""
    places = [place for place, item in enumerate(items) if item != NONE]
    span = max(scores[places]) - min(scores[places]) if places else 0
    chosen: list[int] = []
    while len(chosen) < k:
        best, best_value = None, -np.inf
        for place in places:
            if place in chosen:
                continue
            taken = [group for one in chosen for group in groups[items[one]]]
            if any(taken.count(group) >= at_most for group in groups[items[place]]):
                continue
            relevance = (scores[place] - min(scores[places])) / span if span else 0
            near = max((_cosine(vectors, items[place], items[one]) for one in chosen), default=0)
            value = (1 - diversity) * relevance - diversity * near
            if value > best_value + 1e-6:
                best, best_value = place, value
        if best is None:
            break
        chosen.append(best)
    return chosen


def _cosine(vectors: Any, one: int, other: int) -> float:
    a, b = vectors[one], vectors[other]
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length else 0.0


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lists_are_those_of_the_definition(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 10_000))
    draw = np.random.default_rng(seed)
    n_items, pool = 12, data.draw(st.integers(1, 10))
    k = data.draw(st.integers(1, pool))
    diversity = data.draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    at_most = data.draw(st.integers(1, 3))
    capped = data.draw(st.booleans())
    groups = [[str(g) for g in draw.permutation(4)[: draw.integers(0, 3)]] for _ in range(n_items)]
    vectors = draw.normal(size=(n_items, 3)).astype(np.float32)
    vectors[draw.integers(0, n_items, 2)] = 0
    items = np.stack([draw.permutation(n_items)[:pool] for _ in range(3)])
    scores = -np.sort(-draw.normal(size=(3, pool)).astype(np.float32), axis=1)
    for row, length in enumerate(draw.integers(0, pool + 1, 3)):
        items[row, length:], scores[row, length:] = NONE, -np.inf
    cap = Cap.of(at_most, "g", pl.Series(groups, dtype=pl.List(pl.String))) if capped else None
    found = choose(items, scores, k, diversity=diversity, vectors=vectors, cap=cap)
    for row in range(3):
        kinds = groups if capped else [[]] * n_items
        expected = by_hand(items[row], scores[row], k, diversity, vectors, kinds, at_most)
        assert found[row].tolist() == expected + [NONE] * (k - len(expected))


def test_without_either_lists_are_the_best() -> None:
    items = np.array([[3, 1, 2], [2, NONE, NONE]])
    assert choose(items, np.zeros((2, 3), np.float32), 2).tolist() == [[0, 1], [0, NONE]]
    assert choose(items[:0], np.zeros((0, 3), np.float32), 2).shape == (0, 2)


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (pl.Series(["a", "b", None, "a"]), [[0], [1], [NONE], [0]]),
        (pl.Series([3.5, None, 3.5, 1.0]), [[1], [NONE], [1], [0]]),
        (pl.Series([True, False, None, True]), [[1], [0], [NONE], [1]]),
        (pl.Series([["a", "b", "a"], [], None, ["b"]]), [[0, 1], [NONE, NONE], [NONE, NONE], [1, NONE]]),
        (pl.Series([None, None, None, None], dtype=pl.String), [[NONE]] * 4),
    ],
)  # fmt: skip
def test_values_are_numbered(values: pl.Series, codes: list[list[int]]) -> None:
    assert Cap.of(2, "f", values).codes.tolist() == codes


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="at_most=0: must be at least 1"):
        Cap.of(0, "f", pl.Series(["a"]))
    with pytest.raises(ConfigError, match="cannot name a group"):
        Cap.of(1, "f", pl.Series([{"a": 1}]))
    with pytest.raises(ConfigError, match="cannot name a group"):
        Cap.of(1, "f", pl.Series([[[1]]]))


def test_pools_are_no_larger_than_what_there_is() -> None:
    assert (pool_size(20, 10_000), pool_size(3, 10_000), pool_size(20, 50)) == (200, 100, 50)
