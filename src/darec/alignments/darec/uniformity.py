"""Uniformity: specific parts should spread over the sphere, and so keep their information.

The mean Gaussian potential of Wang & Isola (2020, section 4.1.2, t = 2) over all pairs of distinct rows. Each
potential lies in [exp(-8), 1], so the logarithm of the plain sum is safe and no log-sum-exp is needed.

The exact form has n^2 / 2 exponentials. They are computed block by block, each pair once. The gradient is computed in
the same pass: d/dx_i of the sum is ``8 sum_j e_ij x_j``, which needs the block e. Computing the blocks again in the
backward pass would double the most expensive part and save only [n, d] numbers.

In the sampled form, rows are shuffled and divided into groups, and all pairs within a group are used. Every pair of
distinct rows is equally likely to share a group, so the mean inside the logarithm is unbiased. (The logarithm is
concave, so its expected value is low by half the relative variance.) At the same number of pairs, the alternatives are
worse. Pairs drawn one by one have the same spread or more (1.9 times as much on rows that share a direction, at 8,000
pairs of 4,000 rows), and take 10 times as long at 64,000 pairs, because they read memory row by row instead of in a
batched product. All pairs of one subset of rows take half the time, but the choice of the subset adds a variance that
groups of *all* rows do not have (spread up to 18 times as large). Most rows then get no gradient: the cosine of the
gradient with the exact one was 0.3, and 0.8 to 0.98 with groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from darec.numerics.rows import (
    chunks,
    full_precision,
    inverse_norms,
    normalisation_grad,
    sample_rows,
    widen,
)


@full_precision
def uniformity_loss(
    C_sp: Tensor,
    L_sp: Tensor,
    *,
    n_sampled: int | None = None,
    chunk_size: int = 512,
    generator: torch.Generator | None = None,
) -> Tensor:
    """``log mean_{i != j} exp(-2 ||x_i - x_j||^2)``, x the unit rows of C_sp, plus the same for L_sp.

    Args:
        C_sp: [n, d] specific part of the collaborative side.
        L_sp: [m, d] specific part of the language side; the sides need not have the same rows.
        n_sampled: smallest number of (unordered) pairs to average over on each side; it is rounded up to whole groups.
            With None, or with all pairs, the mean is exact.
        chunk_size: number of rows in a block of the exact form, which needs O(chunk_size^2 + n d) memory. The sampled
            form needs O(n_sampled + n d).
        generator: source of the sample; None is torch's global generator.

    Returns:
        Scalar in [-16, 0]; 0 if, on each side, all rows have the same direction.

    Raises:
        ValueError: a side has fewer than two rows, or ``n_sampled`` or ``chunk_size`` is not positive.
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size={chunk_size}: expected at least one row.")
    if n_sampled is not None and n_sampled < 1:
        raise ValueError(f"n_sampled={n_sampled}: expected at least one pair.")
    sides = [_log_mean_potential(x, n_sampled, chunk_size, generator) for x in (C_sp, L_sp)]
    return sides[0] + sides[1]


def _log_mean_potential(
    x: Tensor, n_sampled: int | None, chunk_size: int, generator: torch.Generator | None
) -> Tensor:
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"shape {list(x.shape)}: uniformity needs a matrix of at least two rows.")
    x = widen(x)
    n = len(x)
    if n_sampled is not None and n_sampled < n * (n - 1) // 2:
        size, count = _grouping(n, n_sampled)
        rows = sample_rows(n, size * count, generator, x.device)
        total, pairs = _in_groups(x, rows, size), count * size * (size - 1)
    else:
        total, pairs = _in_blocks(x, chunk_size), n * (n - 1)
    return (total / pairs).log().to(x.dtype)


def _grouping(n: int, n_sampled: int) -> tuple[int, int]:
    """Size and number of the groups: the fewest whole groups with enough pairs, over as many rows as possible."""
    size = 2 * n_sampled // n + 1
    while True:
        size += 1
        pairs = size * (size - 1) // 2
        if (n // size) * pairs >= n_sampled:
            return size, -(-n_sampled // pairs)


class _InBlocks(torch.autograd.Function):
    """Sum of potentials over all ordered pairs of distinct rows, float64; each pair is computed once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int) -> Tensor:
        unit, inverse, weight = _normalised(x)
        # The weights are a last column, so that one product gives both the sums and the gradient's rows.
        columns = torch.cat([unit, weight], 1) if ctx.needs_input_grad[0] else weight
        sums = torch.zeros_like(columns)
        blocks = list(zip(*(t.split(size) for t in (unit, columns, sums)), strict=True))
        for i, (unit_i, columns_i, sums_i) in enumerate(blocks):
            for unit_j, columns_j, sums_j in blocks[i:]:
                potential = _potential(unit_i, unit_j.T)
                if sums_i is sums_j:
                    potential.fill_diagonal_(
                        0
                    )  # set to zero instead of subtracted later, which is exact at any n
                else:
                    sums_j.addmm_(potential.T, columns_i)
                sums_i.addmm_(potential, columns_j)
        total = (sums[:, -1] * weight[:, 0]).sum(dtype=torch.float64)
        if ctx.needs_input_grad[0]:
            grad = torch.empty_like(x)
            for g, u, scale, into in chunks(sums[:, :-1], unit, inverse, grad):
                normalisation_grad(g, u, 8 * scale, into)
            ctx.save_for_backward(grad)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = ctx.saved_tensors
        return grad * grads[0].to(grad.dtype), None


class _InGroups(torch.autograd.Function):
    """Sum of potentials over ordered pairs of distinct rows within groups of ``size`` consecutive ``rows``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, size: int) -> Tensor:
        total = x.new_zeros((), dtype=torch.float64)
        grad = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        off_diagonal = 1 - torch.eye(size, dtype=x.dtype, device=x.device)
        for (groups,) in chunks(rows.view(-1, size), rows_each=size):
            unit, inverse, weight = _normalised(x.index_select(0, groups.flatten()))
            grouped = unit.view(*groups.shape, -1)
            potential = _potential(grouped, grouped.mT).mul_(off_diagonal)
            weight = weight.view(*groups.shape, 1)
            total += (potential @ weight * weight).sum(dtype=torch.float64)
            if grad is not None:
                part = (potential @ grouped).view_as(unit)
                normalisation_grad(part, unit, 8 * inverse, out=part)
                grad.index_copy_(0, groups.flatten(), part)
        if grad is not None:
            ctx.save_for_backward(grad)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (grad,) = ctx.saved_tensors
        return grad * grads[0].to(grad.dtype), None, None


_in_blocks: Callable[[Tensor, int], Tensor] = _InBlocks.apply
_in_groups: Callable[[Tensor, Tensor, int], Tensor] = _InGroups.apply


def _potential(a: Tensor, b: Tensor) -> Tensor:
    """``exp(4 a b - 4)``, the potential of unit rows, for one block or a batch of blocks."""
    return (a @ b).sub_(1).mul_(4).exp_()


def _normalised(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit rows [n, d], inverse lengths [n, 1], and weights [n, 1] that correct the potential of rows of zeros.

    ``exp(-2 ||x_i - x_j||^2)`` is ``exp(4 x_i x_j - 2 |x_i|^2 - 2 |x_j|^2)``, and |x_i| is 1, or 0 for a row of zeros:
    :func:`_potential` times both weights. Gradients need no weights, since rows of zeros add nothing to them.
    """
    inverse = inverse_norms(x)
    return x * inverse, inverse, torch.where(inverse == 0, torch.e**2, 1.0).to(x.dtype)
