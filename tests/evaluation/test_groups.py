"""Groups by count: ties stay together, cuts fall nearest to even."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.errors import ConfigError
from darec.evaluation.groups import describe, group_by_count


def test_even_thirds_with_bounds():
    counts = np.array([9, 1, 5, 4, 8, 2])
    labels = group_by_count(counts, 3)
    assert labels.tolist() == [2, 0, 1, 1, 2, 0]
    groups = describe("items", counts, labels, 3)
    assert [(g.name, g.low, g.high, g.size) for g in groups] == [
        ("items/1of3", 1, 2, 2),
        ("items/2of3", 4, 5, 2),
        ("items/3of3", 8, 9, 2),
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 5))
def test_laws(counts, n_groups):
    counts = np.array(counts)
    labels = group_by_count(counts, n_groups)
    assert ((labels >= 0) & (labels < n_groups)).all()
    for a, b in itertools.product(range(len(counts)), repeat=2):
        if counts[a] <= counts[b]:
            assert labels[a] <= labels[b]  # and so equal counts share a group
    # Each cut is as near to even as a cut between distinct counts can be.
    possible = [0, *(int((counts <= c).sum()) for c in counts)]
    for cut in range(1, n_groups):
        even = len(counts) * cut / n_groups
        actual = abs(int((labels < cut).sum()) - even)
        best = min(abs(p - even) for p in possible)
        assert actual <= best + 1e-9


def test_a_group_emptied_by_ties_says_so():
    counts = np.full(10, 3)
    groups = describe("users", counts, group_by_count(counts, 3), 3)
    assert sorted(g.size for g in groups) == [0, 0, 10]


def test_no_groups_is_refused():
    with pytest.raises(ConfigError, match="0 groups"):
        group_by_count(np.array([1, 2]), 0)
