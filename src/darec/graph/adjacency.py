"""The user-item graph as compressed sparse rows, and the product with it that every graph model uses.

The symmetric normalised adjacency is ``D^-1/2 A D^-1/2`` over N = U + I entities, users first (He et al. 2020,
LightGCN, eq. 3 and 8). Since it equals its transpose, the backward pass of a propagation is the propagation of the
gradient: one kernel serves both. That kernel is ``embedding_bag`` with a weight for each edge, which on a CPU is
twice as fast as torch's CSR product and twenty times as fast as its COO product (docs/architecture.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darec.graph.entries import entries
from darec.graph.pattern import Pattern
from darec.processes import WHOLE, Layout
from darec.processes.fetching import Fetch
from darec.types import Interactions

_DRAWN: Final = 2**22  # edges, a multiple of 4, whose fate is drawn at once


@dataclass(frozen=True)
class GraphSpec:
    """The graph that a backbone needs.

    Attributes:
        self_loops: add an edge from every entity to itself before normalising.
    """

    self_loops: bool = False


def csr_product(x: Tensor, indptr: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """``S x`` for a sparse S in compressed rows: [n + 1], [nnz], [nnz] and [m, d] to [n, d]; no gradient."""
    # If its table requires a gradient, embedding_bag prepares its own backward pass, which is never used here.
    x = x.detach()
    return F.embedding_bag(
        indices, x, indptr, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


def _product(x: Tensor, boundary: Fetch | None, *csr: Tensor) -> Tensor:
    """The same, with the rows that the boundary fetches from other processes after those of ``x``."""
    return csr_product(x if boundary is None else boundary.extended(x), *csr)


def _layer_sum(x: Tensor, layers: int, boundary: Fetch | None, *csr: Tensor) -> Tensor:
    """``x + S x + ... + S^L x`` by Horner's rule, with one buffer for each layer that is added to in place.

    Rows have the number type of the weights meanwhile.
    """
    start = x.to(csr[2].dtype)
    total = start
    for _ in range(layers):
        total = _product(total, boundary, *csr).add_(start)
    return total.to(x.dtype)


class _Product(torch.autograd.Function):
    """``S x`` for a symmetric sparse S, whose backward is ``S g``; of several processes, each has its rows of all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, boundary: Fetch | None, *csr: Tensor) -> Tensor:
        ctx.boundary = boundary
        ctx.save_for_backward(*csr)
        return _product(x, boundary, *csr)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = _product(grads[0].contiguous(), ctx.boundary, *ctx.saved_tensors)
        return grad, None, None, None, None


