"""Tables of entities from the vectors of distinct texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darec.text.reduce import BLOCK
from darec.types import FloatArray, IntArray


def spread(matrix: NDArray[Any], rows: IntArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Rows of a matrix by number, zeros for -1, and a mask that is False where a row is all zeros.

    A float32 matrix whose rows are wanted just as they are is given back itself, so that a mapped file stays one; half
    precision is widened in blocks.
    """
    if matrix.dtype == np.float32 and np.array_equal(rows, np.arange(len(matrix))):
        return matrix, not_zero(matrix)
    table = np.zeros((len(rows), matrix.shape[1]), np.float32)
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        table[start : start + BLOCK][some >= 0] = matrix[some[some >= 0]]
    return table, not_zero(table)


def not_zero(table: NDArray[Any]) -> NDArray[np.bool_]:
    """[n] whether each row holds anything but zeros."""
    return np.asarray(table.any(axis=1), np.bool_)
