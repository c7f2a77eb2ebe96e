"""EASE^R (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", arXiv 1905.03375).

An item-item matrix B predicts each of a user's items from all the others, ``min ||X - X B||^2 + ridge ||B||^2`` with a
zero diagonal. The solution has a closed form (eq. 8). A structure from the text is added as in L3AE (arXiv 2508.13500):
``+ sum_ij lean_i (B - C)_ij^2``, which has a closed-form solution too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor

from darec.backbones.closed_form import (
    ClosedForm,
    ClosedFormConfig,
    ClosedFormInputs,
    matrix_of,
    penalties,
)
from darec.dimensions import Range
from darec.errors import SingularError
from darec.memory import require_memory
from darec.numerics.inverse import factored, invert_
from darec.numerics.structure import Structure
from darec.progress import counted
from darec.scoring import MatrixScorer
from darec.types import FloatArray

_EXACT = 4096  # up to this number of items, float64 is cheap enough
_TOLERANCE = 1e-2  # largest residual of the inverse, whose entries are about 1


class EASEConfig(ClosedFormConfig):
    """Settings of :class:`EASE`."""

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {"ridge": (100.0, 1000.0)}

    name: Literal["ease"] = "ease"
    """Name of the backbone."""
    ridge: Annotated[float | None, Range(1.0, 3000.0, log=True)] = None
    """Weight of the squared norm of B, lambda. With null, 100 or 1000 is chosen on the validation split; the paper
    tunes it between 1 and 1000. If an alignment pulls B towards a structure, the ridge may be negative, as in L3AE's
    paper, as long as both weights together are positive."""
    entries: int | None = Field(None, ge=1)
    """Number of entries kept in each column of B, the largest in absolute value. With null, all are kept."""


class EASE(ClosedForm[EASEConfig]):
    """A dense item-item matrix by ridge regression of every item on all others."""

    takes_structure = True

    def fit(self, inputs: ClosedFormInputs) -> MatrixScorer:
        """Solve for B.

        Raises:
            ConfigError: there is too little memory, or the system is singular.
        """
        n = inputs.train.n_items
        dtype = torch.float64 if n <= _EXACT else torch.float32
        require_memory(
            int(2.5 * n * n * dtype.itemsize),
            f"the {n:,} x {n:,} item-item matrix of backbone 'ease'",
            "use backbone 'ease_sparse', or import with a k-core that leaves fewer items",
        )
        X = matrix_of(inputs.train)
        structure = inputs.structure or Structure()
        B = solve(X, structure, self.config.ridge, dtype, inputs.device)
        if self.config.entries is None or self.config.entries >= n:
            return MatrixScorer(B, X, inputs.ties)
        return MatrixScorer(largest(B, self.config.entries), X, inputs.ties)


def solve(
    X: sparse.csr_array,
    structure: Structure,
    ridge: float | None,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
) -> FloatArray:
    """The item-item matrix, [I, I] float32.

    With R the ridge and W the lean as diagonal matrices, G = X'X (plus F F' for the structure's rows F) and
    ``P = (G + R + W)^-1``, the solution without the condition on the diagonal is ``P (G + W C) = I - P (R + W) + P W
    C``. The condition subtracts P times a diagonal matrix.

    The rows enter the inverse afterwards, by Woodbury's identity: inside it, heavy features would make the system so
    ill-conditioned that float32 fails.

    Args:
        X: [U, I].
        structure: a target for B, features stacked below X, or a matrix mixed with B.
        ridge: lambda.
        dtype: floating-point type of the computation.
        device: torch device of the computation.

    Raises:
        SingularError: the system is singular, or nearly singular in ``dtype``.
    """
    n = X.shape[1]
    lean, weight = (part.to(device, dtype) for part in penalties(structure, ridge, n))
    P = torch.from_numpy((X.T @ X).toarray()).to(device, dtype)
    P.diagonal().add_(weight)
    invert_(P, "solving the item-item matrix")
    _check(P, X, weight)
    if structure.rows is not None:
        _add_rows(P, structure.rows.to(device, dtype))
    diagonal = P.diagonal().clone()
    if structure.target is None:
        P.mul_(-1 / diagonal)
    else:
        leaning = structure.target.times(P * lean)
        free = 1 - diagonal * weight + leaning.diagonal()
        P.mul_(-(weight + free / diagonal)).add_(leaning)
        del leaning
    P.diagonal().zero_()
    if structure.added is not None:
        P.mul_(1 - structure.share)
        for start in range(0, n, 1024):
            part = structure.added.dense(slice(start, start + 1024))
            P[start : start + 1024].add_(part.to(P), alpha=structure.share)
        P.diagonal().zero_()
    return np.asarray(P.float().cpu().numpy())


def _add_rows(P: Tensor, rows: Tensor) -> None:
    """Replace P by ``(P^-1 + F F')^-1 = P - M (I + F'M)^-1 M'`` with ``M = P F``, where F [I, r] are the rows."""
    M = (P @ rows).double()
    inner = rows.double().T @ M
    inner.diagonal().add_(1)
    factor = factored((inner + inner.T) / 2, "lower alignment.weight, or raise backbone.ridge")
    Z = torch.linalg.solve_triangular(factor, M.T, upper=False).to(P)
    P.addmm_(Z.T, Z, alpha=-1)


def _check(P: Tensor, X: sparse.csr_array, weight: Tensor) -> None:
    """Check on a few columns that P is the inverse."""
    columns = torch.linspace(0, len(P) - 1, min(8, len(P)), device=P.device).long()
    some = P[:, columns]
    back = torch.from_numpy(X.T @ (X @ some.cpu().numpy())).to(P) + weight[:, None] * some
    back[columns, torch.arange(len(columns), device=P.device)] -= 1
    error = float(back.abs().max())
    if not error <= _TOLERANCE:
        raise SingularError(
            f"the system of the item-item matrix is nearly singular (residual {error:.2g}): raise the ridge."
        )


def largest(matrix: FloatArray, entries: int) -> sparse.csr_array:
    """The entries with the largest absolute value in each column; the others are zero."""
    n = len(matrix)
    columns = []
    for start in counted(range(0, n, 1024), "keeping the largest entries"):
        block = torch.from_numpy(np.ascontiguousarray(matrix[:, start : start + 1024].T))
        kept = block.abs().topk(min(entries, n), dim=1).indices
        values = block.gather(1, kept)
        columns.append((kept.numpy(), values.numpy()))
    rows = np.concatenate([kept for kept, _ in columns]).ravel()
    entries_kept = np.concatenate([values for _, values in columns]).ravel()
    places = np.repeat(np.arange(n), len(rows) // n)
    sparse_matrix = sparse.csr_array((entries_kept, (rows, places)), matrix.shape)
    sparse_matrix.eliminate_zeros()
    return sparse_matrix
