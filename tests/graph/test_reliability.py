"""How far neighbours in text are to be trusted: brute force, planted kinds of items, text dealt out at random."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.graph import Graph, NeighbourGraph, reliability
from darec.types import Interactions


def shop(n_users: int, n_items: int, seed: int, loyalty: float) -> tuple[Interactions, np.ndarray]:
    """Users and items of four kinds; this share of a user's items is of the user's kind."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n_items) % 4
    users = np.repeat(np.arange(n_users), 6)
    of_kind = rng.random(len(users)) < loyalty
    own = rng.integers(n_items // 4, size=len(users)) * 4 + users % 4
    items = np.where(of_kind, own, rng.integers(n_items, size=len(users)))
    return Interactions.from_pairs(users, items, n_users, n_items), kinds


def text_of(kinds: np.ndarray, seed: int) -> torch.Tensor:
    noise = np.random.default_rng(seed).normal(size=(len(kinds), 4))
    return torch.from_numpy(np.eye(4)[kinds] + 0.05 * noise)


def by_hand(train: Interactions, M: np.ndarray) -> float:
    """The definition, pair of users by pair of users."""
    R = np.zeros((train.n_users, train.n_items))
    R[train.users, train.items] = 1
    Y = R / np.sqrt(np.maximum(R.sum(1), 1))[:, None] / np.sqrt(np.maximum(R.sum(0), 1))
    users = [np.flatnonzero(R[:, item]) for item in range(train.n_items)]

    def alike(i: int, j: int) -> float:
        kept = np.delete(np.arange(train.n_items), [i, j])
        products = [Y[u, kept] @ Y[v, kept] if u != v else 0.0 for u in users[i] for v in users[j]]
        same = len(users[i]) if i == j else 0
        return sum(products) / max(1, len(products) - same)

    items = [i for i in range(train.n_items) if len(users[i]) > 1 and M[i].any()]
    others = np.random.default_rng(0).permutation(items)
    own = sum(alike(i, i) for i in items)
    near = sum(M[i, j] * alike(i, j) for i in items for j in np.flatnonzero(M[i]))
    chance = sum(
        M[h, j] * alike(i, j)
        for i, h in zip(items, others, strict=True)
        for j in np.flatnonzero(M[h])
        if j != i
    )
    return min(1.0, max(0.0, (near - chance) / (own - chance))) if own > chance else 0.0


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_is_the_definition(seed: int) -> None:
    train, kinds = shop(25, 16, seed, 0.8)
    generator = torch.Generator().manual_seed(seed)
    known = torch.rand(16, generator=generator) < 0.7
    known[:4] = True
    near = NeighbourGraph(text_of(kinds, seed), 3, 0.5, known)
    M = near.smooth(torch.eye(16, dtype=torch.float64), 1.0).numpy() - np.eye(16)
    assert reliability(near, Graph(train)) == pytest.approx(by_hand(train, M), abs=1e-5)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 0.25), (1.0, 0.0)])
def test_is_the_share_of_the_neighbours_that_are_right(share: float, expected: float) -> None:
    """Texts of a share of the items dealt out: a right item keeps right neighbours by the same share."""
    train, kinds = shop(2000, 400, 0, 1.0)
    rng = np.random.default_rng(1)
    dealt = rng.permutation(400)[: round(400 * share)]
    told = kinds.copy()
    told[dealt] = rng.permutation(told[dealt])
    near = NeighbourGraph(text_of(told, 0), 10, 0.1)
    assert reliability(near, Graph(train)) == pytest.approx(expected, abs=0.06)


def test_neighbours_of_unlike_users_are_not_trusted() -> None:
    train = Interactions.from_pairs(np.arange(6), np.arange(6), 6, 6)
    near = NeighbourGraph(torch.eye(6, dtype=torch.float64), 2, 0.1)
    assert reliability(near, Graph(train)) == 0.0
