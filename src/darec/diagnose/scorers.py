"""Recommenders without training: popularity, text alone, interactions alone, and interactions predicted from text.

A :data:`ScoreFunction` takes [n] rows of users to [n, I] scores. None has seen anything but training interactions
and text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from darec.types import FloatArray, IntArray, Interactions

ScoreFunction = Callable[[IntArray], FloatArray]

_TIE = 1e-3  # the profile decides between items that no neighbour speaks for, which are most


def matrix_of(train: Interactions) -> sparse.csr_array:
    """[U, I] ones at the training pairs, float32."""
    ones = np.ones(len(train), np.float32)
    return sparse.csr_array((ones, train.items, train.indptr), (train.n_users, train.n_items))


def unit(rows: NDArray[np.floating]) -> FloatArray:
    """The rows at unit length, float32; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return np.asarray(scaled, np.float32)


def centred(items: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    """[I, d] unit rows of the texts less the mean text, at unit length; zeros for items without text.

    Encoders put all texts of a shop in one corner of their space, and the mean row is that corner.
    """
    rows = unit(items)
    mean = rows[mask].mean(0, dtype=np.float64) if mask.any() else 0.0
    return unit((rows - mean) * mask[:, None])


def popularity(train: Interactions) -> ScoreFunction:
    """Every user gets the items of most training users."""
    counts = train.item_degree.astype(np.float32)
    return lambda users: np.tile(counts, (len(users), 1))


def profile(items: FloatArray, train: Interactions) -> ScoreFunction:
    """A user is the mean text of the training items; the score is the inner product.

    Args:
        items: [I, d] from :func:`centred`.
        train: the training pairs.
    """
    taste = matrix_of(train) @ items / np.maximum(train.user_degree, 1)[:, None]
    return inner(taste, items)


def neighbours(
    near: IntArray, cosines: FloatArray, rows: IntArray, items: FloatArray, train: Interactions
) -> ScoreFunction:
    """Item-kNN over text: an item's score is the sum of its cosines with those training items that are near it.

    An item counts as near if the training item is among its k nearest. Users' profiles decide between ties.

    Args:
        near: [n, k] places in ``rows`` of each item's nearest neighbours in text.
        cosines: [n, k] theirs.
        rows: [n] the rows of the items that have text.
        items: [I, d] from :func:`centred`.
        train: the training pairs.
    """
    counts = np.zeros(train.n_items, np.int64)
    counts[rows] = near.shape[1]
    starts = np.concatenate([[0], counts.cumsum()])
    entries = (cosines.clip(min=0).ravel(), rows[near].ravel(), starts)
    of_items = sparse.csc_array(entries, shape=(train.n_items, train.n_items))  # a column an item
    weights = sparse.csr_array(of_items)
    matrix, ties = matrix_of(train), profile(items, train)
    return lambda users: (matrix[users] @ weights).toarray() + _TIE * ties(users)


def inner(of_users: NDArray[np.floating], of_items: NDArray[np.floating]) -> ScoreFunction:
    """The inner product of two tables."""
    left = np.asarray(of_users, np.float32)
    right = np.ascontiguousarray(np.asarray(of_items, np.float32).T)
    return lambda users: np.asarray(left[users] @ right)


def low_pass(train: Interactions, width: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """The ideal low-pass filter of the training matrix: collaborative filtering in closed form.

    With V the first right singular vectors of D_U^-1/2 R D_I^-1/2, users are R D_I^-1/2 V and items D_I^1/2 V (GF-CF,
    Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021, equation 7 and its ideal
    low-pass term).

    Args:
        train: the training pairs.
        width: of the tables; at most one less than users and items.
        seed: of the randomised SVD.

    Returns:
        [U, width] and [I, width]. Leading columns are those of a narrower filter.
    """
    from sklearn.utils.extmath import randomized_svd

    matrix = matrix_of(train)
    by_user, by_item = (
        1 / np.sqrt(np.maximum(degree, 1)) for degree in (train.user_degree, train.item_degree)
    )
    scaled = sparse.diags_array(by_user) @ matrix @ sparse.diags_array(by_item)
    width = min(width, min(matrix.shape) - 1)
    _, _, axes = randomized_svd(scaled, width, random_state=seed)
    V = np.asarray(axes.T)
    users = matrix @ (V * by_item[:, None])
    return users.astype(np.float32), (V / by_item[:, None]).astype(np.float32)
