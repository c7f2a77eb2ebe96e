"""Nearest neighbours in a space of embeddings, as a graph over which tables are averaged."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darec.graph.adjacency import csr_product
from darec.graph.nearest import find_neighbours
from darec.processes import Layout, Rows
from darec.processes.fetching import fetched


def neighbour_weights(cosines: Tensor, temperature: float) -> Tensor:
    """[n, k] weights of neighbours, adding up to 1 in each row: the softmax of the cosines over the temperature."""
    return torch.softmax(cosines / temperature, dim=1)


class _Smoothed(torch.autograd.Function):
    """``x + s M x``, whose backward is ``g + s M^T g``; both M and its transpose are stored as compressed rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float, *csr: Tensor) -> Tensor:
        ctx.strength = strength
        ctx.save_for_backward(*csr[3:])
        return csr_product(x, *csr[:3]).mul_(strength).add_(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = csr_product(grads[0].contiguous(), *ctx.saved_tensors)
        return grad.mul_(ctx.strength).add_(grads[0]), *[None] * 7


_smoothed: Callable[..., Tensor] = _Smoothed.apply


class _Multiplied(torch.autograd.Function):
    """``M x``, whose backward is ``M^T g``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *csr: Tensor) -> Tensor:
        ctx.save_for_backward(*csr[3:])
        return csr_product(x, *csr[:3])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return csr_product(grads[0].contiguous(), *ctx.saved_tensors), *[None] * 6


_multiplied: Callable[..., Tensor] = _Multiplied.apply


def _both_ways(
    rows: Tensor, columns: Tensor, weights: Tensor, shape: tuple[int, int]
) -> dict[str, Tensor]:
    """A sparse matrix and its transpose as compressed rows, from its entries by ascending row."""
    order = torch.sort(columns, stable=True).indices
    index = torch.int32 if max(*shape, len(rows)) < 2**31 else torch.int64

    def starts(ascending: Tensor, n: int) -> Tensor:
        counts = torch.bincount(ascending, minlength=n)
        return F.pad(counts.cumsum(0), (1, 0)).to(index)

    return {
        "indptr": starts(rows, shape[0]),
        "indices": columns.to(index),
        "weights": weights,
        "transposed_indptr": starts(columns[order], shape[1]),
        "transposed_indices": rows[order].to(index),
        "transposed_weights": weights[order],
    }


class NeighbourGraph(nn.Module):
    """Every row's nearest neighbours, weighted by a softmax of their cosines.

    Attributes:
        indptr: [n + 1] int, start of each row's neighbours.
        indices: [n k] int, the neighbours.
        weights: [n k] their weights, with sum 1 in each row that has neighbours.
        recall: share of the exact neighbours that are among them (:mod:`darec.graph.nearest`); None: all are.

    Args:
        x: [n, d] embeddings that define nearness.
        count: k, number of neighbours of each row, at most n - 1.
        temperature: divides the cosines; a smaller one gives the nearest more weight.
        known: [n] bool, False for rows without information: they have no neighbours and are not neighbours. None is all
            True.

    Raises:
        ValueError: there are fewer than two known rows.
    """

    indptr: Tensor
    indices: Tensor
    weights: Tensor

    def __init__(
        self, x: Tensor, count: int, temperature: float, known: Tensor | None = None
    ) -> None:
        super().__init__()
        ids = torch.arange(len(x), device=x.device)
        ids = ids if known is None else ids[known]
        near, cosines, self.recall = find_neighbours(x[ids], min(count, len(ids) - 1))
        rows = ids.repeat_interleave(near.shape[1])
        columns = ids[near.flatten()]
        weights = neighbour_weights(cosines, temperature).flatten()
        arrays = _both_ways(rows, columns, weights, (len(x), len(x)))
        self._names = tuple(arrays)
        for name, array in arrays.items():  # computed again from the embeddings, so not saved
            self.register_buffer(name, array, persistent=False)

    def smooth(self, table: Tensor, strength: float) -> Tensor:
        """Each row plus ``strength`` times the weighted mean of its neighbours, zero for one without; with gradient.

        Args:
            table: [n, d].
            strength: s.

        Returns:
            [n, d], ``(I + s M) table``.
        """
        csr = [self.get_buffer(name) for name in self._names]
        return _smoothed(table, strength, *csr)

    def divided(self, layout: Layout) -> NeighbourGraph | OwnNeighbours:
        """The same for tables of items that are divided among processes; all of them call it together."""
        return OwnNeighbours(self, layout) if isinstance(layout, Rows) else self


class OwnNeighbours(nn.Module):
    """The neighbours of a process's own items, where tables are divided by rows.

    Args:
        graph: the neighbours of all items.
        layout: which process has which.
    """

    def __init__(self, graph: NeighbourGraph, layout: Rows) -> None:
        super().__init__()
        starts, rank = graph.indptr.long(), layout.group.rank
        wanted = []
        for other, (first, stop) in enumerate(pairwise(layout.partition.items)):
            entries = slice(int(starts[first]), int(starts[stop]))
            distinct, places = graph.indices[entries].long().unique(return_inverse=True)
            wanted.append(distinct)
            if other == rank:
                rows = torch.repeat_interleave(starts[first : stop + 1].diff())
                columns, weights = places, graph.weights[entries]
                shape = (stop - first, len(distinct))
        self.fetch, _ = layout.fetching(wanted, "items")
        arrays = _both_ways(rows, columns, weights, shape)
        self._names = tuple(arrays)
        for name, array in arrays.items():
            self.register_buffer(name, array, persistent=False)

    def smooth(self, table: Tensor, strength: float) -> Tensor:
        """As :meth:`NeighbourGraph.smooth`, of this process's rows."""
        csr = [self.get_buffer(name) for name in self._names]
        return table + strength * _multiplied(fetched(table, self.fetch, False), *csr)
