"""The inverse of a symmetric positive definite matrix, in place, in steps that show progress and can be interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from darec.errors import SingularError
from darec.progress import counted

LEAF: Final = 1024
"""Number of rows of the blocks that are inverted by Cholesky decomposition."""


def invert_(matrix: Tensor, doing: str = "inverting", leaf: int = LEAF) -> None:
    """Replace a symmetric positive definite matrix by its inverse.

    With blocks ``[[A, B'], [B, D]]``, ``W = B A^-1`` and the Schur complement ``S = D - W B'``, the inverse is
    ``[[A^-1 + W' S^-1 W, -W' S^-1], [-S^-1 W, S^-1]]``; the smaller inverses are computed in the same way. This needs
    4/3 n^3 floating-point operations, nearly all of them in matrix products, and n^2 / 4 entries of additional memory.
    No single call takes long.

    Args:
        matrix: [n, n].
        doing: the name for progress.
        leaf: number of rows of the blocks that are inverted at once.

    Raises:
        SingularError: the matrix is not positive definite.
    """
    steps = _invert(matrix, leaf)
    for _ in counted(range(_count(len(matrix), leaf)), doing):
        next(steps)


def factored(matrix: Tensor, mend: str = "raise the ridge") -> Tensor:
    """The lower Cholesky factor of a system of the item-item matrix, [n, n].

    Args:
        matrix: [n, n], symmetric.
        mend: the end of the message.

    Raises:
        SingularError: the matrix is not positive definite.
    """
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if int(failed) or not bool(factor.diagonal().isfinite().all()):
        raise SingularError(
            f"the system of the item-item matrix is singular or not positive definite: {mend}."
        )
    return factor


def _count(n: int, leaf: int) -> int:
    half = n // 2
    return 1 if n <= leaf else _count(half, leaf) + _count(n - half, leaf) + 4


def _invert(matrix: Tensor, leaf: int) -> Iterator[None]:
    n = len(matrix)
    if n <= leaf:
        factor = factored(matrix)
        one = torch.eye(n, dtype=matrix.dtype, device=matrix.device)
        factor = torch.linalg.solve_triangular(factor, one, upper=False)
        torch.mm(factor.T, factor, out=matrix)
        yield
        return
    half = n // 2
    A, B, upper, D = (
        matrix[:half, :half],
        matrix[half:, :half],
        matrix[:half, half:],
        matrix[half:, half:],
    )
    yield from _invert(A, leaf)
    W = B @ A
    yield
    D.addmm_(W, B.T, alpha=-1)
    yield
    yield from _invert(D, leaf)
    torch.mm(D, W, out=B)
    B.neg_()
    yield
    A.addmm_(W.T, B, alpha=-1)
    upper.copy_(B.T)
    yield
