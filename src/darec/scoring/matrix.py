"""Scores by an item-item matrix that multiplies a history, the result of linear and neighbourhood models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.nn import functional as F

from darec.errors import DataError, RunError
from darec.scoring.base import Arrays, Explanation, Scorer, Term
from darec.scoring.ranking import Fill
from darec.types import FloatArray, IntArray

_USERS = 2048  # users whose products with a sparse matrix are in memory at once


class MatrixScorer(Scorer):
    """``score(u, i) = sum_j x_uj B_ji``, x a user's history.

    Args:
        matrix: B [J, I], dense or sparse, float32; its diagonal is used. J and I are the same items, unless only some
            are scored.
        histories: X [U, J], sparse; 1 for an item that a user has.
        ties: [I], see :class:`~darec.scoring.base.Scorer`.

    Raises:
        DataError: the shapes do not fit.
    """

    kind: ClassVar[str] = "matrix"

    def __init__(
        self,
        matrix: sparse.csr_array | FloatArray,
        histories: sparse.csr_array,
        ties: IntArray | None = None,
    ) -> None:
        super().__init__(histories.shape[0], matrix.shape[1], ties)
        if matrix.shape[0] != histories.shape[1]:
            raise DataError(
                f"an item-item matrix of shape {list(matrix.shape)} and histories over {histories.shape[1]} items: "
                "take both from one dataset."
            )
        self.matrix, self.histories = matrix, histories

    def check(self) -> None:
        """Raise ``RunError`` if the matrix has NaN or infinity."""
        values = self.matrix.data if sparse.issparse(self.matrix) else self.matrix
        if not np.isfinite(values).all():
            raise RunError(
                "the item-item matrix has NaN or infinity: the system that it solves is singular; raise the ridge."
            )

    def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
        """See :meth:`Scorer.fill`: the sum of the rows of B of each history."""
        histories, matrix = self.histories[users], self.matrix
        if items is not None:
            used = np.unique(histories.indices)  # with many users, whole columns are read
            histories, matrix = histories[:, used], matrix[used][:, items]
        elif not sparse.issparse(matrix):
            used = np.unique(histories.indices)
            if 2 * len(used) < len(matrix):  # with few users, the rest of the matrix is not copied
                histories, matrix = histories[:, used], matrix[used]
        if sparse.issparse(matrix):
            return _fill_sparse(histories, matrix)
        rows = F.pad(torch.from_numpy(matrix), (0, width - matrix.shape[1]))

        def fill_dense(start: int, stop: int, block: Tensor) -> None:
            block.copy_(_bag(histories[start:stop], rows))

        return fill_dense

    def for_histories(self, histories: sparse.csr_array) -> MatrixScorer:
        """The scores are exact, because a user is only represented by a history."""
        return MatrixScorer(self.matrix, histories, self.ties)

    def explain(self, user: int, item: int) -> Explanation:
        """One term for every item of the history with an entry in the matrix."""
        history = self.histories[[user]]
        column = self.matrix[:, [item]]
        entries = (column.toarray() if sparse.issparse(column) else column)[history.indices, 0]
        values = np.asarray(entries * history.data, np.float64)
        order = np.argsort(-np.abs(values), kind="stable")
        terms = tuple(
            Term("history", float(values[at]), int(history.indices[at]))
            for at in order
            if values[at] != 0
        )
        return Explanation(float(values.sum()), terms)

    def similarities(self, items: IntArray) -> FloatArray:
        """[n, I] entries of B in the items' rows."""
        rows = self.matrix[items]
        return np.asarray(rows.toarray() if sparse.issparse(rows) else rows, np.float32)

    def arrays(self) -> dict[str, Tensor]:
        """The matrix, dense or as compressed rows, and the histories as compressed rows."""
        arrays = _compressed("histories", self.histories)
        if sparse.issparse(self.matrix):
            return arrays | _compressed("matrix", self.matrix)
        return arrays | {"matrix": torch.from_numpy(self.matrix)}

    @classmethod
    def from_arrays(cls, arrays: Arrays, about: Mapping[str, Any], ties: IntArray) -> MatrixScorer:
        """See :meth:`Scorer.from_arrays`."""
        dense = arrays.get("matrix")
        matrix = _csr("matrix", arrays, len(ties)) if dense is None else dense.numpy()
        return cls(matrix, _csr("histories", arrays, matrix.shape[0]), ties)


def _fill_sparse(histories: sparse.csr_array, matrix: sparse.csr_array) -> Fill:
    """The products of many users are made at once, and written into the blocks entry by entry."""
    held: list[sparse.csr_array] = []
    begin = -_USERS

    def fill(start: int, stop: int, block: Tensor) -> None:
        nonlocal begin
        if not (begin <= start and stop <= begin + _USERS and held):
            begin = start
            held[:] = [(histories[start : start + max(_USERS, stop - start)] @ matrix).tocsr()]
        scores = held[0]
        first, last = scores.indptr[start - begin], scores.indptr[stop - begin]
        counts = np.diff(scores.indptr[start - begin : stop - begin + 1])
        places = np.repeat(np.arange(stop - start) * block.shape[1], counts)
        places += scores.indices[first:last]
        block.zero_()
        block.view(-1)[torch.from_numpy(places)] = torch.from_numpy(scores.data[first:last])

    return fill


def _bag(histories: sparse.csr_array, rows: Tensor) -> Tensor:
    """``histories @ rows``, [n, I] by [I, m]: each history's rows are added up, several times as fast as scipy."""
    return F.embedding_bag(
        torch.from_numpy(histories.indices.astype(np.int64)),
        rows,
        torch.from_numpy(histories.indptr[:-1].astype(np.int64)),
        mode="sum",
        per_sample_weights=torch.from_numpy(histories.data.astype(np.float32)),
    )


def _compressed(name: str, matrix: sparse.csr_array) -> dict[str, Tensor]:
    parts: dict[str, NDArray[Any]] = {
        "data": matrix.data.astype(np.float32),
        "indices": matrix.indices.astype(np.int32),
        "indptr": matrix.indptr.astype(np.int64),
    }
    return {f"{name}.{part}": torch.from_numpy(array) for part, array in parts.items()}


def _csr(name: str, arrays: Arrays, columns: int) -> sparse.csr_array:
    data, indices, indptr = (
        arrays[f"{name}.{part}"].numpy() for part in ("data", "indices", "indptr")
    )
    return sparse.csr_array((data, indices, indptr), (len(indptr) - 1, columns))
