"""From text vectors to E_L: every user and every item gets a vector, also if texts are missing.

A user's vector is made only from the items in ``train``; no function here reads another split.

- *mean*: the mean of the vectors of the user's training items.
- *idf*: their mean weighted by ``log((1 + U) / (1 + n_i)) + 1``, where n_i of the U users with training items have item
  i. This is scikit-learn's smoothed inverse document frequency with users as documents. Items that everybody has say
  little about a user.

The mean of several directions is shorter than each of them, and shorter for users with more items. Users' rows are
therefore scaled to the mean length of the items' rows (1 for every encoder that makes unit rows). Both halves of E_L
then have the same scale, and the length of a row does not show how active its user was. Entities without a vector get
the plain mean of the other rows of their table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from darec.errors import TextError
from darec.types import FloatArray, Interactions, TextTable

UserPooling = Literal["mean", "idf"]
_COLUMNS: Final = 64
_ROWS: Final = 65_536


@dataclass(frozen=True)
class TextVectors:
    """Vectors of the existing texts, with rows in the dataset's order; zeros where the mask is False.

    Attributes:
        items: [I, d] float32.
        item_mask: [I] bool.
        users: [U, d] float32, from texts about users. With None, users are pooled from their items.
        user_mask: [U] bool, or None if ``users`` is None.
    """

    items: FloatArray
    item_mask: NDArray[np.bool_]
    users: FloatArray | None = None
    user_mask: NDArray[np.bool_] | None = None


def pool_users(
    items: FloatArray,
    item_mask: NDArray[np.bool_],
    train: Interactions,
    pooling: UserPooling = "mean",
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Users' vectors from those of their training items; the formula is at the top of this file.

    Args:
        items: [I, d].
        item_mask: [I] bool, False for items without a vector, which are ignored.
        train: the training pairs.
        pooling: ``"mean"`` or ``"idf"``.

    Returns:
        [U, d] float32 and [U] bool: False (and zeros) for users none of whose training items has a vector.
    """
    weight = item_mask.astype(np.float64)
    if pooling == "idf":
        n_active = int((train.user_degree > 0).sum())
        weight *= np.log((1 + n_active) / (1 + train.item_degree)) + 1
    matrix = sparse.csr_array(
        (weight[train.items], train.items, train.indptr), shape=(train.n_users, train.n_items)
    )
    pooled = np.empty((train.n_users, items.shape[1]))
    for start in range(0, items.shape[1], _COLUMNS):  # never converts the whole table to float64
        some = slice(start, start + _COLUMNS)
        pooled[:, some] = matrix @ items[:, some].astype(np.float64)
    total = np.asarray(matrix.sum(axis=1), np.float64)
    lengths = np.linalg.norm(pooled, axis=1)
    # Opposite vectors can cancel out: the remaining rounding error is not a direction.
    mask = lengths > 1e-6 * total
    norms = [np.linalg.norm(items[n : n + _ROWS], axis=1) for n in range(0, len(items), _ROWS)]
    scale = np.concatenate(norms)[item_mask].mean() if item_mask.any() else 0.0
    factor = np.divide(scale, lengths, out=np.zeros_like(lengths), where=mask)
    return (pooled * factor[:, None]).astype(np.float32), mask


def fill_missing(table: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    """The table with the other rows replaced by the mean of the rows in the mask, [n, d] float32."""
    if mask.all():
        return table
    mean = table[mask].mean(axis=0, dtype=np.float64).astype(np.float32) if mask.any() else 0.0
    filled = table.copy()
    filled[~mask] = mean
    return filled


def make_table(
    vectors: TextVectors, train: Interactions, pooling: UserPooling, name: str
) -> TextTable:
    """E_L for every user and item.

    Raises:
        TextError: the pooling is unknown, or no user has a training item with text.
    """
    if pooling not in ("mean", "idf"):
        raise TextError(f"unknown user pooling {pooling!r}: choose from mean, idf.")
    users, user_mask = vectors.users, vectors.user_mask
    if users is None or user_mask is None:
        users, user_mask = pool_users(vectors.items, vectors.item_mask, train, pooling)
    if len(users) and not user_mask.any():
        raise TextError("no user has a training item with text, so users have no embeddings.")
    return TextTable(
        fill_missing(users, user_mask),
        fill_missing(vectors.items, vectors.item_mask),
        user_mask,
        vectors.item_mask,
        name,
    )
