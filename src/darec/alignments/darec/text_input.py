"""Closed-form inputs that DaRec computes from the text: initial ids, neighbours for smoothing, and a table of its own.

None of them is trained, and none is in the paper (docs/studies/structure.md, docs/studies/parts.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darec.alignments.base import AlignmentInputs
from darec.alignments.darec.settings import DaRecConfig
from darec.graph import (
    Graph,
    NeighbourGraph,
    OwnNeighbours,
    SharedText,
    shared_text,
    text_neighbours,
)
from darec.numerics.components import principal_directions, replace_columns
from darec.types import Tables

PENALTY = 1.0
"""Both ridges, in units of the mean eigenvalue of the profiles' second moments."""


class TextInput(nn.Module):
    """The closed-form inputs that a run's settings need.

    Args:
        config: DaRec's settings.
        inputs: E_L, the mask of items with text, and the training graph.

    Attributes:
        shared: the part of the text that is shared with the interactions; None if no setting reads it.
        neighbours: the items' neighbours in text; None without smoothing.
        smoothing: the setting times the neighbours' reliability; 0 without neighbours.
        told: figures on the neighbours for a run's diagnostics.
        content: the text's own tables; None without ``text_width``.
    """

    def __init__(self, config: DaRecConfig, inputs: AlignmentInputs) -> None:
        super().__init__()
        self.config = config
        self.sides = [inputs.n_users, inputs.n_items]
        self.shared: SharedText | None = None
        self.neighbours: NeighbourGraph | OwnNeighbours | None = None
        self.smoothing = 0.0
        self.told: dict[str, float] = {}
        self.content: ContentTables | None = None
        users, own = inputs.layout.blocks(*self.sides)
        self.own_sides = [users.stop - users.start, own.stop - own.start]
        reads_neighbours = bool(config.smoothing or config.text_width)
        reads_graph = reads_neighbours or (config.start == "text" and config.text_part == "shared")
        items, mask = inputs.text.items, inputs.item_mask
        graph = inputs.graph.whole() if reads_graph else inputs.graph
        if config.text_part == "shared" and (config.start == "text" or reads_neighbours):
            self.shared = shared_text(items, mask, graph)
        if not reads_neighbours:
            return
        near = text_neighbours(
            items,
            mask,
            graph,
            shared=self.shared,
            count=config.neighbours,
            temperature=config.temperature,
            trust=config.reliability,
        )
        if near is None:
            return
        self.told = near.told
        if config.smoothing:
            self.neighbours = near.graph.divided(inputs.layout)
            self.smoothing = config.smoothing * near.reliability
        if config.text_width:
            tables = content_tables(items, mask, graph, config.text_width)
            self.content = ContentTables(tables, config.text_weight * near.reliability)

    def start(self, ids: Tensor, text: Tables) -> Tensor:
        """Replace [N, dim] random values by the text's coordinates on the leading directions of ``text_part``.

        Users and items have the same basis, so that their inner products have a meaning from the first step. Each side
        keeps the length of its random values.
        """
        if self.config.start == "random":
            return ids
        count = ids.shape[1]
        basis = self.shared or SharedText(*principal_directions(text.items, count))
        tables = (text.users, text.items)
        sides = zip(ids.split(self.sides), tables, strict=True)
        return torch.cat([replace_columns(rows, basis.part(E_L, count)) for rows, E_L in sides])

    def smooth(self, ego: Tensor) -> Tensor:
        """[N, d] with the items as ``(I + s M) ego``, M the mean over neighbours in text, s the smoothing.

        Of several processes each gives its part, and gets its part.
        """
        if self.neighbours is None:
            return ego
        users, items = ego.split(self.own_sides)
        return torch.cat([users, self.neighbours.smooth(items, self.smoothing)])

    def beside(self, tables: Tables) -> Tables:
        """The tables and, with ``text_width``, the columns of the text's own table."""
        return tables if self.content is None else self.content.beside(tables)


