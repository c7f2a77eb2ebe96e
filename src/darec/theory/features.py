"""A few features of a user and an item from each side, the inputs of ``darec theory check``.

Both sides are treated in the same way: every item has a vector, and an item is near to a user's taste if its vector is
near to the user's, or to that of one of the user's *training* items. The interactions' vectors are a truncated SVD of
the degree-normalised training matrix, which is like latent semantic analysis for co-occurrence. In addition to
nearness, each side has features of the item alone: its training users, or the topic of its text.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from darec.text.users import pool_users
from darec.types import FloatArray, IntArray, Interactions, TextTable

Features = NDArray[np.float64]

_DIM: Final = 64  # width of the interactions' item vectors
_TOPICS: Final = 8  # number of principal components that represent the topic of a text
_CHUNK: Final = 512  # number of pairs at a time; their users' neighbours are a sparse [_CHUNK, U]


def interaction_features(
    train: Interactions, users: IntArray, items: IntArray, *, seed: int
) -> Features:
    """Features from the training interactions, for pairs that are not among them.

    Args:
        train: training pairs, without the pairs to describe.
        users: [n] rows.
        items: [n] rows.
        seed: seed of the randomised SVD.

    Returns:
        [n, 4]: nearness to the user and to the nearest training item, co-occurrence with the user's training items
        (log of the sum of cosines), and the logarithm of the item's training users.
    """
    matrix = sparse.csr_array(
        (np.ones(len(train)), train.items, train.indptr), shape=(train.n_users, train.n_items)
    )
    vectors = _co_occurrence(matrix, seed)
    pooled, _ = pool_users(vectors, np.linalg.norm(vectors, axis=1) > 0, train)
    nearness = _nearness(pooled, vectors, train, users, items)
    by_item = sparse.csc_array(matrix @ sparse.diags_array(_inverse_root(train.item_degree)))
    together = np.empty(len(users))
    for start in range(0, len(users), _CHUNK):
        part = slice(start, start + _CHUNK)
        neighbours = matrix[users[part]] @ by_item.T  # [_CHUNK, U], weighted by what they share
        together[part] = neighbours.multiply(by_item[:, items[part]].T).sum(axis=1)
    popularity = np.log1p(train.item_degree[items])
    return np.column_stack([nearness, np.log1p(together), popularity])


def text_features(
    text: TextTable, train: Interactions, users: IntArray, items: IntArray
) -> Features:
    """Features from the texts, for the same pairs; a user's taste is that of the training items' texts.

    Returns:
        [n, 2 + t]: nearness to the user and to the nearest training item, and the item's first t <= 8 principal
        components; zeros for items without text.
    """
    items_only = np.where(text.item_mask[:, None], text.items, 0).astype(np.float32)
    nearness = _nearness(text.users, items_only, train, users, items)
    rows = items_only[text.item_mask].astype(np.float64)
    mean = rows.mean(0) if len(rows) else 0.0
    _, axes = np.linalg.eigh((rows - mean).T @ (rows - mean))
    about = (items_only - mean) @ axes[:, ::-1][:, :_TOPICS] * text.item_mask[:, None]
    return np.column_stack([nearness, about[items]])


def _co_occurrence(matrix: sparse.csr_array, seed: int) -> FloatArray:
    """[I, d] vectors whose inner products approximate co-occurrence, normalised by both degrees."""
    from sklearn.utils.extmath import randomized_svd

    dim = min(_DIM, min(matrix.shape) - 1)
    if dim < 1 or not matrix.nnz:
        return np.zeros((matrix.shape[1], 1), np.float32)
    by_user, by_item = (
        sparse.diags_array(_inverse_root(np.asarray(matrix.sum(axis=axis)))) for axis in (1, 0)
    )
    scaled = by_user @ matrix @ by_item
    _, values, axes = randomized_svd(scaled, dim, random_state=seed)
    return np.asarray(axes.T * values, np.float32)


def _nearness(
    of_users: FloatArray,
    of_items: FloatArray,
    train: Interactions,
    users: IntArray,
    items: IntArray,
) -> Features:
    """[n, 2] cosine of the item with the user, and with the nearest of the user's training items; 0 without."""
    unit, unit_users = _unit(of_items), _unit(of_users)
    found = np.zeros((len(users), 2))
    order = np.argsort(users, kind="stable")
    starts = np.flatnonzero(np.diff(users[order], prepend=-1))
    for places in np.split(order, starts[1:]):
        user, asked = users[places[0]], unit[items[places]]
        found[places, 0] = asked @ unit_users[user]
        own = train.of_user(int(user))
        if len(own):
            found[places, 1] = (asked @ unit[own].T).max(1)
    return found


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(
        np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0), np.float32
    )


def _inverse_root(degree: NDArray[Any]) -> Features:
    return np.asarray(1 / np.sqrt(np.maximum(degree, 1)))
