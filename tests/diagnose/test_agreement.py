from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.diagnose.agreement import agreement, item_agreement, shuffled_neighbours
from darec.types import IntArray, Interactions


def drawn(seed: int, n_users: int = 12, n_items: int = 9, pairs: int = 40) -> Interactions:
    rng = np.random.default_rng(seed)
    users, items = rng.integers(n_users, size=pairs), rng.integers(n_items, size=pairs)
    return Interactions.from_pairs(users, items, n_users, n_items)


def by_hand(near: IntArray, rows: IntArray, train: Interactions) -> tuple[list[float], list[float]]:
    """The mean over all ways to break ties of the overlap, by enumeration of the sets of neighbours."""
    k = near.shape[1]
    columns = np.zeros((train.n_users, train.n_items))
    columns[train.users, train.items] = 1
    columns = columns[:, rows] / np.maximum(np.linalg.norm(columns[:, rows], axis=0), 1)
    cosines = np.round(columns.T @ columns, 9)
    shares, most = [], []
    for i, text in enumerate(near):
        others = [j for j in range(len(rows)) if j != i and cosines[i, j] > 0]
        size = min(k, len(others))
        best = max((sum(cosines[i, list(s)]) for s in combinations(others, size)), default=0.0)
        sets = [
            s for s in combinations(others, size) if abs(sum(cosines[i, list(s)]) - best) < 1e-6
        ]
        shares.append(float(np.mean([len(set(s) & set(text.tolist())) for s in sets])) / k)
        most.append(float(size))
    return shares, most


@given(seed=st.integers(0, 10_000), k=st.integers(1, 4), without=st.integers(0, 3))
def test_agreement_is_that_of_all_sets_of_neighbours(seed: int, k: int, without: int) -> None:
    train = drawn(seed)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(9)[: 9 - without])
    near, _ = shuffled_neighbours(rng.normal(size=(len(rows), 5)).astype(np.float32), k, seed)
    share, most = item_agreement(near, rows, train)
    shares, sizes = by_hand(near, rows, train)
    assert share.tolist() == pytest.approx(shares, abs=1e-9)
    assert most.tolist() == pytest.approx(sizes, abs=1e-9)


def test_chance_is_the_mean_over_texts_dealt_out_at_random() -> None:
    train = drawn(3, 40, 15, 150)
    rows, k = np.arange(15), 4
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(15, 6)).astype(np.float32)
    found = []
    for seed in range(400):
        near, _ = shuffled_neighbours(vectors[rng.permutation(15)], k, seed)
        found.append(item_agreement(near, rows, train)[0].mean())
    made = agreement(near, rows, train)
    assert made is not None and made.left_out == 0 and made.chance[0] is not None
    error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found) - made.chance[0]) < 4 * error < 0.1 * made.chance[0]


def test_texts_that_are_the_columns_agree_as_far_as_ties_allow() -> None:
    rng = np.random.default_rng(0)
    dense = rng.random((200, 30)) < 0.4
    train = Interactions.from_pairs(*np.nonzero(dense), 200, 30)
    near, cosines = shuffled_neighbours(dense.T.astype(np.float32), 5, 0)
    found = agreement(near, np.arange(30), train)
    assert found is not None and found.reach == 1
    assert found.share.overall.value > 0.99 and found.chance[0] == pytest.approx(5 / 29)
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_items_that_share_no_user_have_no_neighbours() -> None:
    train = Interactions.from_pairs(np.arange(5), np.arange(5), 5, 5)
    near, _ = shuffled_neighbours(np.eye(5, dtype=np.float32), 2, 0)
    assert agreement(near, np.arange(5), train) is None


def test_equal_texts_are_neighbours_in_random_order() -> None:
    same = np.ones((20, 3), np.float32)
    first, second = (shuffled_neighbours(same, 3, seed)[0] for seed in (0, 1))
    assert (first != second).any()
    assert (first != np.arange(20)[:, None]).all()
