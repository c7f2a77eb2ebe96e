"""The types that parts exchange: interactions, tables, encodings and batches.

They contain no logic of a part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IntArray = NDArray[np.int64]
RowArray = NDArray[np.signedinteger[Any]]
"""Stored row numbers: int32 if they fit, which halves the memory. Products of them need int64."""
FloatArray = NDArray[np.float32]
_PAIRS: Final = 2**22  # pairs in a block


@dataclass(frozen=True)
class Interactions:
    """The user-item pairs of one split, without repeats, sorted by user and then by item.

    Build it with :meth:`from_pairs`, which sorts and checks.

    Attributes:
        users: [E] row of each pair's user, in 0..n_users-1; int32 if all rows of users and items fit.
        items: [E] row of each pair's item, in 0..n_items-1; of the same type. Both may be mapped from a file.
        n_users: U, including users without a pair here.
        n_items: I, including items without a pair here.
    """

    users: RowArray
    items: RowArray
    n_users: int
    n_items: int

    @classmethod
    def from_pairs(
        cls, users: NDArray[np.integer], items: NDArray[np.integer], n_users: int, n_items: int
    ) -> Interactions:
        """Sort the pairs and remove repeats. Raises ``ValueError`` if an index is out of range."""
        users, items = np.asarray(users), np.asarray(items)
        for name, index, size in (("user", users, n_users), ("item", items, n_items)):
            if index.size and (index.min() < 0 or index.max() >= size):
                raise ValueError(f"{name} index outside 0..{size - 1}")
        keys = users.astype(np.int64)
        keys *= n_items
        keys += items.astype(np.int64, copy=False)
        kind = row_type(n_users + n_items)
        if (keys[1:] > keys[:-1]).all():
            return cls(users.astype(kind), items.astype(kind), n_users, n_items)
        keys.sort()
        first = np.ones(len(keys), bool)
        np.not_equal(keys[1:], keys[:-1], out=first[1:])
        if not first.all():
            keys = keys[first]
        # By blocks, so that quotients of 64 bits are never in memory for all pairs: 10^8 pairs are 0.8 GB of them.
        of_users, of_items = np.empty(len(keys), kind), np.empty(len(keys), kind)
        for start in range(0, len(keys), _PAIRS):
            part = slice(start, start + _PAIRS)
            of_users[part], of_items[part] = np.divmod(keys[part], max(n_items, 1))
        return cls(of_users, of_items, n_users, n_items)

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def indptr(self) -> IntArray:
        """[U + 1] user u's items are ``items[indptr[u]:indptr[u + 1]]``, in ascending order."""
        bounds = np.arange(self.n_users + 1, dtype=self.users.dtype)
        return np.searchsorted(self.users, bounds).astype(np.int64)

    @cached_property
    def keys(self) -> IntArray:
        """[E] ``user * I + item`` in ascending order: membership by binary search."""
        return self.users.astype(np.int64) * self.n_items + self.items

    def blocks(self, size: int = _PAIRS) -> Iterator[tuple[IntArray, RowArray, RowArray]]:
        """Yield keys, users and items of ``size`` pairs at a time, so that not all are in memory together."""
        for start in range(0, len(self), size):
            users, items = (rows[start : start + size] for rows in (self.users, self.items))
            yield users.astype(np.int64) * self.n_items + items, users, items

    @cached_property
    def user_degree(self) -> IntArray:
        """[U] number of items of each user."""
        return np.diff(self.indptr)

    @cached_property
    def item_degree(self) -> IntArray:
        """[I] number of users of each item."""
        degree = np.zeros(self.n_items, np.int64)
        for _, _, items in self.blocks():
            degree += np.bincount(items, minlength=self.n_items)
        return degree

    def of_user(self, user: int) -> RowArray:
        """The items of one user, in ascending order."""
        return self.items[self.indptr[user] : self.indptr[user + 1]]

    def of_users(self, users: IntArray) -> Interactions:
        """The pairs of some users only.

        Args:
            users: [n] distinct rows, which become 0..n-1 in this order.
        """
        places = np.full(self.n_users, -1, np.int64)
        places[users] = np.arange(len(users))
        kept = places[self.users] >= 0
        return Interactions.from_pairs(
            places[self.users[kept]], self.items[kept], len(users), self.n_items
        )

    def contains(self, users: RowArray, items: RowArray) -> NDArray[np.bool_]:
        """Whether each pair is among these; ``users`` and ``items`` are broadcast against each other."""
        keys = np.asarray(users, np.int64) * self.n_items + items
        if not len(self):
            return np.zeros(keys.shape, bool)
        found = np.searchsorted(self.keys, keys)
        present: NDArray[np.bool_] = self.keys[np.minimum(found, len(self) - 1)] == keys
        return present

    def union(self, other: Interactions) -> Interactions:
        """The union of both sets of pairs."""
        return Interactions.from_pairs(
            np.concatenate([self.users, other.users]),
            np.concatenate([self.items, other.items]),
            self.n_users,
            self.n_items,
        )


def row_type(size: int) -> type[np.int32] | type[np.int64]:
    """The type of rows below ``size``."""
    return np.int32 if size < 2**31 else np.int64


@dataclass(frozen=True)
class Tables:
    """Two tables whose inner products are the scores.

    Attributes:
        users: [U, d] float.
        items: [I, d] float.
    """

    users: Tensor
    items: Tensor


@dataclass(frozen=True)
class Encoded(Tables):
    """The output of a backbone: E_C, split into users and items.

    Attributes:
        users: [U, out_dim].
        items: [I, out_dim].
        views: augmented encodings of the same entities, for backbones that contrast views.
    """

    views: tuple[Tables, ...] = ()

    @property
    def entities(self) -> Tensor:
        """E_C, [N, out_dim], users first."""
        return torch.cat([self.users, self.items])


@dataclass(frozen=True)
class TextTable:
    """E_L: frozen language embeddings of every user and item, rows in the dataset's order.

    Attributes:
        users: [U, d_L] float32.
        items: [I, d_L] float32.
        user_mask: [U] bool, False for a user without text, who has the mean vector.
        item_mask: [I] bool, False for an item without text, which has the mean vector.
        name: the encoder's name, as given to ``darec encode``.
    """

    users: FloatArray
    items: FloatArray
    user_mask: NDArray[np.bool_]
    item_mask: NDArray[np.bool_]
    name: str

    @property
    def dim(self) -> int:
        """d_L."""
        return int(self.items.shape[1])

    def fingerprint(self) -> str:
        """Hash of the vectors, which is equal exactly if two tables are equal."""
        digest = hashlib.sha256()
        for table in (self.users, self.items):
            digest.update(f"{table.shape} {table.dtype}".encode() + table.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Batch:
    """One training step's positives and negatives, on the model's device.

    The negatives take one of two forms. For pairwise losses ``negatives`` is [B], one per positive. For
    softmax losses it is [M], shared by the batch: distinct items, with ``log_weight`` [M] (the logarithm of how often
    each was drawn, minus log Q if the correction is on) and ``blocked`` [B, M], True where the item is a training
    positive of that row's user. With several processes, each has ``blocked`` for its share of the rows.

    Attributes:
        users: [B] long.
        items: [B] long, the positives.
        negatives: [B] or [M] long; never a training positive of its row's user (M: see ``blocked``).
        generator: source of the alignment's random draws. It is separate from the backbone's, so that runs that differ
            only in the alignment have the same batches and dropout.
        step: number of the step since training began, from 0.
    """

    users: Tensor
    items: Tensor
    negatives: Tensor
    generator: torch.Generator
    step: int
    log_weight: Tensor | None = None
    blocked: Tensor | None = None
