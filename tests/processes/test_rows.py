"""Rows of tables divided among threads that stand for processes, against the whole tables."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from darec.backbones.views import contrast_rows
from darec.config import resolve_config
from darec.data.sampling import Sampler
from darec.errors import ConfigError
from darec.graph import Graph, GraphSpec
from darec.processes import WHOLE, Group, Kind, Layout, Rows
from darec.processes.partition import Partition, bounds
from darec.testing.divided import assert_divided_is_whole
from darec.testing.threads import together
from darec.types import Interactions

N_USERS, N_ITEMS, DIM = 11, 7, 3
KINDS: tuple[tuple[Kind, int], ...] = (
    ("users", N_USERS),
    ("items", N_ITEMS),
    ("entities", N_USERS + N_ITEMS),
)


def pairs(seed: int = 0, n: int = 40) -> Interactions:
    """A few users without an item, a user with all of them, and popular items."""
    rng = np.random.default_rng(seed)
    users = np.r_[rng.integers(0, N_USERS - 2, n), np.full(N_ITEMS, 4)]
    items = np.r_[(N_ITEMS * rng.random(n) ** 2).astype(int), np.arange(N_ITEMS)]
    return Interactions.from_pairs(users, items, N_USERS, N_ITEMS)


def table(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, DIM, generator=generator, dtype=torch.float64)


def rows_of(group: Group, train: Interactions) -> Rows:
    return Rows(group, Partition.balanced(train, group.size))


@given(
    degree=st.lists(st.integers(0, 50), min_size=1, max_size=60),
    size=st.integers(1, 8),
)
def test_blocks_hold_all_rows_and_nearly_the_same_number_of_edges(
    degree: list[int], size: int
) -> None:
    size = min(size, len(degree))
    found = bounds(np.array(degree), size)
    assert (found[0], found[-1], len(found)) == (0, len(degree), size + 1)
    assert all(start < stop for start, stop in pairwise(found))
    running = np.r_[0, np.cumsum(degree)]
    # A bound is as near to its share as one row allows, unless blocks of one row are in the way.
    for rank, bound in enumerate(found):
        wanted, most = running[-1] * rank / size, max(degree)
        squeezed = rank == bound or len(degree) - bound == size - rank
        near = bound == found[max(0, rank - 1)] + 1
        assert squeezed or near or abs(running[bound] - wanted) <= most / 2


def test_edges_are_balanced_where_rows_are_not() -> None:
    """The first item has half of all edges: it is a block, and all others are the other."""
    assert bounds(np.array([50, *[1] * 50]), 2) == (0, 1, 51)
    assert bounds(np.ones(10, int), 3) == (0, 3, 7, 10)
    assert bounds(np.zeros(5, int), 3) == (0, 1, 2, 5)


def test_more_processes_than_rows_are_refused() -> None:
    with pytest.raises(ConfigError, match="7 items"):
        Partition.balanced(pairs(), 8)
    with pytest.raises(ConfigError) as error:
        Partition.balanced(pairs(), 12)
    assert "--processes=12, and the dataset has 11 users" in error.value.command_line


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(("of", "n"), KINDS)
def test_what_is_dealt_gathered_and_collected_is_the_table(size: int, of: Kind, n: int) -> None:
    whole, train = table(n), pairs()

    def work(group: Group) -> Tensor:
        rows = rows_of(group, train)
        own = rows.own_rows(whole, of)
        assert (
            torch.equal(
                torch.cat([rows.own_rows(whole[:4], of), rows.own_rows(whole[4:], of, 4)]), own
            )
            or of == "entities"
        )
        assert torch.equal(own[rows.places(torch.arange(n), of)].sort(0)[0], own.sort(0)[0])
        some = torch.tensor([n - 1, 0, 3, 3, 2])
        assert torch.equal(rows.gathered(own, of), whole)
        assert torch.equal(rows.everywhere(own, of), whole)
        assert torch.equal(rows.gathered(own, of, some), whole[some])
        assert torch.equal(rows.everywhere(own, of, some[:0]), whole[:0])
        collected = rows.collected(own, of)
        assert (collected is not None) == group.leads
        assert collected is None or torch.equal(collected, whole)
        assert torch.equal(rows.handed(collected, own, of), own)
        return own

    parts = together(work, size)
    assert sum(map(len, parts)) == n
    if of != "entities":
        assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("users", [[0, 0, 3, 4, 4, 9, 10], [2, 2], [10]])
def test_gradients_of_a_batch_are_those_of_one_process(users: list[int]) -> None:
    """Of a loss by shares, one of which may be empty, and of one that all processes compute alike."""
    train, batch = pairs(), torch.tensor(users)
    items = torch.tensor([5, 1, 1, 6, 0, 2, 5][: len(users)])
    negatives, weights = torch.tensor([6, 0, 3]), torch.arange(1.0, len(users) + 1).double()

    def loss(layout: Layout, of_users: Tensor, of_items: Tensor) -> Tensor:
        cuts = layout.cuts(batch, "users")
        (mine,) = layout.dealt(of_users, "users", [batch], cuts)
        ours, others = layout.dealt(of_items, "items", [items], cuts, [negatives])
        scores = ((mine * ours).sum(1)[:, None] * (mine @ others.T).sin()).mean(1)
        own = layout.share(weights, cuts)
        shared = layout.mean((scores * own).sum() / own.sum(), cuts, weights)
        return shared + layout.gathered(of_items, "items", items).cos().sum()

    whole = [table(N_USERS).requires_grad_(), table(N_ITEMS, 1).requires_grad_()]
    expected = loss(WHOLE, *whole)
    expected.backward()

    def work(group: Group) -> None:
        rows = rows_of(group, train)
        kinds: tuple[Kind, Kind] = ("users", "items")
        own = [
            rows.own_rows(x.detach(), of).requires_grad_()
            for x, of in zip(whole, kinds, strict=True)
        ]
        found = loss(rows, *own)
        found.backward()
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
        for part, x, of in zip(own, whole, kinds, strict=True):
            assert x.grad is not None
            torch.testing.assert_close(part.grad, rows.own_rows(x.grad, of), rtol=1e-12, atol=1e-14)

    together(work, 3)


def test_a_batch_out_of_order_is_refused() -> None:
    def work(group: Group) -> None:
        with pytest.raises(ValueError, match="ascending"):
            rows_of(group, pairs()).cuts(torch.tensor([3, 2]), "users")

    together(work)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), loops=st.booleans(), size=st.integers(2, 3))
def test_propagation_and_its_gradient_are_those_of_the_whole_graph(
    seed: int, loops: bool, size: int
) -> None:
    """With dropped edges and with subgraphs; each process has the edges of its own rows."""
    train, n = pairs(seed), N_USERS + N_ITEMS
    spec = GraphSpec(self_loops=loops)
    x, weights = table(n, seed), table(n, seed + 1)

    def computed(graph: Graph, x: Tensor, weights: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        thinned = graph.drop_edges(0.7, generator, rescale=True).double()
        subgraph = graph.subgraph(graph.sample_edges(0.6, generator)).double()
        found = graph.layer_sum(x, 2, thinned) + graph.propagate(graph.propagate(x), subgraph)
        (found.sin() * weights).sum().backward()
        return found.detach()

    whole, leaf = Graph(train, spec).double(), x.clone().requires_grad_()
    expected = computed(whole, leaf, weights)
    assert leaf.grad is not None

    def work(group: Group) -> int:
        rows = rows_of(group, train)
        graph = Graph(train, spec, rows).double()
        own = rows.own_rows(x, "entities").requires_grad_()
        found = computed(graph, own, rows.own_rows(weights, "entities"))
        kept = [rows.own_rows(one, "entities") for one in (expected, leaf.grad)]
        torch.testing.assert_close(found, kept[0], rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(own.grad, kept[1], rtol=1e-12, atol=1e-13)
        return len(graph.indices)

    assert sum(together(work, size)) == len(whole.indices)


def test_only_the_needed_rows_are_sent() -> None:
    """Two shops that share nothing: no row leaves its process, and a common item does."""
    users, items = [0, 0, 1, 2, 3, 3], [0, 1, 1, 2, 2, 3]
    apart = Interactions.from_pairs(np.array(users), np.array(items), 4, 4)
    met = Interactions.from_pairs(np.array([*users, 0]), np.array([*items, 3]), 4, 4)

    def sent(group: Group, train: Interactions) -> int:
        rows = rows_of(group, train)
        graph = Graph(train, layout=rows)
        before = group.sent
        graph.propagate(rows.own_rows(torch.ones(8, 5), "entities"))
        return group.sent - before

    assert together(partial(sent, train=apart)) == [0, 0]
    assert together(partial(sent, train=met)) == [20, 20]  # five columns of one row


def test_batches_and_negatives_are_those_of_one_process() -> None:
    """Also where a user has all items, whose pairs are in no batch."""
    train = pairs(3)
    assert (train.user_degree == N_ITEMS).any()

    def drawn(layout: Layout) -> list[tuple[list[int], ...]]:
        sampler, generator = Sampler(train, layout), torch.Generator().manual_seed(5)
        found = []
        for _ in range(2):
            for users, items in sampler.epoch(9, generator):
                negatives = sampler.negatives(users, generator)
                found.append((users.tolist(), items.tolist(), negatives.tolist()))
                own = layout.share(users, layout.cuts(users, "users"))
                blocked = sampler.blocked(own, torch.arange(N_ITEMS))
                degrees = train.user_degree[own.numpy()].tolist()
                assert blocked.sum(1).tolist() == degrees
        return found

    expected = drawn(WHOLE)
    for size in (2, 3):
        assert together(lambda group: drawn(rows_of(group, train)), size) == [expected] * size


@pytest.mark.parametrize("among_all", [False, True])
@pytest.mark.parametrize("chosen", [[3], [0, 2, 10]])
def test_contrast_is_that_of_whole_tables(among_all: bool, chosen: list[int]) -> None:
    rows, counts = torch.tensor(chosen), torch.arange(1, len(chosen) + 1)
    one, other = table(N_USERS, 3), table(N_USERS, 4)
    contrast = partial(contrast_rows, of="users", temperature=0.3, among_all=among_all)

    def work(group: Group) -> None:
        layout = rows_of(group, pairs())
        parts = [layout.own_rows(x, "users") for x in (one, other)]
        found = contrast(*parts, rows, counts, layout=layout)
        torch.testing.assert_close(found, contrast(one, other, rows, counts))

    together(work)


@pytest.mark.parametrize("entities", ["apart", "together"])
def test_all_that_darec_reads_of_the_text_is_that_of_one_process(entities: str) -> None:
    """Neighbours that count, whose rows other processes have, and a table of the text's own."""
    alignment = {
        "name": "darec",
        "entities": entities,
        "reliability": 0.6,
        "neighbours": 3,
        "text_width": 3,
        "n_sampled": None if entities == "apart" else 20,
    }
    config = resolve_config({"backbone": {"name": "gccf", "dim": 5}, "alignment": alignment})
    together(partial(assert_divided_is_whole, config, steps=5, shards="rows"), 3)


@pytest.mark.parametrize("augmentation", ["node_dropout", "random_walk"])
def test_all_thinned_graphs_are_those_of_one_process(augmentation: str) -> None:
    backbone = {"name": "sgl", "dim": 5, "augmentation": augmentation, "renormalise": True}
    config = resolve_config({"backbone": backbone, "loss": {"name": "softmax", "log_q": True}})
    together(partial(assert_divided_is_whole, config, shards="rows"), 3)
