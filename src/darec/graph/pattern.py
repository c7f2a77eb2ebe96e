"""Learned weights on the edges of a graph: products with a gradient to the weights, for attention and adaptive masks.

The pattern of non-zeros is symmetric, but its weights need not be. Two kernels are used in both directions: the product
with the weighted pattern, and the inner products of the two ends of each entry. Each is the other's backward pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class Pattern:
    """Positions of the non-zeros of a square matrix with symmetric structure, in compressed sparse rows.

    Args:
        indptr: [N + 1] int, row starts.
        indices: [nnz] int, column of each entry, ascending within a row.
    """

    def __init__(self, indptr: Tensor, indices: Tensor) -> None:
        self.indptr, self.indices = indptr, indices

    @classmethod
    def from_pairs(cls, rows: Tensor, columns: Tensor, n: int) -> Pattern:
        """The pattern of both directions of each (row, column), without repeats."""
        keys = torch.unique(torch.cat([rows * n + columns, columns * n + rows]))
        counts = torch.bincount(keys // n, minlength=n)
        indptr = F.pad(counts.cumsum(0), (1, 0))
        index = torch.int32 if max(n, len(keys)) < 2**31 else torch.int64
        return cls(indptr.to(index), (keys % n).to(index))

    @property
    def n(self) -> int:
        """N, rows and columns."""
        return len(self.indptr) - 1

    @cached_property
    def rows(self) -> Tensor:
        """[nnz] long, row of each entry."""
        return torch.repeat_interleave(self.indptr.diff().long())

    @cached_property
    def mirror(self) -> Tensor:
        """[nnz] long, for the entry (i, j) the position of the entry (j, i)."""
        return torch.argsort(self.indices.long() * self.n + self.rows)

    def dots(self, a: Tensor, b: Tensor) -> Tensor:
        """``a_i . b_j`` for each entry (i, j).

        Args:
            a: [N, d].
            b: [N, d].

        Returns:
            [nnz].
        """
        return _dots(a, b, self)

    def product(self, x: Tensor, weights: Tensor) -> Tensor:
        """``sum_j w_ij x_j`` for each row i.

        Args:
            x: [N, d].
            weights: [nnz], of any sign, not necessarily symmetric.

        Returns:
            [N, d].
        """
        return _weighted(x, weights, self)

    def weighted_mean(self, x: Tensor, weights: Tensor) -> Tensor:
        """``sum_j w_ij x_j / sum_j w_ij`` for each row i; zero for a row whose weights sum to zero.

        Args:
            x: [N, d].
            weights: [nnz], not negative.

        Returns:
            [N, d].
        """
        ones = torch.ones(len(x), 1, dtype=x.dtype, device=x.device)
        total = self.product(torch.cat([x, ones], 1), weights)
        return total[:, :-1] / total[:, -1:].clamp_min(torch.finfo(x.dtype).tiny)

    def _bag(self, x: Tensor, weights: Tensor) -> Tensor:
        return F.embedding_bag(
            self.indices,
            x.detach().contiguous(),
            self.indptr,
            mode="sum",
            per_sample_weights=weights.detach().to(x.dtype),
            include_last_offset=True,
        )

    def _sampled(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = a.detach().contiguous(), b.detach().contiguous()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            zeros = torch.zeros(len(self.indices), dtype=a.dtype, device=a.device)
            pattern = torch.sparse_csr_tensor(
                self.indptr, self.indices, zeros, (self.n, self.n), check_invariants=False
            )
            sampled: Tensor = torch.sparse.sampled_addmm(pattern, a, b.T, beta=0.0)
        return sampled.values()


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(a, b)
        ctx.pattern = pattern
        return pattern._sampled(a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (a, b), pattern, (grad,) = ctx.saved_tensors, ctx.pattern, grads
        to_a = pattern._bag(b, grad) if ctx.needs_input_grad[0] else None
        to_b = pattern._bag(a, grad[pattern.mirror]) if ctx.needs_input_grad[1] else None
        return to_a, to_b, None


class _Weighted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(x, weights)
        ctx.pattern = pattern
        return pattern._bag(x, weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, weights), pattern, (grad,) = ctx.saved_tensors, ctx.pattern, grads
        to_x = pattern._bag(grad, weights[pattern.mirror]) if ctx.needs_input_grad[0] else None
        to_weights = pattern._sampled(grad, x) if ctx.needs_input_grad[1] else None
        return to_x, to_weights, None


_dots: Callable[[Tensor, Tensor, Pattern], Tensor] = _Dots.apply
_weighted: Callable[[Tensor, Tensor, Pattern], Tensor] = _Weighted.apply
