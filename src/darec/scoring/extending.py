"""A scorer extended by new items: a map gives their rows of tables, and neighbours give their columns of a matrix."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from darec.errors import RunError
from darec.graph.nearest import find_neighbours
from darec.graph.neighbours import neighbour_weights
from darec.graph.text_neighbours import COUNT, TEMPERATURE
from darec.scoring.added import AddedScorer
from darec.scoring.base import Scorer
from darec.scoring.folding import Folding, LinearFolding
from darec.scoring.matrix import MatrixScorer
from darec.scoring.neighbours import NeighbourScorer
from darec.scoring.popularity import PopularityScorer
from darec.scoring.tables import TableScorer
from darec.types import FloatArray, IntArray, Tables


def tables_of(scorer: Scorer) -> TableScorer | None:
    """The tables of a scorer, alone or beside a matrix; None if it has no tables."""
    if isinstance(scorer, AddedScorer):
        return next((found for part in scorer.scorers if (found := tables_of(part))), None)
    return scorer if isinstance(scorer, TableScorer) else None


def text_weights(warm: IntArray, text: Tensor, queries: Tensor, n_items: int) -> sparse.csr_array:
    """The weight of each warm item for each new one: a softmax of cosines over its nearest, zero for the others.

    Args:
        warm: [n] rows of the warm items.
        text: [n, d] text embeddings of the warm items.
        queries: [m, d] text embeddings of the new items.
        n_items: I.

    Returns:
        [m, I] weights; each row adds up to 1.
    """
    if not len(queries):
        return sparse.csr_array(np.zeros((0, n_items), np.float32))
    near, cosines, _ = find_neighbours(text, min(COUNT, len(warm)), queries)
    weights = neighbour_weights(cosines, TEMPERATURE).float()
    starts = np.arange(len(queries) + 1) * near.shape[1]
    columns = warm[near.numpy().ravel()]
    return sparse.csr_array((weights.numpy().ravel(), columns, starts), (len(queries), n_items))


def new_items(
    scorer: Scorer, rows: FloatArray | None, weights: sparse.csr_array, ties: IntArray
) -> Scorer:
    """A scorer of the same users for only the new items.

    Args:
        scorer: a scorer of U users and I items.
        rows: [m, d] rows of the new items in its tables; None if it has no tables.
        weights: [m, I] weight of each item for each new one, for its matrix.
        ties: [m] places of the new items.

    Raises:
        RunError: a scorer of another kind.
    """
    if isinstance(scorer, TableScorer) and rows is not None:
        return TableScorer(Tables(scorer.tables.users.float(), torch.from_numpy(rows)), ties)
    if isinstance(scorer, MatrixScorer):
        return MatrixScorer(_dense_or_sparse(scorer.matrix @ weights.T), scorer.histories, ties)
    if isinstance(scorer, PopularityScorer):
        values = torch.from_numpy(weights @ scorer.values.numpy())  # means over the weighted items
        return scorer.with_values(values, ties)
    if isinstance(scorer, AddedScorer):
        parts = [new_items(part, rows, weights, ties) for part in scorer.scorers]
        return AddedScorer(parts, scorer.weights)
    raise _unknown(scorer)


def extended(
    scorer: Scorer, rows: FloatArray | None, weights: sparse.csr_array, ties: IntArray
) -> Scorer:
    """A scorer of the same users for all items, the new ones last; new items can be liked as well.

    Args:
        scorer: a scorer of U users and I items.
        rows: see :func:`new_items`.
        weights: see :func:`new_items`.
        ties: [I + m] places of all items.

    Raises:
        RunError: a scorer of another kind.
    """
    if isinstance(scorer, TableScorer) and rows is not None:
        items = torch.cat([scorer.tables.items.float(), torch.from_numpy(rows)])
        folding = _extended_folding(scorer.folding, weights)
        return TableScorer(Tables(scorer.tables.users.float(), items), ties, folding)
    if isinstance(scorer, MatrixScorer | NeighbourScorer):
        return NeighbourScorer(scorer, weights, ties)
    if isinstance(scorer, PopularityScorer):
        new = torch.from_numpy(weights @ scorer.values.numpy())  # means over the weighted items
        return scorer.with_values(torch.cat([scorer.values, new]), ties)
    if isinstance(scorer, AddedScorer):
        parts = [extended(part, rows, weights, ties) for part in scorer.scorers]
        return AddedScorer(parts, scorer.weights)
    raise _unknown(scorer)


def folded(
    scorer: Scorer, rows: FloatArray | None, weights: sparse.csr_array, histories: sparse.csr_array
) -> Scorer:
    """A scorer of n other users for the same I items. The histories of these users may contain new items.

    Args:
        scorer: a scorer of U users and I items.
        rows: see :func:`new_items`.
        weights: see :func:`new_items`.
        histories: [n, I + m] interactions of the n users.

    Raises:
        RunError: a scorer of another kind.
    """
    if isinstance(scorer, TableScorer):
        ties = np.arange(scorer.n_items + weights.shape[0])
        users = extended(scorer, rows, weights, ties).for_histories(histories)
        assert isinstance(users, TableScorer)
        tables = Tables(users.tables.users, scorer.tables.items)
        return TableScorer(tables, scorer.ties, scorer.folding)
    if isinstance(scorer, PopularityScorer):
        ties = np.arange(scorer.n_items + weights.shape[0])
        whole = extended(scorer, rows, weights, ties)
        assert isinstance(whole, PopularityScorer)
        return whole.for_histories(histories).with_values(scorer.values, scorer.ties)
    if isinstance(scorer, AddedScorer):
        parts = [folded(part, rows, weights, histories) for part in scorer.scorers]
        return AddedScorer(parts, scorer.weights)
    ties = np.arange(scorer.n_items + weights.shape[0])
    return scorer.for_histories(NeighbourScorer(scorer, weights, ties).fold(histories))


def _extended_folding(folding: Folding, weights: sparse.csr_array) -> Folding:
    """The fold-in for users who have new items: a second table of items gets its new rows from neighbours."""
    if isinstance(folding, LinearFolding):
        more = torch.from_numpy(np.asarray(weights @ folding.table.numpy(), np.float32))
        return LinearFolding(torch.cat([folding.table, more]))
    return folding


def _dense_or_sparse(matrix: sparse.csr_array | FloatArray) -> sparse.csr_array | FloatArray:
    return matrix.tocsr() if sparse.issparse(matrix) else np.ascontiguousarray(matrix, np.float32)


def _unknown(scorer: Scorer) -> RunError:
    return RunError(f"a scorer of kind {scorer.kind!r} cannot take new items.")
