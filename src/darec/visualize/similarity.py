"""Similarities of the same entities on both sides, before and after: what the heat maps show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from darec.types import FloatArray, IntArray


@dataclass(frozen=True)
class Similarities:
    """Cosines between some entities in several tables, rows ordered by cluster.

    Attributes:
        matrices: name of the table -> [m, m] cosines.
        bounds: where each cluster but the first begins.
    """

    matrices: dict[str, FloatArray]
    bounds: IntArray

    def correlation(self, first: str, second: str) -> float | None:
        """Pearson's correlation of two tables' cosines over all pairs shown; None where one of them is constant."""
        return correlation(self.matrices[first], self.matrices[second])


def similarities(
    tables: Mapping[str, Tensor], rows: IntArray, clusters: IntArray, order: str
) -> Similarities:
    """Cosines between drawn rows, ordered by cluster and in it by nearness to the cluster's middle.

    Args:
        tables: name -> [n, d] float, unit rows.
        rows: [m] of the n.
        clusters: [n] each row's cluster.
        order: the table that says what is near a cluster's middle.
    """
    chosen = {name: table[rows] for name, table in tables.items()}
    own = clusters[rows]
    placed = chosen[order].double().numpy()
    near = np.zeros(len(rows))
    for cluster in np.unique(own):
        members = own == cluster
        near[members] = placed[members] @ placed[members].mean(axis=0)
    sequence = np.lexsort((-near, own))
    bounds = np.flatnonzero(np.diff(own[sequence])) + 1
    ordered = {name: table[sequence] for name, table in chosen.items()}
    matrices = {name: (table @ table.T).float().numpy() for name, table in ordered.items()}
    return Similarities(matrices, bounds)


def correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float | None:
    """Pearson's correlation of the entries above two matrices' diagonals; None where either is constant."""
    above = np.triu_indices(len(first), 1)
    a, b = (matrix[above].astype(np.float64) for matrix in (first, second))
    if min(a.std(), b.std()) < 1e-6:  # the rounding of a float32 cosine
        return None
    return float(np.corrcoef(a, b)[0, 1])
