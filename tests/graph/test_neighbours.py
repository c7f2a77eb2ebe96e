"""Nearest neighbours against brute force, and their mean with its gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from darec.graph import NeighbourGraph, nearest_neighbours


def table(n: int, d: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def mean(graph: NeighbourGraph, values: torch.Tensor) -> torch.Tensor:
    return graph.smooth(values, 1.0) - values


def dense(x: torch.Tensor, count: int, temperature: float) -> torch.Tensor:
    """[n, n] weights by sorting every row."""
    unit = F.normalize(x, dim=1)
    weights = torch.zeros(len(x), len(x), dtype=x.dtype)
    for row, cosines in enumerate(unit @ unit.T):
        near = [c for c in cosines.argsort(descending=True).tolist() if c != row][:count]
        weights[row, near] = torch.softmax(cosines[near] / temperature, dim=0)
    return weights


@pytest.mark.parametrize("block", [1, 7, 100])
def test_neighbours_are_those_of_a_full_sort(block: int) -> None:
    x = table(30, 5)
    rows, cosines = nearest_neighbours(x, 4, block=block)
    unit = F.normalize(x, dim=1)
    every = unit @ unit.T
    for row in range(30):
        others = [c for c in every[row].argsort(descending=True).tolist() if c != row]
        assert rows[row].tolist() == others[:4]
        torch.testing.assert_close(cosines[row], every[row, rows[row]])


@pytest.mark.parametrize("count", [0, 30])
def test_more_neighbours_than_other_rows_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} neighbours of 30 rows"):
        nearest_neighbours(table(30, 5), count)


def test_smoothing_is_the_product_with_the_dense_weights_and_so_is_its_gradient() -> None:
    x, values = table(25, 4), table(25, 3, seed=1).requires_grad_()
    smoothing = torch.eye(25, dtype=torch.float64) + 0.7 * dense(x, 5, 0.3)
    smooth = NeighbourGraph(x, 5, 0.3).smooth(values, 0.7)
    torch.testing.assert_close(smooth, smoothing @ values)
    (smooth * table(25, 3, seed=2)).sum().backward()
    torch.testing.assert_close(values.grad, smoothing.T @ table(25, 3, seed=2))


def test_weights_of_a_row_sum_to_one_and_favour_the_nearest_when_cold() -> None:
    x = table(25, 4)
    ones = torch.ones(25, 1, dtype=torch.float64)
    torch.testing.assert_close(mean(NeighbourGraph(x, 6, 0.1), ones), ones)
    nearest, _ = nearest_neighbours(x, 1)
    values = table(25, 3, seed=1)
    torch.testing.assert_close(mean(NeighbourGraph(x, 6, 1e-5), values), values[nearest[:, 0]])


def test_rows_that_say_nothing_have_no_neighbours_and_are_nobodys() -> None:
    x, values = table(25, 4), table(25, 3, seed=1)
    known = torch.arange(25) % 3 != 0
    graph = NeighbourGraph(x, 5, 0.3, known)
    assert torch.equal(graph.smooth(values, 1.0)[~known], values[~known])
    torch.testing.assert_close(mean(graph, values)[known], dense(x[known], 5, 0.3) @ values[known])


def test_there_are_no_more_neighbours_than_other_rows() -> None:
    values = table(3, 2, seed=1)
    others = (values.sum(0) - values) / 2
    torch.testing.assert_close(mean(NeighbourGraph(table(3, 4), 10, 1e9), values), others)
