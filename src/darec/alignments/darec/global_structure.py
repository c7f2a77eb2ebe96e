r"""Global structure: both sides' shared rows should be similar to each other in the same places.

The loss is ``(1/n^2) ||S_C - S_L||_F^2`` with the n x n cosine similarities ``S_C = A A^T`` and ``S_L = B B^T``, A and
B the unit rows of C_sh and L_sh. It is computed exactly in O(n d^2) time, never building an n x n matrix.
Expanded, it is ``||A^T A||^2 + ||B^T B||^2 - 2 ||A^T B||^2``, a small difference of large numbers once the sides agree.
With the sum P = A + B and the difference D = A - B the same thing reads

    S_C - S_L = (P D^T + D P^T) / 2
    ||S_C - S_L||_F^2 = (<P^T P, D^T D> + <P^T D, D^T P>) / 2

where every product shrinks with D, so that value and gradient keep their leading digits however close A and B are.
Three d x d matrices again, hence sums over rows: they add over chunks and over processes.

Error, measured with float32 input (d = 32 and 64, n = 10^4 to 10^6) against float64: relative 2e-6 or better where rows
of A and B nearly coincide; absolute 2e-9 elsewhere, also where the similarities coincide but the rows do not (B a
rotation of A); absolute 3e-7 where all rows of a side are equal to the last bit and so all round the same way. A value
of zero may thus come out negative by that much: it is not clamped, since a clamp would hide a larger negative, which
would be a bug.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from darec.numerics.rows import (
    check_same_rows,
    chunks,
    full_precision,
    inverse_norms,
    normalisation_grad,
    sample_rows,
    wide_dtype,
)


@dataclass(frozen=True)
class StructureProducts:
    """Sums over rows from which the global structure loss follows.

    Add up those of disjoint sets of rows, from chunks or processes, then call :meth:`loss`. Differentiable: after an
    all-reduce of the three matrices, each process's gradient is that of the whole loss.

    Attributes:
        total: [d, d] float64, P^T P.
        gap: [d, d] float64, D^T D.
        mixed: [d, d] float64, P^T D.
        n_rows: number of rows summed over.
    """

    total: Tensor
    gap: Tensor
    mixed: Tensor
    n_rows: int

    def __add__(self, other: StructureProducts) -> StructureProducts:
        return StructureProducts(
            self.total + other.total,
            self.gap + other.gap,
            self.mixed + other.mixed,
            self.n_rows + other.n_rows,
        )

    def loss(self) -> Tensor:
        """Scalar float64, ``(1/n^2) ||S_C - S_L||_F^2`` over all rows summed."""
        n = self.n_rows
        aligned = (self.total / n * (self.gap / n)).sum()
        crossed = (self.mixed / n * (self.mixed / n).T).sum()
        return (aligned + crossed) / 2


@full_precision
def structure_products(C_sh: Tensor, L_sh: Tensor) -> StructureProducts:
    """The sums of :class:`StructureProducts` for one set of rows.

    Args:
        C_sh: [n, d1] float, rows of any length.
        L_sh: [n, d2] float, the same entities in the same order. Where widths differ the narrower side is padded
            with zeros, which leaves its similarities as they are; d is the larger width.

    Raises:
        ValueError: the numbers of rows differ.
    """
    check_same_rows(C_sh, L_sh)
    dtype = wide_dtype(C_sh, L_sh)
    total, gap, mixed = _products(C_sh.to(dtype), L_sh.to(dtype))
    return StructureProducts(total, gap, mixed, len(C_sh))


@full_precision
def global_structure_loss(
    C_sh: Tensor,
    L_sh: Tensor,
    *,
    n_sampled: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """``(1/n^2) ||S_C - S_L||_F^2`` over the rows' cosine similarities (DaRec, the global structure term).

    Scale of a row does not matter. Time O(n d^2); memory O(d^2) beside the gradients, since unit rows are made anew
    in the backward pass.

    Args:
        C_sh: [n, d1] float.
        L_sh: [n, d2] float, the same entities in the same order.
        n_sampled: N-hat, the number of rows to draw without replacement in place of all n, as the paper does; all
            rows are taken where n is no larger. Its expectation is the loss over all rows times
            ``(1 - 1/N-hat) / (1 - 1/n)``, since the zero diagonal is a larger part of a smaller matrix.
        generator: source of that draw; None is torch's global generator.

    Returns:
        Scalar in [0, 4]; see the head of this file for its rounding error.

    Raises:
        ValueError: the numbers of rows differ, there are none, or ``n_sampled`` is not positive.
    """
    check_same_rows(C_sh, L_sh)
    if not len(C_sh):
        raise ValueError("the global structure of no rows is undefined.")
    if n_sampled is not None and n_sampled < 1:
        raise ValueError(f"n_sampled={n_sampled}: expected at least one row.")
    if n_sampled is not None and n_sampled < len(C_sh):
        rows = sample_rows(len(C_sh), n_sampled, generator, C_sh.device)
        C_sh, L_sh = C_sh.index_select(0, rows), L_sh.index_select(0, rows)
    return structure_products(C_sh, L_sh).loss().to(wide_dtype(C_sh, L_sh))


class _Products(torch.autograd.Function):
    """P^T P, D^T D and P^T D, chunk by chunk: products in the input's precision, their sums in float64."""

    @staticmethod
    def forward(ctx: Any, C: Tensor, L: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        width = max(C.shape[1], L.shape[1])
        total, gap, mixed = C.new_zeros(3, width, width, dtype=torch.float64).unbind()
        inverses = C.new_empty(2, len(C), 1).unbind()
        for rows_C, rows_L, inverse_C, inverse_L in chunks(C, L, *inverses):
            inverse_C.copy_(inverse_norms(rows_C))
            inverse_L.copy_(inverse_norms(rows_L))
            p, d = _sum_and_difference(rows_C * inverse_C, rows_L * inverse_L)
            total += p.T @ p
            gap += d.T @ d
            mixed += p.T @ d
        ctx.save_for_backward(C, L, *inverses)
        return total, gap, mixed

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        return _products_grad(*ctx.saved_tensors, *grads)


_products: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]] = _Products.apply


