"""The one recipe of an item's neighbours in text, against means written out and the parts that it is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from darec.graph import (
    Graph,
    NeighbourGraph,
    neighbour_means,
    reliability,
    shared_text,
    text_neighbours,
)
from darec.types import Interactions

N_USERS, N_ITEMS = 40, 24


def table(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def two_kinds() -> tuple[torch.Tensor, Graph]:
    """Text of two kinds of items, and users who take one kind each."""
    kinds = torch.arange(N_ITEMS) % 2
    pairs = [(u, i) for u in range(N_USERS) for i in range(N_ITEMS) if (u - i) % 2 == 0]
    kept = np.random.default_rng(0).random(len(pairs)) < 0.4
    train = Interactions.from_pairs(*np.array(pairs)[kept].T, N_USERS, N_ITEMS)
    return torch.eye(2)[kinds] + 0.3 * table(N_ITEMS, 2), Graph(train)


def test_neighbours_are_those_of_the_part_and_their_reliability_is_measured() -> None:
    items, graph = two_kinds()
    mask = torch.arange(N_ITEMS) != 3
    shared = shared_text(items, mask, graph)
    for part, rows in ((None, items), (shared, shared.part(items).float())):
        found = text_neighbours(items, mask, graph, shared=part, count=4, temperature=0.2)
        assert found is not None
        expected = NeighbourGraph(rows, 4, 0.2, mask)
        assert torch.equal(found.graph.indices, expected.indices)
        assert torch.equal(found.graph.weights, expected.weights)
        assert found.reliability == reliability(expected, graph) > 0.1


def test_a_trust_that_is_given_is_not_measured() -> None:
    items, graph = two_kinds()
    found = text_neighbours(items, torch.ones(N_ITEMS, dtype=torch.bool), graph, trust=0.25)
    assert found is not None and found.reliability == 0.25


@pytest.mark.parametrize("known", [0, 1])
def test_fewer_than_two_texts_have_no_neighbours(known: int) -> None:
    items, graph = two_kinds()
    assert text_neighbours(items, torch.arange(N_ITEMS) < known, graph) is None


def test_a_part_without_directions_has_no_neighbours() -> None:
    items, graph = two_kinds()
    alone = Interactions.from_pairs(np.arange(N_ITEMS), np.arange(N_ITEMS), N_USERS, N_ITEMS)
    mask = torch.ones(N_ITEMS, dtype=torch.bool)
    nothing = shared_text(items, mask, Graph(alone))
    assert text_neighbours(items, mask, graph, shared=nothing) is None


@pytest.mark.parametrize("asked", [None, 7])
def test_means_are_softmax_weighted_over_the_nearest(asked: int | None) -> None:
    x, values = table(12, 3), table(12, 5, 1)
    queries = None if asked is None else table(asked, 3, 2)
    found = neighbour_means(values, x, queries, count=4, temperature=0.3)
    for row, query in enumerate(x if queries is None else queries):
        cosines = torch.cosine_similarity(query[None], x)
        if queries is None:
            cosines[row] = -torch.inf
        near = cosines.argsort(descending=True)[:4]
        weights = torch.softmax(cosines[near] / 0.3, 0)
        torch.testing.assert_close(found[row], weights @ values[near])


def test_no_more_neighbours_than_there_are_and_none_for_no_query() -> None:
    x, values = table(4, 3), table(4, 2, 1)
    everyone = neighbour_means(values, x, torch.zeros(1, 3), count=10)
    torch.testing.assert_close(everyone[0], values.mean(0))  # equal cosines
    others = neighbour_means(values, torch.zeros(4, 3), count=10)
    torch.testing.assert_close(others[0], values[1:].mean(0))
    assert neighbour_means(values, x, torch.zeros(0, 3)).shape == (0, 2)
