"""ItemKNN (Sarwar et al. 2001, "Item-based collaborative filtering recommendation algorithms").

An item's score is the sum of its cosines with those of the user's items that are among its nearest neighbours.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy import sparse

from darec.backbones.closed_form import ClosedForm, ClosedFormConfig, ClosedFormInputs, matrix_of
from darec.dimensions import Choice, Range
from darec.progress import counted
from darec.scoring import MatrixScorer

_BLOCK = 2048  # number of items whose cosines with all others are in memory at once


class ItemKNNConfig(ClosedFormConfig):
    """Settings of :class:`ItemKNN`."""

    name: Literal["itemknn"] = "itemknn"
    """Name of the backbone."""
    neighbours: Annotated[int, Choice(20, 50, 100, 200)] = Field(100, ge=1)
    """Number of nearest neighbours of each item."""
    shrink: Annotated[float, Range(0.1, 100.0, log=True)] = Field(10.0, ge=0)
    """Number added to the product of the lengths, so that items with few common users are not near by chance."""


class ItemKNN(ClosedForm[ItemKNNConfig]):
    """Nearest neighbours of items by the cosine of their users."""

    def fit(self, inputs: ClosedFormInputs) -> MatrixScorer:
        """Find each item's neighbours."""
        X = matrix_of(inputs.train)
        n = X.shape[1]
        by_item = X.T.tocsr()
        lengths = np.sqrt(np.maximum(inputs.train.item_degree, 1)).astype(np.float32)
        blocks = []
        for start in counted(range(0, n, _BLOCK), "neighbours of items"):
            rows = slice(start, start + _BLOCK)
            near = (by_item[rows] @ X).tocsr()
            items = np.arange(n)[rows].repeat(np.diff(near.indptr))
            near.data /= lengths[items] * lengths[near.indices] + self.config.shrink
            near.data[near.indices == items] = 0.0
            blocks.append(_nearest(near, self.config.neighbours))
        return MatrixScorer(sparse.vstack(blocks).T.tocsr(), X, inputs.ties)


def _nearest(rows: sparse.csr_array, count: int) -> sparse.csr_array:
    """The ``count`` largest positive entries of each row. Entries equal to the last one are chosen by column."""
    counts = np.diff(rows.indptr)
    of = np.arange(rows.shape[0]).repeat(counts)
    order = np.lexsort((rows.indices, -rows.data, of))
    place = np.arange(len(of)) - rows.indptr[:-1].repeat(counts)
    kept = order[(place < count) & (rows.data[order] > 0)]
    return sparse.csr_array((rows.data[kept], (of[kept], rows.indices[kept])), rows.shape)
