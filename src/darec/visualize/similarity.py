"""Similarities of the same entities on both sides, before and after, for the heat maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from darec.types import FloatArray, IntArray


@dataclass(frozen=True)
class Similarities:
    """Cosines between some entities in several tables; rows are ordered by cluster.

    Attributes:
        matrices: name of the table -> [m, m] cosines.
        bounds: the first row of each cluster except the first.
    """

    matrices: dict[str, FloatArray]
    bounds: IntArray

    def correlation(self, first: str, second: str) -> float | None:
        """Return Pearson's correlation of two tables' cosines over all shown pairs; None if one of them is constant."""
        return correlation(self.matrices[first], self.matrices[second])


def similarities(
    tables: Mapping[str, Tensor], rows: IntArray, clusters: IntArray, order: str
) -> Similarities:
    """Return cosines between drawn rows, ordered by cluster and within it by distance to the cluster's centre.

    Args:
        tables: name -> [n, d] float, unit rows.
        rows: [m] of the n rows.
        clusters: [n] cluster of each row.
        order: the table in which the distance to a cluster's centre is measured.
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
    """Return Pearson's correlation of the entries above the diagonals of two matrices; None if either is constant."""
    above = np.triu_indices(len(first), 1)
    a, b = (matrix[above].astype(np.float64) for matrix in (first, second))
    if min(a.std(), b.std()) < 1e-6:  # the rounding of a float32 cosine
        return None
    return float(np.corrcoef(a, b)[0, 1])
