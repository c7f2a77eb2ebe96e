from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from darec.testing.worlds import tiny_dataset
from darec.types import Interactions
from darec.visualize.cases import nearness, study_cases, user_distances
from darec.visualize.sides import Sides


def breadth_first(train: Interactions, start: int) -> list[float]:
    users_of = [train.users[train.items == item].tolist() for item in range(train.n_items)]
    found, queue = {start: 0.0}, deque([start])
    while queue:
        user = queue.popleft()
        for item in train.of_user(user).tolist():
            for other in users_of[item]:
                if other not in found:
                    found[other] = found[user] + 2
                    queue.append(other)
    return [found.get(user, np.inf) for user in range(train.n_users)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=20))
def test_distances_are_those_of_breadth_first_search(pairs: list[tuple[int, int]]) -> None:
    users, items = np.array(pairs).T
    train = Interactions.from_pairs(users, items, 8, 8)
    found = user_distances(train, np.arange(8))
    assert found.tolist() == [breadth_first(train, user) for user in range(8)]


def test_ranks_are_places_in_the_sorted_list_and_halves_in_a_tie() -> None:
    table = F.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    rows = table.numpy()
    near = nearness(rows, 4, 9)
    order = [other for other in np.argsort(-rows @ rows[4]) if other != 4]
    back = [other for other in np.argsort(-rows @ rows[9]) if other != 9]
    assert (near.rank, near.rank_back) == (order.index(9) + 1, back.index(4) + 1)
    assert near.cosine == pytest.approx(float(rows[4] @ rows[9]))
    assert nearness(np.ones((7, 2), np.float32), 0, 1).rank == 3.5  # of 1 to 6, all alike


def chain() -> tuple[Interactions, torch.Tensor]:
    """Users 0 to 9 in a chain, each sharing an item with the next; the texts of 0 and 9, and of 1 and 2, are alike."""
    users = np.repeat(np.arange(10), 2)
    items = np.stack([np.arange(10), np.arange(10) + 1], 1).ravel()
    text = torch.eye(10, 12)
    text[9, 0], text[2, 1] = 2.0, 3.0
    return Interactions.from_pairs(users, items, 10, 11), F.normalize(text, dim=1)


def test_the_planted_pair_is_found_far_apart_and_the_near_one_is_not() -> None:
    train, text = chain()
    data = replace(tiny_dataset(n_users=10, n_items=11), train=train)
    sides = Sides("users", {"E_L": text}, torch.ones(10, dtype=torch.bool))
    moved = text.clone()
    moved[9] = text[5]
    study = study_cases(data, sides, {"E_L": text, "moved": moved})
    assert study is not None and study.hops == 8  # 18 edges from end to end
    first = study.cases[0]
    assert first.users == ("u0", "u9") and first.hops == 18
    assert first.liked[0] == (data.title(0), data.title(1)) and first.items == (2, 2)
    assert first.near["E_L"].rank == first.near["E_L"].rank_back == 1
    assert first.near["moved"].cosine == 0
    assert len({user for case in study.cases for user in case.users}) == 2 * len(study.cases)
    close = study_cases(data, sides, {"E_L": text}, hops=2)
    assert close is not None and close.cases[0].users == ("u1", "u2")
    known = sides.known.clone()
    known[9] = False
    silent = study_cases(data, replace(sides, known=known), {"E_L": text})
    assert silent is not None
    assert all("u9" not in case.users for case in silent.cases)


def test_without_users_far_apart_there_is_no_study() -> None:
    everybody = Interactions.from_pairs(np.arange(6), np.zeros(6, int), 6, 3)
    data = replace(tiny_dataset(n_users=6, n_items=3, items_per_user=2), train=everybody)
    sides = Sides("users", {"E_L": torch.eye(6)}, torch.ones(6, dtype=torch.bool))
    assert study_cases(data, sides, {"E_L": torch.eye(6)}) is None


def test_users_without_a_path_are_far_apart() -> None:
    apart = Interactions.from_pairs(np.arange(4), np.array([0, 0, 1, 1]), 4, 2)
    data = replace(tiny_dataset(n_users=4, n_items=2, items_per_user=2), train=apart)
    text = F.normalize(torch.tensor([[1.0, 0], [0, 1], [1, 0.1], [-1, 0]]), dim=1)
    study = study_cases(data, Sides("users", {"E_L": text}, torch.ones(4, dtype=torch.bool)), {})
    assert study is not None and study.hops == 8
    assert study.cases[0].users == ("u0", "u2") and study.cases[0].hops is None
