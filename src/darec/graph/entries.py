"""The entries of the user-item graph as compressed sparse rows: of all rows, or of those of one process."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darec.types import FloatArray, IntArray, Interactions

_BLOCK: Final = 2**22  # number of entries that are weighted together


class Entries(NamedTuple):
    """Some rows of the normalised adjacency; the attributes are those of :class:`~darec.graph.Graph`."""

    indptr: NDArray[Any]
    indices: NDArray[Any]
    weights: FloatArray
    edges: NDArray[Any]


def entries(train: Interactions, users: slice, items: slice, *, self_loops: bool) -> Entries:
    """The rows of some users and then of some items.

    Args:
        train: the training interactions.
        users: the users.
        items: the items.
        self_loops: add an edge from every entity to itself.
    """
    loops, n_users, n_pairs = int(self_loops), train.n_users, len(train)
    n = n_users + train.n_items
    index = np.int32 if max(n, 2 * n_pairs + loops * n) < 2**31 else np.int64
    degree = np.concatenate([train.user_degree, train.item_degree]) + loops
    own = np.concatenate(
        [np.arange(users.start, users.stop), n_users + np.arange(items.start, items.stop)]
    )
    # The rows of users are the pairs in their order, and those of items the pairs in the order of items.
    pairs = slice(int(train.indptr[users.start]), int(train.indptr[users.stop]))
    by_item = _by_item(train, items).astype(index)
    indptr = np.concatenate([[0], np.cumsum(degree[own])])
    indices: NDArray[Any] = np.concatenate([train.items[pairs], train.users[by_item]]).astype(index)
    indices[: pairs.stop - pairs.start] += n_users
    edges = np.concatenate([np.arange(pairs.start, pairs.stop, dtype=index), by_item])
    del by_item
    if loops:  # the first entry in a user's row, the last in an item's
        count = users.stop - users.start
        at = np.concatenate([indptr[:count], indptr[count + 1 :] - 1])
        indices, edges = (
            _inserted(values, at, found)
            for values, found in (
                (indices, own.astype(index)),
                (edges, (n_pairs + own).astype(index)),
            )
        )
    inverse_root = 1.0 / np.sqrt(np.maximum(degree, 1))
    weights = _weights(inverse_root[own], inverse_root, indptr, indices)
    return Entries(indptr.astype(index), indices, weights, edges)


def _by_item(train: Interactions, items: slice) -> NDArray[Any]:
    """The pairs of some items, in the order of the items; those of one item in the order of the data."""
    if items == slice(0, train.n_items):
        return np.argsort(train.items, kind="stable")
    found, start = [], 0
    for _, _, part in train.blocks():
        found.append(start + np.flatnonzero((part >= items.start) & (part < items.stop)))
        start += len(part)
    places = np.concatenate(found) if found else np.zeros(0, np.int64)
    return places[np.argsort(train.items[places], kind="stable")]


def _inserted(values: NDArray[Any], places: NDArray[Any], entries: NDArray[Any]) -> NDArray[Any]:
    """Insert entries into values, at ``places`` of the result."""
    whole = np.empty(len(values) + len(entries), values.dtype)
    others = np.ones(len(whole), bool)
    others[places] = False
    whole[places], whole[others] = entries, values
    return whole


def _weights(
    of_rows: NDArray[Any], of_columns: NDArray[Any], indptr: IntArray, indices: NDArray[Any]
) -> FloatArray:
    """[nnz] the product of a row's factor and a column's, computed in blocks of rows."""
    weights = np.empty(len(indices), np.float32)
    cuts = np.searchsorted(indptr, np.arange(0, len(indices), _BLOCK))
    for first, last in pairwise([*np.unique(cuts).tolist(), len(of_rows)]):
        part = slice(indptr[first], indptr[last])
        rows = np.repeat(of_rows[first:last], np.diff(indptr[first : last + 1]))
        weights[part] = rows * of_columns[indices[part]]
    return weights
