"""Orthogonality: the shared part and the specific part of a side should be perpendicular."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from darec.numerics.rows import (
    check_same_rows,
    chunks,
    full_precision,
    inverse_norms,
    widen,
)


@full_precision
def orthogonality_loss(C_sh: Tensor, C_sp: Tensor, L_sh: Tensor, L_sp: Tensor) -> Tensor:
    """``mean_i cos^2(C_sh_i, C_sp_i) + mean_i cos^2(L_sh_i, L_sp_i)`` (DaRec, the orthogonality term).

    The cosine is squared, so that the minimum is at perpendicular and not at opposite rows. A pair with a row of zeros
    counts as perpendicular and gets no gradient.

    Args:
        C_sh: [n, d] shared part of the collaborative side.
        C_sp: [n, d] its specific part.
        L_sh: [m, d] shared part of the language side.
        L_sp: [m, d] its specific part.

    Returns:
        Scalar in [0, 2]; 0 when each row's two parts are perpendicular.

    Raises:
        ValueError: the two parts of a side differ in shape, or have no rows.
    """
    return _mean_squared_cosine(C_sh, C_sp) + _mean_squared_cosine(L_sh, L_sp)


def _mean_squared_cosine(a: Tensor, b: Tensor) -> Tensor:
    check_same_rows(a, b, same_width=True)
    return _cosines(widen(a), widen(b)).square().mean()


class _Cosines(torch.autograd.Function):
    """[n, 1] cosines of rows.

    The gradient is written by hand, because autograd would store a table for each of many steps.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        inverse_a, inverse_b = (
            torch.cat([inverse_norms(part) for (part,) in chunks(x)]) for x in (a, b)
        )
        dot = torch.cat([(x * y).sum(1, keepdim=True) for x, y in chunks(a, b)])
        cosine = dot.mul_(inverse_a).mul_(inverse_b)
        ctx.save_for_backward(a, b, inverse_a, inverse_b, cosine)
        return cosine

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        a, b, inverse_a, inverse_b, cosine = ctx.saved_tensors
        # d cos / da = b / (|a| |b|) - cos a / |a|^2
        across = grads[0] * inverse_a * inverse_b
        along_a, along_b = (grads[0] * cosine * inverse**2 for inverse in (inverse_a, inverse_b))
        grad_a, grad_b = torch.empty_like(a), torch.empty_like(b)
        tables = chunks(a, b, across, along_a, along_b, grad_a, grad_b)
        for x, y, s, along_x, along_y, into_x, into_y in tables:
            torch.mul(y, s, out=into_x).addcmul_(x, along_x, value=-1)
            torch.mul(x, s, out=into_y).addcmul_(y, along_y, value=-1)
        return grad_a, grad_b


_cosines: Callable[[Tensor, Tensor], Tensor] = _Cosines.apply
