"""Co-occurrence counts: X'X of a sparse X, and any square part of it, at a low cost for all sizes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from darec.progress import counted
from darec.types import IntArray

_BLOCK: Final = 4096  # number of columns of X whose products with all others are computed at once
_SAMPLE: Final = 500  # number of columns by which the size of X'X is estimated


def gram_matrix(X: sparse.csr_array, doing: str) -> sparse.csr_array:
    """X'X, [I, I] compressed rows, columns ascending; ``doing`` is the name for progress."""
    by_column = X.T.tocsr()
    blocks = []
    for start in counted(range(0, by_column.shape[0], _BLOCK), doing):
        block = (by_column[start : start + _BLOCK] @ X).tocsr()
        block.sort_indices()
        blocks.append(block)
    whole: sparse.csr_array = sparse.vstack(blocks, format="csr")
    return whole


def gram_bytes(X: sparse.csr_array) -> int:
    """Estimate of the memory of X'X, from every n-th column by the number of entries."""
    by_column = X.T.tocsr()
    size = by_column.shape[0]
    order = np.argsort(np.diff(by_column.indptr), kind="stable")
    sample = order[:: max(1, size // _SAMPLE)]
    entries = (by_column[sample] @ X).nnz * size / max(1, len(sample))
    return int(8 * entries)


class Gram:
    """X'X for a sparse X [U, I] without negative entries.

    A few columns co-occur with nearly all others, and have long rows in X'X. The part among them is stored densely, so
    that :meth:`among` only reads short rows.

    Attributes:
        matrix: [I, I] compressed rows, float32, columns ascending.

    Args:
        X: [U, I].
        head: number of columns in the dense part: those with the longest rows.
    """

    def __init__(self, X: sparse.csr_array, head: int = 4096) -> None:
        self.matrix = gram_matrix(X, "counting co-occurrences")
        size = self.matrix.shape[0]
        lengths = np.diff(self.matrix.indptr)
        often = np.sort(np.argsort(-lengths, kind="stable")[:head])
        self._place = np.full(size, -1, np.int32)  # position of each column in the dense part
        self._place[often] = np.arange(len(often))
        self._dense = np.zeros((len(often), len(often)), np.float32)
        for start in range(0, len(often), 64):
            self._scatter(self._dense[start : start + 64], often[start : start + 64], self._place)

    def row(self, column: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The columns that co-occur with one column, including itself, ascending; and the counts."""
        start, stop = self.matrix.indptr[column : column + 2]
        return self.matrix.indices[start:stop], self.matrix.data[start:stop]

    def among(self, columns: IntArray, places: NDArray[np.int32]) -> NDArray[np.float64]:
        """The square part of X'X for some columns, [m, m].

        Args:
            columns: [m], distinct.
            places: [I] of -1, a buffer for each thread, which is restored after use.
        """
        part = np.zeros((len(columns), len(columns)))
        dense = self._place[columns]
        often, rare = np.flatnonzero(dense >= 0), np.flatnonzero(dense < 0)
        part[np.ix_(often, often)] = self._dense[np.ix_(dense[often], dense[often])]
        if len(rare):
            places[columns] = np.arange(len(columns))
            rows = np.zeros((len(rare), len(columns)))
            self._scatter(rows, columns[rare], places)
            places[columns] = -1
            part[rare] = rows
            part[:, rare] = rows.T
        return part

    def _scatter(
        self, block: NDArray[np.floating], rows: IntArray, places: NDArray[np.int32]
    ) -> None:
        """Write rows of X'X into the places of their columns; a column without a place is left out."""
        found = self.matrix[rows]
        at = places[found.indices]
        kept = np.flatnonzero(at >= 0)
        of = np.arange(len(rows)).repeat(np.diff(found.indptr))
        block[of[kept], at[kept]] = found.data[kept]