def content_tables(items: Tensor, mask: Tensor, graph: Graph, width: int) -> Tables:
    """Tables of users and items that are computed from the text of the items they interact with, without training.

    With S the normalised adjacency and T the items' text, centred, of unit length, zero where an item has none, a
    user's profile is the direction of ``S T`` and an item's is that of its own text plus its users' mean profile.
    Between the two lies the bilinear form of least squared error to S with a ridge on either side,

        M = (P_u' P_u + a I)^-1 P_u' S P_i (P_i' P_i + b I)^-1,

    cut to its ``width`` leading singular directions, with the square root of each singular value on either side. This
    is not from a paper. It scores the part of the language that E_C leaves out; the theorem of the information gap
    suggests that (docs/studies/parts.md).

    Args:
        items: [I, d_L].
        mask: [I] bool, False if an item has no text.
        graph: the graph of U users and I items, without self-loops.
        width: number of columns; at most d_L are returned.

    Returns:
        [U, k] and [I, k], k the smaller of ``width`` and d_L. The spread of a user's scores over the items is 1, in
        root mean square over users. All values are zero if there is no text or no interaction.
    """
    known = mask.to(items.device)
    T = torch.zeros_like(items, dtype=torch.float64)
    T[known] = F.normalize(items[known].double() - items[known].double().mean(0), dim=1)
    n_users = graph.n_users

    def met(users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        near_users, near_items = graph.propagate(torch.cat([users, items])).split(
            [n_users, len(items)]
        )
        return near_users, near_items

    by_items, _ = met(T.new_zeros(n_users, T.shape[1]), T)
    of_users = F.normalize(by_items, dim=1)
    _, by_users = met(of_users, torch.zeros_like(T))
    of_items = F.normalize(T + F.normalize(by_users, dim=1), dim=1)
    taken, _ = met(torch.zeros_like(of_users), of_items)  # S P_i
    form = _ridge(of_items, _ridge(of_users, of_users.T @ taken).T).T
    left, values, right = torch.linalg.svd(form)
    root = values[:width].sqrt()
    users, items = of_users @ (left[:, :width] * root), of_items @ (right[:width].T * root)
    spread = score_spread(Tables(users, items)).clamp_min(torch.finfo(torch.float32).tiny)
    return Tables((users / spread).float(), items.float())


def _ridge(rows: Tensor, target: Tensor) -> Tensor:
    """``(rows' rows + a I)^-1 target``; zero if all rows are zero."""
    moments = rows.T @ rows
    unit = moments.diagonal().mean().clamp_min(torch.finfo(torch.float64).tiny)
    eye = torch.eye(len(moments), dtype=rows.dtype, device=rows.device)
    solved: Tensor = torch.linalg.solve(moments + PENALTY * unit * eye, target)
    return solved


def score_spread(tables: Tables) -> Tensor:
    """Standard deviation of a user's scores over all items, in root mean square over users.

    Args:
        tables: [U, d] and [I, d].

    Returns:
        A scalar. It is computed from two [d, d] products, without computing all scores.
    """
    items = tables.items - tables.items.mean(0)
    spread: Tensor = (
        ((tables.users.T @ tables.users) * (items.T @ items)).sum()
        / (len(tables.users) * len(items))
    ).sqrt()
    return spread


class ContentTables(nn.Module):
    """The tables of :func:`content_tables` as further columns of a model's tables.

    Args:
        tables: [U, k] and [I, k].
        weight: spread of their scores, relative to those of the model's.
    """

    users: Tensor
    items: Tensor

    def __init__(self, tables: Tables, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("users", tables.users, persistent=False)
        self.register_buffer("items", tables.items, persistent=False)

    def beside(self, tables: Tables) -> Tables:
        """[U, d] and [I, d] tables with these k columns added, so that the scores are sums.

        The squared length of an item's new columns is, on average, the weight's share of that of its row in
        ``tables.items``. The text therefore has the same weight between two items as between a user and an item.
        """
        tiny = torch.finfo(tables.items.dtype).tiny
        lengths = (torch.linalg.vector_norm(rows) for rows in (tables.items, self.items))
        model, text = (length.clamp_min(tiny) for length in lengths)
        by_items = self.weight**0.5 * model / text
        by_users = self.weight**0.5 * score_spread(tables) * text / model
        return Tables(
            torch.cat([tables.users, by_users * self.users], dim=1),
            torch.cat([tables.items, by_items * self.items], dim=1),
        )
