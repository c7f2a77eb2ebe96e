"""Recommenders without training: popularity, text alone, interactions alone, and interactions predicted from text.

A :data:`ScoreFunction` returns [n, I] scores for [n] rows of users. All use only training interactions and text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from darec.graph import ideal_low_pass, matrix_of
from darec.types import FloatArray, IntArray, Interactions

ScoreFunction = Callable[[IntArray], FloatArray]

_TIE = (
    1e-3  # the profile decides between the items without neighbours in the history, which are most
)


def unit(rows: NDArray[np.floating]) -> FloatArray:
    """Return the rows at unit length, float32; rows of zeros stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return np.asarray(scaled, np.float32)


def centred(items: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    """[I, d] unit rows of the texts minus the mean text, scaled to unit length again; zeros for items without text.

    Encoders put all texts of a shop into one region of their space; subtracting the mean row removes that common part.
    """
    rows = unit(items)
    mean = rows[mask].mean(0, dtype=np.float64) if mask.any() else 0.0
    return unit((rows - mean) * mask[:, None])


def popularity(train: Interactions) -> ScoreFunction:
    """Score items by their number of training users, the same for every user."""
    counts = train.item_degree.astype(np.float32)
    return lambda users: np.tile(counts, (len(users), 1))


def profile(items: FloatArray, train: Interactions) -> ScoreFunction:
    """Score by the inner product with the mean text of the user's training items.

    Args:
        items: [I, d] from :func:`centred`.
        train: the training pairs.
    """
    taste = matrix_of(train) @ items / np.maximum(train.user_degree, 1)[:, None]
    return inner(taste, items)


def neighbours(
    near: IntArray, cosines: FloatArray, rows: IntArray, items: FloatArray, train: Interactions
) -> ScoreFunction:
    """Score by item-kNN over text: the sum of an item's cosines with the training items among its k nearest.

    Users' profiles break ties.

    Args:
        near: [n, k] places in ``rows`` of each item's nearest neighbours in text.
        cosines: [n, k] their cosines.
        rows: [n] the rows of the items that have text.
        items: [I, d] from :func:`centred`.
        train: the training pairs.
    """
    counts = np.zeros(train.n_items, np.int64)
    counts[rows] = near.shape[1]
    starts = np.concatenate([[0], counts.cumsum()])
    entries = (cosines.clip(min=0).ravel(), rows[near].ravel(), starts)
    of_items = sparse.csc_array(
        entries, shape=(train.n_items, train.n_items)
    )  # one column for each item
    weights = sparse.csr_array(of_items)
    matrix, ties = matrix_of(train), profile(items, train)
    return lambda users: (matrix[users] @ weights).toarray() + _TIE * ties(users)


def inner(of_users: NDArray[np.floating], of_items: NDArray[np.floating]) -> ScoreFunction:
    """Score by the inner product of two tables."""
    left = np.asarray(of_users, np.float32)
    right = np.ascontiguousarray(np.asarray(of_items, np.float32).T)
    return lambda users: np.asarray(left[users] @ right)


def low_pass(train: Interactions, width: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return the tables of users [U, width] and items [I, width] of :func:`~darec.graph.ideal_low_pass`."""
    of_users, of_items = ideal_low_pass(train, width, seed)
    return np.asarray(matrix_of(train) @ of_users), of_items
