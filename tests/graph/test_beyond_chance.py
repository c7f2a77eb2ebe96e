"""How far neighbours in text are to be trusted: brute force, planted kinds of items, text dealt out at random."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.graph import Graph, NeighbourGraph, beyond_chance
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


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_is_the_dense_formula(seed: int) -> None:
    train, kinds = shop(25, 16, seed, 0.5)
    generator = torch.Generator().manual_seed(seed)
    known = torch.rand(16, generator=generator) < 0.7
    known[:3] = True
    near = NeighbourGraph(text_of(kinds, seed), 3, 0.5, known)
    graph = Graph(train)
    M = near.smooth(torch.eye(16, dtype=torch.float64), 1.0).numpy() - np.eye(16)
    R = np.zeros((25, 16))
    R[train.users, train.items] = 1
    S = R / np.sqrt(np.maximum(R.sum(1), 1))[:, None] / np.sqrt(np.maximum(R.sum(0), 1))
    common, rows = S.T @ S, np.flatnonzero(known.numpy())
    shared = (M * common)[rows].sum()
    among = common[np.ix_(rows, rows)]
    chance = (among.sum() - np.trace(among)) / (len(rows) - 1)
    expected = max(0.0, 1 - chance / shared) if shared else 0.0
    assert beyond_chance(near, graph) == pytest.approx(expected, abs=1e-5)


def test_text_of_taste_is_trusted_and_text_dealt_out_at_random_is_not() -> None:
    train, kinds = shop(2000, 400, 0, 1.0)
    graph = Graph(train)
    rng = np.random.default_rng(1)
    telling = beyond_chance(NeighbourGraph(text_of(kinds, 0), 10, 0.1), graph)
    dealt = beyond_chance(NeighbourGraph(text_of(rng.permutation(kinds), 0), 10, 0.1), graph)
    # Of other items a quarter is of one's kind, so neighbours of one's kind share four times as much as chance has it.
    assert telling == pytest.approx(0.75, abs=0.02)
    assert dealt < 0.1


def test_neighbours_that_share_no_user_are_not_trusted() -> None:
    train = Interactions.from_pairs(np.arange(6), np.arange(6), 6, 6)
    near = NeighbourGraph(torch.eye(6, dtype=torch.float64), 2, 0.1)
    assert beyond_chance(near, Graph(train)) == 0.0