class _LayerSum(torch.autograd.Function):
    """``(I + S + ... + S^L) x``: a polynomial of a symmetric matrix is symmetric, so backward is forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layers: int, boundary: Fetch | None, *csr: Tensor) -> Tensor:
        ctx.layers, ctx.boundary = layers, boundary
        ctx.save_for_backward(*csr)
        return _layer_sum(x, layers, boundary, *csr)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = _layer_sum(grads[0].contiguous(), ctx.layers, ctx.boundary, *ctx.saved_tensors)
        return grad, None, None, None, None, None


_propagated: Callable[..., Tensor] = _Product.apply
_summed: Callable[..., Tensor] = _LayerSum.apply


class Graph(nn.Module):
    """The normalised adjacency of the training interactions; its arrays move with the model that holds it.

    Of several processes that divide tables by rows, each has the rows of its own entities, and ``indices`` are places
    in its part of a table with the rows of ``boundary`` after it. All of them propagate together.

    Args:
        train: the training interactions.
        spec: which graph; None is without self-loops.
        layout: how tables are divided among processes.

    Attributes:
        n_users: U.
        n_items: I.
        indptr: [N + 1] int, row starts.
        indices: [nnz] int, column of each entry.
        weights: [nnz] float32, ``1 / sqrt(d_row d_column)``.
        edges: [nnz] int, the undirected edge of each entry: (u, i) and (i, u) have the same one.
        n_edges: number of undirected edges (self-loops included), on all processes.
        boundary: fetches the rows of other processes that its entries need; None if it needs none.
    """

    indptr: Tensor
    indices: Tensor
    weights: Tensor
    edges: Tensor

    def __init__(
        self, train: Interactions, spec: GraphSpec | None = None, layout: Layout = WHOLE
    ) -> None:
        super().__init__()
        self._pattern: Pattern | None = None
        spec = spec or GraphSpec()
        self.n_users, self.n_items = train.n_users, train.n_items
        loops = spec.self_loops
        self.n_edges = len(train) + loops * (train.n_users + train.n_items)
        users, items = layout.blocks(train.n_users, train.n_items)
        found = entries(train, users, items, self_loops=loops)
        indices, self.boundary = layout.boundary(found.indices)
        self._all_rows = None if self.boundary is None else partial(Graph, train, spec)
        for name, array in found._replace(indices=indices)._asdict().items():
            # Computed again from the data, so not saved with the model.
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    def whole(self) -> Graph:
        """The same graph with the rows of all entities, which is made anew where this one has only some."""
        return self if self._all_rows is None else self._all_rows()

    def extended(self, x: Tensor) -> Tensor:
        """[n, d] this process's part of a table, with the rows of others that its entries need; no gradient."""
        return x if self.boundary is None else self.boundary.extended(x).clone()

    def propagate(self, x: Tensor, weights: Tensor | None = None) -> Tensor:
        """One step of propagation.

        Args:
            x: [N, d], users first, or this process's part.
            weights: [nnz] weights in place of the graph's own, from :meth:`drop_edges`; they must be symmetric.

        Returns:
            [N, d].
        """
        return _propagated(x, self.boundary, *self._csr(x, weights))

    def layer_sum(
        self,
        x: Tensor,
        layers: int,
        weights: Tensor | None = None,
        *,
        stored: torch.dtype | None = None,
    ) -> Tensor:
        """The sum of ``layers`` successive propagations and their input, ``x + S x + ... + S^L x``.

        It equals the sum of the outputs of :meth:`propagate`, with a third of the memory traffic, as LightGCN needs it.

        Args:
            x: [N, d], users first, or this process's part.
            layers: L.
            weights: as for :meth:`propagate`.
            stored: number type of rows and weights between the layers, forward and backward; sums of a row's neighbours
                are always float32. None is the type of ``x``.

        Returns:
            [N, d], in the number type of ``x``.
        """
        indptr, indices, values = self._csr(x, weights)
        values = values.to(stored or x.dtype)
        return _summed(x, layers, self.boundary, indptr, indices, values)

    def _csr(self, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        weights = self.weights if weights is None else weights
        if weights.requires_grad:
            raise ValueError("propagation has no gradient with respect to edge weights")
        return self.indptr, self.indices, weights.to(x.dtype)

    @property
    def pattern(self) -> Pattern:
        """The places of the non-zeros, for products with learned edge weights."""
        if self._pattern is None or self._pattern.indices is not self.indices:
            self._pattern = Pattern(
                self.indptr, self.indices
            )  # again after a move to another device
        return self._pattern

    def subgraph(self, kept: Tensor) -> Tensor:
        """Weights of a subgraph normalised by its own degrees; zero elsewhere.

        Args:
            kept: [n_edges] bool, the undirected edges that stay.

        Returns:
            [nnz], symmetric, for :meth:`propagate`.
        """
        stays = kept.index_select(0, self.edges).to(self.weights.dtype)
        degree = torch.segment_reduce(stays, "sum", offsets=self.indptr.long())
        inverse_root = degree.clamp_min(1.0).rsqrt()
        rows = inverse_root.index_select(0, self.pattern.rows)
        columns = self.extended(inverse_root[:, None])[:, 0].index_select(0, self.indices)
        return stays * rows * columns

    def thinned(self, kept: Tensor) -> Tensor:
        """[nnz] the graph's own weights, zero for dropped undirected edges; ``kept`` is [n_edges] bool."""
        # Converted to numbers before the look-up: on a CPU looking up booleans takes twice as long.
        return kept.to(self.weights.dtype).index_select(0, self.edges).mul_(self.weights)

    def sample_edges(self, keep: float, generator: torch.Generator) -> Tensor:
        """[n_edges] bool, each undirected edge kept with probability ``keep``, in (0, 1], rounded to 1/65536."""
        # Four draws of 16 bits from each draw of 64 bits, which takes a third of the time of as many floats.
        kept = torch.empty(self.n_edges, dtype=torch.bool, device=generator.device)
        most = round(keep * 2**16) - 2**15 - 1
        # The numbers that a CPU draws do not depend on how many are drawn at once; a GPU's do.
        once = _DRAWN if generator.device.type == "cpu" else max(1, self.n_edges)
        for start in range(0, max(1, self.n_edges), once):
            part = kept[start : start + once]
            count = len(part) // 4 + (start + once >= self.n_edges)
            bits = torch.empty(count, dtype=torch.int64, device=part.device)
            draws = bits.random_(-(2**63), None, generator=generator).view(torch.int16)
            torch.le(draws[: len(part)], most, out=part)
        return kept

    def drop_edges(self, keep: float, generator: torch.Generator, *, rescale: bool) -> Tensor:
        """Weights with each undirected edge kept with probability ``keep`` and zero otherwise.

        Both directions of an edge are dropped together, which keeps the adjacency symmetric.

        Args:
            keep: in (0, 1].
            generator: source of the draw.
            rescale: divide kept edges by ``keep``, so that the expected value is unchanged.
        """
        weights = self.thinned(self.sample_edges(keep, generator))
        return weights.div_(keep) if rescale else weights