@full_precision
def _products_grad(
    C: Tensor,
    L: Tensor,
    inverses_C: Tensor,
    inverses_L: Tensor,
    g_total: Tensor,
    g_gap: Tensor,
    g_mixed: Tensor,
) -> tuple[Tensor, Tensor]:
    """Gradients of C and L, with unit rows made anew: no table beside the gradients is ever whole."""
    by_total, by_gap = ((g + g.T).to(C.dtype) for g in (g_total, g_gap))
    by_mixed = g_mixed.to(C.dtype)
    grad_C, grad_L = torch.empty_like(C), torch.empty_like(L)
    tables = chunks(C, L, inverses_C, inverses_L, grad_C, grad_L)
    for rows_C, rows_L, inverse_C, inverse_L, into_C, into_L in tables:
        a, b = rows_C * inverse_C, rows_L * inverse_L
        p, d = _sum_and_difference(a, b)
        g_p = (p @ by_total).addmm_(d, by_mixed.T)
        g_d = (d @ by_gap).addmm_(p, by_mixed)
        normalisation_grad((g_p + g_d)[:, : C.shape[1]], a, inverse_C, into_C)
        normalisation_grad((g_p - g_d)[:, : L.shape[1]], b, inverse_L, into_L)
    return grad_C, grad_L


def _sum_and_difference(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """P and D of some rows, padded to the larger width."""
    width = max(a.shape[1], b.shape[1])
    a, b = (F.pad(x, (0, width - x.shape[1])) if x.shape[1] < width else x for x in (a, b))
    return a + b, a - b


@torch.no_grad()
def structure_gap(C_sh: Tensor, L_sh: Tensor) -> float:
    """The global structure loss over all rows: 0 when both sides' similarities agree, wherever their rows lie.

    Args:
        C_sh: [n, d1] float.
        L_sh: [n, d2] float, the same entities in the same order.
    """
    return float(global_structure_loss(C_sh, L_sh))
