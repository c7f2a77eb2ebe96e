"""Reliability of neighbours in text: whether similar users like them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from darec.graph.adjacency import Graph
from darec.graph.neighbours import NeighbourGraph
from darec.progress import counted

_ITEMS: Final = 4_000  # the most items in the mean, evenly spread over the catalogue
_ENTRIES: Final = 50_000_000  # the most entries of a block of items against all
FloatArray = NDArray[np.float64]


def reliability(neighbours: NeighbourGraph, graph: Graph) -> float:
    """How well an item's neighbours replace the item itself, between 0 and 1.

    Let ``y_u`` be a user's row of the normalised adjacency, and ``k(i, j)`` the mean of ``<y_u, y_v>`` over users u of
    item i and v of item j, other than u, without the columns of i and j: the similarity of the two items' users in all
    other items. With means over items with at least two users,

        own = k(i, i),  near = sum_j M_ij k(i, j),  chance = sum_j M_hj k(i, j),

    M the neighbours' weights and h another item at random (j never i), the reliability is
    ``(near - chance) / (own - chance)``: 1 if a neighbour's users are as informative about an item as its own users, 0
    if the texts are assigned at random.

    Args:
        neighbours: of the items, by their text.
        graph: the training graph.

    Returns:
        The reliability; also 0 if users of the same item have no more in common than others.
    """
    users = _Users(neighbours, graph)
    if not len(users.items):
        return 0.0
    own = near = chance = 0.0
    others = np.random.default_rng(0).permutation(users.items)
    block = max(1, min(500, _ENTRIES // len(users.counts)))
    for begin in counted(
        range(0, len(users.items), block), "measuring the neighbours' reliability"
    ):
        items, strangers = users.items[begin : begin + block], others[begin : begin + block]
        sums = users.of[items] @ users.rows
        own += users.among(items, sums)
        near += users.between(items, sums, users.near[items])
        chance += users.between(items, sums, users.near[strangers])
    return float(np.clip((near - chance) / (own - chance), 0, 1)) if own > chance else 0.0


class _Users:
    """Sums of ``k`` over items, computed only from sparse products.

    Attributes:
        items: rows of the items that are used.
        near: [I, I], M with each column over the users of its item.
        of: [I, U], 1 where a user has an item.
        rows: [U, I], the ``y_u``.
        squares: [I, U], their squared entries.
        lengths: [U], their squared lengths.
        counts: [I], users of each item.
        own_column: [I], column i of the sum of the rows of i's users.
    """

    def __init__(self, neighbours: NeighbourGraph, graph: Graph) -> None:
        n_users, n_items = graph.n_users, graph.n_items
        starts = graph.indptr[n_users:].numpy(force=True).astype(np.int64)
        entries = (graph.weights[starts[0] :], graph.indices[starts[0] :])
        weights, columns = (entry.numpy(force=True) for entry in entries)
        shape = (n_items, n_users)
        by_item = sparse.csr_array((weights.astype(np.float64), columns, starts - starts[0]), shape)
        self.of = by_item.sign()
        self.rows = by_item.T.tocsr()
        self.squares = by_item.power(2)
        self.lengths = self.squares.sum(axis=0)
        self.own_column = by_item.sum(axis=1)
        self.counts = np.diff(by_item.indptr)
        buffers = (neighbours.get_buffer(name) for name in ("weights", "indices", "indptr"))
        near = sparse.csr_array(
            tuple(array.numpy(force=True) for array in buffers), (n_items, n_items)
        )
        usable = np.flatnonzero((self.counts > 1) & (np.diff(near.indptr) > 0))
        self.items = usable[:: max(1, len(usable) // _ITEMS)]
        self.near = (near @ sparse.diags_array(1 / np.maximum(self.counts, 1))).tocsr()

    def among(self, items: NDArray[np.int64], sums: sparse.csr_array) -> float:
        """Sum of ``k(i, i)``; ``sums`` holds the sum of the ``y_u`` of each item's users."""
        same = self.of[items] @ self.lengths - self.squares[items].sum(axis=1)
        pairs = sums.power(2).sum(axis=1) - self.own_column[items] ** 2 - same
        counts = self.counts[items]
        return float((pairs / (counts * (counts - 1))).sum())

    def between(
        self, items: NDArray[np.int64], sums: sparse.csr_array, near: sparse.csr_array
    ) -> float:
        """Sum of ``sum_j M_ij k(i, j)``, j not i; ``near`` holds M_ij over the number of users of j."""
        near.data[near.indices == items.repeat(np.diff(near.indptr))] = 0.0
        theirs = near @ self.of
        summed = theirs @ self.rows
        pairs = sums.multiply(summed).sum(axis=1)
        pairs -= near.multiply(sums) @ self.own_column
        pairs -= self.own_column[items] * summed[np.arange(len(items)), items]
        both = self.of[items].multiply(theirs)
        pairs -= both @ self.lengths - self.squares[items].multiply(theirs).sum(axis=1)
        pairs += self.of[items].multiply(near @ self.squares).sum(axis=1)
        return float((pairs / self.counts[items]).sum())
