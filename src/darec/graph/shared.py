"""The language's shared part in closed form: the directions of text in which alike means liked by the same users."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from darec.graph.adjacency import Graph

PENALTY = 0.1
"""Anything from 0.01 to 1 finds neighbours of much the same reliability among users that were left out
(docs/studies/shared-text.md)."""
_NOTHING = (
    1e-9  # no eigenvalue: S'S is at most 1, and so B about one over the mean eigenvalue of T'T
)


class SharedText(NamedTuple):
    """The text's mean, [d_L], and its shared directions, [d_L, k], in float64."""

    mean: Tensor
    directions: Tensor

    def part(self, rows: Tensor, count: int | None = None) -> Tensor:
        """[n, d_L] rows of text along the ``count`` leading directions (None: all), [n, at most k] float64."""
        return (rows.double() - self.mean) @ self.directions[:, :count]


def shared_text(items: Tensor, mask: Tensor, graph: Graph, penalty: float = PENALTY) -> SharedText:
    """Directions of the text, each as long as it is shared with the interactions.

    With S the normalised adjacency and T the items' text, centred, of unit length, zero where an item has none,
    ``G = S' S`` without its diagonal is the structure of the interactions between items. The form of the text that
    comes nearest to it in squared error, with a ridge on either side, is

        B = (T'T + a I)^-1 T' G T (T'T + a I)^-1,

    and the columns of W are the eigenvectors of its positive part, each times the root of its eigenvalue: rows of
    ``T W`` have the inner products ``T B T'``, the part of the interactions' structure that text tells. It is
    global structure alignment solved for a linear projector of the language, with the interactions themselves in place
    of C_sh; what is specific to the language is left out. Not from a paper (docs/studies/shared-text.md).

    Args:
        items: [I, d_L].
        mask: [I] False where an item has no text.
        graph: of users and I items, without self-loops.
        penalty: a, in units of the mean eigenvalue of T'T.

    Returns:
        The most shared direction first, the largest weight of each positive; none where text and interactions share
        nothing, as where no user took two items.
    """
    known = mask.to(items.device)
    told = items[known].double()
    mean = told.mean(0) if len(told) else told.new_zeros(items.shape[1])
    T = torch.zeros_like(items, dtype=torch.float64)
    T[known] = F.normalize(told - mean, dim=1)
    n_users = len(graph.indptr) - 1 - len(items)
    met = graph.propagate(torch.cat([T.new_zeros(n_users, T.shape[1]), T]))
    met[n_users:] = 0
    structure = graph.propagate(met)[n_users:]  # S' S T
    starts = graph.indptr[n_users:]
    rows = torch.repeat_interleave(torch.arange(len(items), device=T.device), starts.diff().long())
    squares = graph.weights[int(starts[0]) :].double() ** 2
    own = T.new_zeros(len(items)).index_add(0, rows, squares)
    moments = T.T @ T
    unit = moments.diagonal().mean().clamp_min(_NOTHING)
    ridge = moments + penalty * unit * torch.eye(len(moments), dtype=T.dtype, device=T.device)
    half = torch.linalg.solve(ridge, T.T @ (structure - own[:, None] * T))
    form = torch.linalg.solve(ridge, half.T)
    values, directions = torch.linalg.eigh((form + form.T) / 2)
    values, directions = values.flip(0), directions.flip(1)
    shared = values > _NOTHING / unit
    directions = directions[:, shared]
    if directions.shape[1]:
        largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
        directions = directions * largest.sign()
    return SharedText(mean, directions * values[shared].sqrt())
