"""The shared part of the language in closed form: text directions in which similar items share their users."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from darec.graph.adjacency import Graph
from darec.progress import counted

PENALTY = 0.1
"""Default penalty. All values from 0.01 to 1 find neighbours of nearly the same reliability among left-out users
(docs/studies/shared-text.md)."""
_COLUMNS, _ROWS = 64, 2**16  # entries of the text in memory in float64 at once
# Smaller values are rounding errors: S'S is at most 1, so B is at most about 1 / (mean eigenvalue of T'T).
_NOTHING = 1e-9


class SharedText(NamedTuple):
    """The text's mean, [d_L], and its shared directions, [d_L, k], in float64."""

    mean: Tensor
    directions: Tensor

    def part(self, rows: Tensor, count: int | None = None) -> Tensor:
        """[n, d_L] rows of text along the ``count`` leading directions (None: all), [n, at most k] float64."""
        directions = self.directions[:, :count]
        return torch.cat([(part.double() - self.mean) @ directions for part in rows.split(_ROWS)])


def shared_text(items: Tensor, mask: Tensor, graph: Graph, penalty: float = PENALTY) -> SharedText:
    """Directions of the text, whose length shows how much each is shared with the interactions.

    With S the normalised adjacency and T the items' text, centred, of unit length, zero where an item has none,
    ``G = S' S`` without its diagonal is the structure of the interactions between items. The form of the text that is
    nearest to it in squared error, with a ridge on either side, is

        B = (T'T + a I)^-1 T' G T (T'T + a I)^-1,

    and the columns of W are the eigenvectors of its positive part, each times the root of its eigenvalue: rows of
    ``T W`` have the inner products ``T B T'``, the part of the interactions' structure that text explains. This is
    global structure alignment solved for a linear projector of the language, with the interactions in place of C_sh.
    The specific part of the language is left out. It is not from a paper (docs/studies/shared-text.md).

    Args:
        items: [I, d_L].
        mask: [I] bool, False if an item has no text.
        graph: graph of users and I items, without self-loops.
        penalty: a, in units of the mean eigenvalue of T'T.

    Returns:
        The most shared direction first, with the largest weight of each positive. There are no directions if text and
        interactions share nothing, for example if no user has two items.
    """
    T = torch.zeros_like(items, dtype=torch.float32)
    known = mask.to(items.device)
    mean = items[known].mean(0, dtype=torch.float64).nan_to_num()
    T[known] = F.normalize(items[known] - mean.to(items.dtype), dim=1).float()
    structure = _Structure(graph)
    moments = _cross(T, T)
    blocks = counted(T.split(_COLUMNS, dim=1), "finding the shared part of the text")
    told = torch.cat([_cross(T, structure.times(columns.double())) for columns in blocks], dim=1)
    unit = moments.diagonal().mean().clamp_min(_NOTHING)
    ridge = moments + penalty * unit * torch.eye(len(moments), dtype=moments.dtype, device=T.device)
    form = torch.linalg.solve(ridge, torch.linalg.solve(ridge, told).T)
    values, directions = torch.linalg.eigh((form + form.T) / 2)
    values, directions = values.flip(0), directions.flip(1)
    shared = values > _NOTHING / unit
    directions = directions[:, shared]
    if directions.shape[1]:
        largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
        directions = directions * largest.sign()
    return SharedText(mean, directions * values[shared].sqrt())


class _Structure:
    """G, by two propagations."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        starts = graph.indptr[graph.n_users :]
        rows = torch.arange(graph.n_items, device=starts.device).repeat_interleave(
            starts.diff().long()
        )
        squares = graph.weights[int(starts[0]) :].double() ** 2
        self.diagonal = squares.new_zeros(graph.n_items).index_add(0, rows, squares)

    def times(self, columns: Tensor) -> Tensor:
        """[I, k] to [I, k], G times these."""
        users = columns.new_zeros(self.graph.n_users, columns.shape[1])
        met = self.graph.propagate(torch.cat([users, columns]))
        return self.graph.propagate(met)[self.graph.n_users :] - self.diagonal[:, None] * columns


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """``a' b``, [d, k] in float64, of [n, d] and [n, k], without copies of the whole tables in float64."""
    product = a.new_zeros(a.shape[1], b.shape[1], dtype=torch.float64)
    for x, y in zip(a.split(_ROWS), b.split(_ROWS), strict=True):
        product += x.double().T @ y.double()
    return product
