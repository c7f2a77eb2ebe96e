"""An item's neighbours in text: the nearest by cosine, with softmax weights and a measured reliability.

DaRec's smoothing, the text report and the maps of cold start all use this function.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from darec.graph.adjacency import Graph
from darec.graph.nearest import find_neighbours
from darec.graph.neighbours import NeighbourGraph, neighbour_weights
from darec.graph.reliability import reliability
from darec.graph.shared_text import SharedText

COUNT: Final = 10
"""Default number of neighbours of an item."""
TEMPERATURE: Final = 0.1
"""Default temperature of the softmax of cosines that weights them."""
_ROWS: Final = 1024  # queries whose neighbours' values are in memory at once


class TextNeighbours(NamedTuple):
    """The items' neighbours, and their reliability in [0, 1]."""

    graph: NeighbourGraph
    reliability: float

    @property
    def told(self) -> dict[str, float]:
        """Their recall, for a run's diagnostics; empty if all items were compared (:mod:`darec.graph.nearest`)."""
        return {} if self.graph.recall is None else {"neighbour_recall": self.graph.recall}


def text_neighbours(
    items: Tensor,
    mask: Tensor,
    graph: Graph,
    *,
    shared: SharedText | None = None,
    count: int = COUNT,
    temperature: float = TEMPERATURE,
    trust: float | None = None,
) -> TextNeighbours | None:
    """The nearest neighbours of every item in text, with their reliability.

    Args:
        items: [I, d_L] text.
        mask: [I] bool, False if an item has no text: it has no neighbours and is not a neighbour.
        graph: the training graph, on which reliability is measured.
        shared: the part of the text for the cosines; None is all of it.
        count: number of neighbours of each item.
        temperature: divides the cosines in the softmax of the weights.
        trust: their reliability, if it is known. With None, it is measured (:func:`darec.graph.reliability`).

    Returns:
        None if fewer than two items have text, or the part has no direction.
    """
    rows = items if shared is None else shared.part(items).float()
    if mask.sum() < 2 or not rows.shape[1]:
        return None
    near = NeighbourGraph(rows, count, temperature, mask)
    return TextNeighbours(near, reliability(near, graph) if trust is None else trust)


def neighbour_means(
    values: Tensor,
    x: Tensor,
    queries: Tensor | None = None,
    *,
    count: int = COUNT,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """The weighted mean of the values of each query's nearest rows.

    Args:
        values: [n, k].
        x: [n, d] embeddings that define nearness.
        queries: [m, d]; None is the rows of ``x``, each without itself.
        count: number of nearest rows of each query, at least 1 and at most the number of rows.
        temperature: see :func:`text_neighbours`.

    Returns:
        [m, k].
    """
    if queries is not None and not len(queries):
        return values[:0]
    most = len(x) - (queries is None)
    near, cosines, _ = find_neighbours(x, min(count, most), queries)
    parts = zip(near.split(_ROWS), cosines.split(_ROWS), strict=True)
    return torch.cat(
        [
            (neighbour_weights(cosine, temperature)[:, :, None] * values[rows]).sum(1)
            for rows, cosine in parts
        ]
    )
