"""Tables of entities from the vectors of distinct texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darec.text.reduce import BLOCK
from darec.types import FloatArray, IntArray


def spread(matrix: NDArray[Any], rows: IntArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Rows of a matrix by number, zeros for -1, and a mask that is False for rows of zeros.

    If all rows of a float32 matrix are wanted in order, the matrix itself is returned, so that a memory-mapped file
    stays mapped. Half precision is converted in blocks.
    """
    if matrix.dtype == np.float32 and np.array_equal(rows, np.arange(len(matrix))):
        return matrix, not_zero(matrix)
    table = np.zeros((len(rows), matrix.shape[1]), np.float32)
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        table[start : start + BLOCK][some >= 0] = matrix[some[some >= 0]]
    return table, not_zero(table)


def not_zero(table: NDArray[Any]) -> NDArray[np.bool_]:
    """[n] whether each row has a value that is not zero."""
    return np.asarray(table.any(axis=1), np.bool_)
