"""Whether neighbours in text share users: how far a graph of neighbours is to be trusted."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse

from darec.graph.adjacency import Graph
from darec.graph.neighbours import NeighbourGraph

_ITEMS: Final = 10_000  # looked at, evenly spread over the catalogue: enough for a mean
_BLOCK: Final = 1_000


def beyond_chance(neighbours: NeighbourGraph, graph: Graph) -> float:
    """Share of what neighbouring items have in common in users that chance does not explain, in [0, 1].

    With S the normalised adjacency, ``(S^2)_ij`` says how much two items share users, users and items of many
    interactions counting less. Let a be the mean over items of ``sum_j M_ij (S^2)_ij``, M the weights of the
    neighbours, and c the same with every other known item for a neighbour. The share is ``1 - c / a``: near 1 where
    neighbours in text share users, about 0 where the text is dealt out at random.

    Args:
        neighbours: of the items, by their text.
        graph: the training graph.

    Returns:
        0 also where no two neighbours share a user.
    """
    n_items = len(neighbours.indptr) - 1
    item_rows = graph.indptr[-n_items - 1 :].numpy(force=True).astype(np.int64)
    start, stop = item_rows[0], item_rows[-1]
    entries = (graph.weights[start:stop], graph.indices[start:stop])
    weights, users = (entry.numpy(force=True) for entry in entries)
    S = sparse.csr_array((weights, users, item_rows - start), (n_items, len(graph.indptr) - 1))
    near = sparse.csr_array(
        tuple(
            neighbours.get_buffer(name).numpy(force=True)
            for name in ("weights", "indices", "indptr")
        ),
        (n_items, n_items),
    )
    known = np.flatnonzero(np.diff(near.indptr))
    looked_at = known[:: max(1, len(known) // _ITEMS)]
    everyone = S[known].sum(axis=0)
    shared = chance = 0.0
    for begin in range(0, len(looked_at), _BLOCK):
        own, theirs = S[looked_at[begin : begin + _BLOCK]], near[looked_at[begin : begin + _BLOCK]]
        shared += float((own.multiply(theirs @ S)).sum())
        chance += float((own @ everyone).sum() - own.power(2).sum()) / (len(known) - 1)
    return max(0.0, 1 - chance / shared) if shared > 0 else 0.0
