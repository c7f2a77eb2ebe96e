"""The shared part of the text: against the formula written densely, its laws, and a world whose text also chatters."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from building import encoded, inputs, table
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.alignments.base import AlignmentInputs
from darec.alignments.darec import DaRec, DaRecConfig
from darec.graph import Graph, NeighbourGraph, reliability, shared_text
from darec.graph.shared_text import PENALTY
from darec.types import Interactions, Tables

N_USERS, N_ITEMS = 40, 30
KINDS = torch.arange(N_ITEMS) % 3
PAIRS = [
    (u, i) for u in range(N_USERS) for i in range(N_ITEMS) if u % 3 == i % 3 and (u + i // 3) % 4
]
TRAIN = Interactions.from_pairs(*np.array(PAIRS).T, N_USERS, N_ITEMS)
ALL = torch.ones(N_ITEMS, dtype=torch.bool)


def structure(items: torch.Tensor, mask: torch.Tensor = ALL) -> torch.Tensor:
    """[I, I] inner products of the shared parts, rows as the closed form reads them."""
    mean, directions = shared_text(items, mask, Graph(TRAIN))
    rows = torch.nn.functional.normalize(items.double() - mean, dim=1) @ directions
    return rows @ rows.T


def chattering(loud: float = 3.0) -> torch.Tensor:
    """Text that names an item's kind quietly, and says much else loudly."""
    return torch.cat([torch.eye(3)[KINDS], loud * table(N_ITEMS, 5)], dim=1)


@pytest.mark.parametrize("without", [[], [3, 4]])
def test_it_is_the_positive_part_of_the_two_sided_ridge(without: list[int]) -> None:
    items, mask = table(N_ITEMS, 5), ALL.clone()
    mask[without] = False
    mean, directions = shared_text(items, mask, Graph(TRAIN))
    x = items.double().numpy()
    expected_mean = x[mask.numpy()].mean(0)
    T = x - expected_mean
    T = np.where(mask.numpy()[:, None], T / np.linalg.norm(T, axis=1, keepdims=True), 0)
    taken = np.zeros((N_USERS, N_ITEMS))
    taken[TRAIN.users, TRAIN.items] = 1
    S = taken / np.sqrt(taken.sum(1, keepdims=True) * np.maximum(taken.sum(0), 1))
    G = S.T @ S
    np.fill_diagonal(G, 0)
    moments = T.T @ T
    inverse = np.linalg.inv(moments + PENALTY * np.trace(moments) / 5 * np.eye(5))
    values, vectors = np.linalg.eigh(inverse @ T.T @ G @ T @ inverse)
    positive = (vectors * np.maximum(values, 0)) @ vectors.T
    np.testing.assert_allclose(mean.numpy(), expected_mean, rtol=1e-6)
    np.testing.assert_allclose(directions @ directions.T, positive, rtol=1e-5, atol=1e-8)
    lengths = torch.linalg.vector_norm(directions, dim=0)
    assert torch.equal(lengths, lengths.sort(descending=True).values)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10.0))
def test_turning_moving_and_scaling_the_text_changes_nothing(seed: int, scale: float) -> None:
    items = table(N_ITEMS, 5, seed)
    rotation = torch.linalg.qr(table(5, 5, seed + 1))[0]
    moved = scale * items @ rotation + table(1, 5, seed + 2)
    kept = structure(items)
    torch.testing.assert_close(
        structure(moved), kept, rtol=1e-3, atol=1e-4 * float(kept.abs().max())
    )


def test_what_is_specific_to_the_language_is_left_out() -> None:
    """The kinds lead, though the chatter has nine times their variance; neighbours are then of one's own kind."""
    items = chattering()
    told = shared_text(items, ALL, Graph(TRAIN))
    kinds, chatter = (part.square().sum() for part in told.directions.split([3, 5]))
    assert kinds > 10 * chatter
    shared = told.part(items).float()
    found = {}
    for name, rows in {"whole": items, "shared": shared}.items():
        near = NeighbourGraph(rows, 5, 0.1)
        own = KINDS[near.indices.long()].view(N_ITEMS, 5) == KINDS[:, None]
        found[name] = own.float().mean().item(), reliability(near, Graph(TRAIN))
    assert found["shared"][0] > 0.9
    assert found["whole"][0] < 0.6
    assert found["shared"][1] > 2 * found["whole"][1]


def test_interactions_of_which_the_text_says_nothing_share_nothing_with_it() -> None:
    """One item a user: no two items have a user in common. Equal texts: nothing to tell them apart by."""
    apart = Graph(Interactions.from_pairs(np.arange(N_ITEMS), np.arange(N_ITEMS), N_USERS, N_ITEMS))
    assert shared_text(table(N_ITEMS, 5), ALL, apart).directions.shape == (5, 0)
    equal = torch.ones(N_ITEMS, 5)
    assert shared_text(equal, ALL, Graph(TRAIN)).directions.shape == (5, 0)
    none = torch.zeros(N_ITEMS, dtype=torch.bool)
    assert shared_text(table(N_ITEMS, 5), none, Graph(TRAIN)).directions.shape == (5, 0)


def given_world(items: torch.Tensor, train: Interactions = TRAIN) -> AlignmentInputs:
    return dataclasses.replace(
        inputs(N_USERS, N_ITEMS, 4, items.shape[1]),
        text=Tables(items[torch.arange(N_USERS) % N_ITEMS], items),
        graph=Graph(train),
    )


def test_darec_starts_from_and_averages_over_the_shared_part() -> None:
    world = given_world(chattering())
    model = DaRec(DaRecConfig(n_clusters=2, neighbours=5), world)
    whole = DaRec(DaRecConfig(n_clusters=2, neighbours=5, text_part="whole"), world)
    assert model.text_input.smoothing > 2 * whole.text_input.smoothing
    ids = 0.1 * table(N_USERS + N_ITEMS, 2)
    made = model.initial_ids(ids)
    users, items = made.split([N_USERS, N_ITEMS])
    assert users.norm().item() == pytest.approx(ids[:N_USERS].norm().item(), rel=1e-5)
    # One basis for both: a user whose text is an item's starts on its side.
    cosines = torch.cosine_similarity(users[:N_ITEMS], items)
    torch.testing.assert_close(cosines, torch.ones(N_ITEMS))
    cosines = torch.nn.functional.normalize(items) @ torch.nn.functional.normalize(items).T
    same = KINDS[:, None] == KINDS
    assert cosines[same].mean() > 0.8
    assert cosines[~same].mean() < 0


def test_where_text_and_interactions_share_nothing_text_changes_nothing() -> None:
    apart = Interactions.from_pairs(np.arange(N_ITEMS), np.arange(N_ITEMS), N_USERS, N_ITEMS)
    world = given_world(table(N_ITEMS, 5), apart)
    model = DaRec(DaRecConfig(n_clusters=2, text_width=3), world)
    ids = table(N_USERS + N_ITEMS, 4)
    assert torch.equal(model.initial_ids(ids), ids)
    assert model.fuse(ids, None) is ids
    assert model.text_input.smoothing == 0.0
    E_C = encoded(N_USERS, N_ITEMS, 4)
    assert torch.equal(model.represent(E_C).items, E_C.items)


def test_the_papers_form_reads_no_shared_part() -> None:
    model = DaRec(
        DaRecConfig(**(DaRecConfig.presets["paper"] | {"n_clusters": 2})),
        given_world(table(N_ITEMS, 5)),
    )
    assert model.text_input.shared is None
