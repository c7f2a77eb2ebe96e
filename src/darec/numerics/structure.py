"""Item-item matrices of low rank, and the item-item structure for linear models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class LowRank:
    """A square matrix ``diag(diagonal) + left right'``, which is computed only where needed.

    Attributes:
        diagonal: [n].
        left: [n, r].
        right: [n, r].
    """

    diagonal: Tensor
    left: Tensor
    right: Tensor

    def times(self, matrix: Tensor) -> Tensor:
        """``matrix @ self``, [m, n], in O(m n r)."""
        product: Tensor = torch.addmm(
            matrix * self.diagonal, matrix @ self.left.to(matrix), self.right.T.to(matrix)
        )
        return product

    def dense(self, rows: slice = slice(None)) -> Tensor:
        """Some rows of it, [m, n]."""
        part: Tensor = self.left[rows] @ self.right.T
        places = torch.arange(len(self.diagonal), device=part.device)[rows]
        part[torch.arange(len(places), device=part.device), places] += self.diagonal[rows]
        return part

    def column(self, rows: Tensor, column: int) -> Tensor:
        """[m] entries of one column in [m] rows, without the diagonal; no others are computed."""
        return self.left[rows] @ self.right[column]

    def diagonal_of_product(self, matrix: Tensor) -> Tensor:
        """[n] the diagonal of ``matrix @ self``."""
        product: Tensor = ((matrix @ self.left.to(matrix)) * self.right.to(matrix)).sum(1)
        return product + matrix.diagonal() * self.diagonal.to(matrix)


@dataclass(frozen=True)
class Structure:
    """The item-item structure of the text, for models that learn an item-item matrix B in closed form.

    Attributes:
        target: the matrix towards which B is pulled, by a penalty ``sum_ij lean_i (B - target)_ij^2``; or None.
        lean: [I] weights of the penalty, for each row of B.
        rows: [I, r] features, each column of which counts as one more user, or None.
        added: a matrix C that is mixed with the solution, ``(1 - share) B + share C``, or None.
        share: share of ``added``.
        told: figures about its computation, by name, for the run's diagnostics.
    """

    target: LowRank | None = None
    lean: Tensor | None = None
    rows: Tensor | None = None
    added: LowRank | None = None
    share: float = 0.0
    told: Mapping[str, float] = field(default_factory=dict)

    def tensors(self) -> list[Tensor | None]:
        """All its tensors, in a fixed order."""
        matrices = [
            part
            for matrix in (self.target, self.added)
            for part in ((matrix.left, matrix.right) if matrix else (None, None))
        ]
        return [*matrices, self.lean, self.rows]

    @property
    def nearness(self) -> tuple[Tensor, Tensor] | None:
        """Two tables [I, r] whose inner products measure the nearness of items, or None."""
        for matrix in (self.target, self.added):
            if matrix is not None:
                return matrix.left, matrix.right
        return None if self.rows is None else (self.rows, self.rows)


def item_matrix(features: Tensor, ridge: float) -> LowRank:
    """EASE on features instead of users: each item is predicted by a ridge regression on all others.

    With F [r, I] the features as rows, ``C = argmin ||F - F C||^2 + ridge ||C||^2`` with a zero diagonal, which is
    ``I - P diag(1 / diag(P))`` with ``P = (F'F + ridge I)^-1`` (Steck 2019, eq. 8). By Woodbury's identity only an
    [r, r] matrix is inverted (Moon, Park & Lee, "LLM-Enhanced Linear Autoencoders for Recommendation", arXiv
    2508.13500, eq. 7).

    Args:
        features: [I, r], zero where an item has none.
        ridge: positive.
    """
    T = features.double()
    moments = T.T @ T + ridge * torch.eye(T.shape[1], dtype=T.dtype, device=T.device)
    weights = torch.linalg.solve(moments, T.T).T
    kept = 1 - (weights * T).sum(1)  # ridge times the diagonal of P; positive, since ridge is
    return LowRank(
        (1 - 1 / kept).to(features.dtype),
        weights.to(features.dtype),
        (T / kept[:, None]).to(features.dtype),
    )
