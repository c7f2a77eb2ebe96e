from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.graph import Graph, GraphSpec
from darec.types import Interactions


def random_pairs(seed: int, n_users: int = 7, n_items: int = 5, n: int = 15) -> Interactions:
    rng = np.random.default_rng(seed)
    return Interactions.from_pairs(
        rng.integers(n_users, size=n), rng.integers(n_items, size=n), n_users, n_items
    )


def dense(train: Interactions, self_loops: bool, keep: np.ndarray | None = None) -> torch.Tensor:
    """D^-1/2 A D^-1/2 by the definition; ``keep`` zeroes undirected edges after normalising."""
    n = train.n_users + train.n_items
    a = np.zeros((n, n))
    a[train.users, train.n_users + train.items] = 1
    a += a.T
    if self_loops:
        a += np.eye(n)
    d = np.maximum(a.sum(1), 1)
    a = a / np.sqrt(d[:, None] * d[None, :])
    if keep is not None:
        mask = np.eye(n)
        mask[train.users, train.n_users + train.items] = keep
        mask[train.n_users + train.items, train.users] = keep
        a = a * mask
    return torch.from_numpy(a)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), self_loops=st.booleans(), layers=st.integers(0, 4))
def test_propagation_equals_the_dense_product(seed: int, self_loops: bool, layers: int) -> None:
    train = random_pairs(seed)
    graph = Graph(train, GraphSpec(self_loops=self_loops)).double()
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    a = dense(train, self_loops)
    # float32 normalisers, so 1e-6
    torch.testing.assert_close(graph.propagate(x), a @ x, atol=1e-6, rtol=1e-6)
    total = sum((torch.linalg.matrix_power(a, p) @ x for p in range(1, layers + 1)), x)
    torch.testing.assert_close(graph.layer_sum(x, layers), total, atol=1e-6, rtol=1e-6)


def test_gradients_by_finite_differences() -> None:
    train = random_pairs(3)
    graph = Graph(train).double()
    weights = graph.drop_edges(0.6, torch.Generator().manual_seed(0), rescale=True)
    x = torch.randn(12, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: graph.propagate(x, weights), (x,))
    assert torch.autograd.gradcheck(lambda x: graph.layer_sum(x, 3, weights), (x,))


def test_dropping_an_edge_drops_both_directions() -> None:
    train = random_pairs(5)
    graph = Graph(train).double()
    keep = 0.5
    weights = graph.drop_edges(keep, torch.Generator().manual_seed(1), rescale=True)
    kept = np.array([(weights[graph.edges == e] != 0).all() for e in range(graph.n_edges)])
    dropped = np.array([(weights[graph.edges == e] == 0).all() for e in range(graph.n_edges)])
    assert (kept ^ dropped).all() and kept.any() and dropped.any()
    x = torch.eye(12, dtype=torch.float64)
    expected = dense(train, False, kept.astype(float)) / keep
    torch.testing.assert_close(graph.propagate(x, weights), expected, atol=1e-6, rtol=1e-6)


def test_edge_dropout_keeps_the_stated_share_and_expectation() -> None:
    train = random_pairs(0, 300, 300, 20_000)
    graph = Graph(train)
    weights = graph.drop_edges(0.8, torch.Generator().manual_seed(2), rescale=False)
    share = float((weights != 0).float().mean())
    spread = (0.8 * 0.2 / graph.n_edges) ** 0.5
    assert abs(share - 0.8) < 4 * spread
    torch.testing.assert_close(weights[weights != 0], graph.weights[weights != 0])


def test_isolated_entities_get_nothing() -> None:
    train = Interactions.from_pairs(np.array([0]), np.array([0]), 3, 2)
    graph = Graph(train)
    out = graph.propagate(torch.ones(5, 2))
    assert out.tolist() == [[1, 1], [0, 0], [0, 0], [1, 1], [0, 0]]


def test_weights_with_gradient_are_refused() -> None:
    graph = Graph(random_pairs(1))
    with pytest.raises(ValueError, match="edge weights"):
        graph.propagate(torch.ones(12, 2), graph.weights.clone().requires_grad_())


def test_graph_arrays_move_but_are_not_saved() -> None:
    graph = Graph(random_pairs(1))
    assert not graph.state_dict()
    assert graph.to(torch.float64).weights.dtype == torch.float64


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_rows_held_in_bf16_are_rounded_to_three_digits_both_ways(layers: int) -> None:
    graph = Graph(random_pairs(2, n_users=40, n_items=30, n=400))
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(70, 16, generator=draw, requires_grad=True)
    whole = graph.layer_sum(x, layers)
    held = graph.layer_sum(x, layers, stored=torch.bfloat16)
    assert held.dtype == torch.float32
    scale = float(whole.detach().abs().max())
    assert 0 < float((held - whole).detach().abs().max()) < 0.01 * scale
    push = torch.randn(70, 16, generator=draw)
    exact, rounded = (torch.autograd.grad(one, x, push)[0] for one in (whole, held))
    assert rounded.dtype == torch.float32
    assert 0 < float((rounded - exact).abs().max()) < 0.01 * float(exact.abs().max())
