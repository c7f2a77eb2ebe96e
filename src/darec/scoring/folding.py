"""Folding in: ways to compute a row of the user table for a new user who is known by a list of items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional as F

from darec.progress import counted
from darec.types import FloatArray

_ROWS: Final = 1024  # users that are folded in between two reports of progress


class Folding(ABC):
    """Computes rows of the user table from histories."""

    kind: ClassVar[str]

    @abstractmethod
    def rows(self, histories: sparse.csr_array, items: Tensor) -> FloatArray:
        """A row for each history.

        Args:
            histories: [n, I] positive weights, 1 for a liked item.
            items: [I, d] the item table, float32 on the CPU.

        Returns:
            [n, d].
        """

    def arrays(self) -> dict[str, Tensor]:
        """Arrays that :func:`folding_of` needs in addition to :meth:`about`."""
        return {}

    def about(self) -> dict[str, Any]:
        """Its parameters, as JSON."""
        return {}


class MeanFolding(Folding):
    """A user is the weighted mean of the unit rows of their items, so every liked item counts the same.

    This is an approximation for models that define no rows for new users.
    """

    kind: ClassVar[str] = "mean"

    def rows(self, histories: sparse.csr_array, items: Tensor) -> FloatArray:
        """See :meth:`Folding.rows`."""
        liked, columns = np.unique(histories.indices, return_inverse=True)
        unit = F.normalize(items[torch.from_numpy(liked.astype(np.int64))], dim=1).numpy()
        shape = (histories.shape[0], len(liked))
        among = sparse.csr_array((histories.data, columns, histories.indptr), shape)
        weights = np.maximum(histories.sum(axis=1), np.finfo(np.float32).tiny)[:, None]
        return np.asarray((among @ unit) / weights, np.float32)


class LinearFolding(Folding):
    """A user is the sum of rows of a second item table, which is exact for models that are linear in the history.

    Args:
        table: [I, d].
    """

    kind: ClassVar[str] = "linear"

    def __init__(self, table: Tensor) -> None:
        self.table = table.detach().cpu().float()

    def rows(self, histories: sparse.csr_array, items: Tensor) -> FloatArray:
        """See :meth:`Folding.rows`."""
        return np.asarray(histories @ self.table.numpy(), np.float32)

    def arrays(self) -> dict[str, Tensor]:
        """The table."""
        return {"table": self.table}


class RidgeFolding(Folding):
    """A user is the least-squares solution of the history, which is exact for alternating least squares.

    With Y the item table and w the weights, ``(unobserved Y'Y + sum_i w_i y_i y_i' + p I) x = sum_i w_i y_i``, where
    ``p = ridge (sum_i w_i + unobserved I)^frequency`` (Rendle et al. 2022, arXiv 2110.14037, eqs. 3 and 6).

    Args:
        unobserved: weight of the squared score of every item, alpha_0.
        ridge: lambda.
        frequency: nu, how much more a user with many items is penalised.
        scale: factor of the rows, which scales them to the length of learned rows.
    """

    kind: ClassVar[str] = "ridge"

    def __init__(
        self, unobserved: float, ridge: float, frequency: float, scale: float = 1.0
    ) -> None:
        self.unobserved, self.ridge, self.frequency = unobserved, ridge, frequency
        self.scale = scale
        self._known: tuple[Tensor, Tensor, Tensor] | None = None

    def rows(self, histories: sparse.csr_array, items: Tensor) -> FloatArray:
        """See :meth:`Folding.rows`."""
        values, axes = self._common(items)
        indptr, indices = histories.indptr, torch.from_numpy(histories.indices.astype(np.int64))
        weights = torch.from_numpy(histories.data.astype(np.float64))
        found = torch.zeros(histories.shape[0], items.shape[1], dtype=torch.float64)
        for start in counted(range(0, len(found), _ROWS), "folding in"):
            for row in range(start, min(start + _ROWS, len(found))):
                entries = slice(indptr[row], indptr[row + 1])
                liked, weight = items[indices[entries]].double() @ axes, weights[entries]
                if len(liked):
                    diagonal = values + self.penalty(float(weight.sum()), len(items))
                    found[row] = _solved(diagonal, liked, weight)
        return np.asarray((self.scale * found @ axes.T).float().numpy())

    def _common(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """[d] eigenvalues and [d, d] eigenvectors of ``unobserved Y'Y``, which all users of one item table share."""
        if self._known is None or self._known[0] is not items:
            Y = items.double()
            values, axes = torch.linalg.eigh(self.unobserved * (Y.T @ Y))
            self._known = items, values.clamp_min(0), axes
        return self._known[1:]

    def penalty(self, observed: float, others: int) -> float:
        """The ridge of a row, from its number of observations and the largest possible number."""
        return float(self.ridge * (observed + self.unobserved * others) ** self.frequency)

    def about(self) -> dict[str, Any]:
        """Its four parameters."""
        return {
            "unobserved": self.unobserved,
            "ridge": self.ridge,
            "frequency": self.frequency,
            "scale": self.scale,
        }


def _solved(diagonal: Tensor, liked: Tensor, weight: Tensor) -> Tensor:
    """``(D + L'WL)^-1 L'W1``, [d], by the smaller of two equivalent systems.

    With few items it is ``D^-1 L' (W^-1 + L D^-1 L')^-1 1`` (Woodbury's identity), of as many unknowns as items.

    Args:
        diagonal: [d] of D, positive.
        liked: [n, d].
        weight: [n] of W, positive.
    """
    if len(liked) < len(diagonal):
        scaled = liked / diagonal
        small = scaled @ liked.T
        small.diagonal().add_(1 / weight)
        solved: Tensor = torch.linalg.solve(small, torch.ones_like(weight))
        return scaled.T @ solved
    system = liked.T @ (weight[:, None] * liked)
    system.diagonal().add_(diagonal)
    row: Tensor = torch.linalg.solve(system, liked.T @ weight)
    return row


_KINDS: Final[dict[str, type[Folding]]] = {
    folding.kind: folding for folding in (MeanFolding, LinearFolding, RidgeFolding)
}


def described(folding: Folding) -> dict[str, Any]:
    """The input of :func:`folding_of`, as JSON."""
    return {"kind": folding.kind, **folding.about()}


def folding_of(about: Mapping[str, Any] | None, arrays: Mapping[str, Tensor]) -> Folding:
    """The folding from :func:`described` and :meth:`Folding.arrays`; the mean for old files without it."""
    numbers = dict(about or {"kind": MeanFolding.kind})
    return _KINDS[numbers.pop("kind")](**numbers, **arrays)
