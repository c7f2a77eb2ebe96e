from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.graph import Graph, GraphSpec, Pattern
from darec.types import Interactions


def random_pattern(seed: int, n: int = 9, pairs: int = 14) -> tuple[Pattern, torch.Tensor]:
    """A pattern and the dense 0/1 matrix that it stands for."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.randint(n, (2, pairs), generator=generator)
    dense = torch.zeros(n, n, dtype=torch.float64)
    dense[rows, columns] = dense[columns, rows] = 1
    return Pattern.from_pairs(rows, columns, n), dense


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_products_equal_the_dense_ones(seed: int) -> None:
    pattern, dense = random_pattern(seed)
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 9, 3, dtype=torch.float64, generator=generator)
    weights = torch.rand(len(pattern.rows), dtype=torch.float64, generator=generator)
    matrix = torch.zeros_like(dense)
    matrix[pattern.rows, pattern.indices.long()] = weights
    assert torch.equal(matrix != 0, dense != 0)
    torch.testing.assert_close(pattern.dots(a, b), (a @ b.T)[pattern.rows, pattern.indices.long()])
    torch.testing.assert_close(pattern.product(a, weights), matrix @ a)
    mean = matrix @ a / matrix.sum(1, keepdim=True)
    torch.testing.assert_close(pattern.weighted_mean(a, weights), mean.nan_to_num(0.0))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_mirror_of_an_entry_is_its_transpose(seed: int) -> None:
    pattern, _ = random_pattern(seed)
    assert torch.equal(pattern.rows[pattern.mirror], pattern.indices.long())
    assert torch.equal(pattern.indices.long()[pattern.mirror], pattern.rows)


def test_gradients_by_finite_differences() -> None:
    pattern, _ = random_pattern(1)
    a, b = torch.randn(2, 9, 2, dtype=torch.float64).requires_grad_()
    weights = torch.rand(len(pattern.rows), dtype=torch.float64).add_(0.1).requires_grad_()
    assert torch.autograd.gradcheck(pattern.dots, (a, b))
    assert torch.autograd.gradcheck(pattern.product, (a, weights))
    assert torch.autograd.gradcheck(pattern.weighted_mean, (a, weights))


@pytest.mark.parametrize("self_loops", [False, True])
def test_a_subgraph_is_normalised_by_its_own_degrees(self_loops: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randint(6, (2, 20), generator=generator).numpy()
    train = Interactions.from_pairs(users, items, 6, 6)
    graph = Graph(train, GraphSpec(self_loops=self_loops))
    kept = torch.rand(graph.n_edges, generator=generator) < 0.5
    weights = graph.subgraph(kept)
    dense = torch.zeros(12, 12)
    dense[graph.pattern.rows, graph.indices.long()] = kept[graph.edges.long()].float()
    scale = dense.sum(1).clamp_min(1).rsqrt()
    expected = scale[:, None] * dense * scale
    torch.testing.assert_close(graph.propagate(torch.eye(12), weights), expected)
    everything = torch.ones(graph.n_edges, dtype=torch.bool)
    torch.testing.assert_close(graph.subgraph(everything), graph.weights)
