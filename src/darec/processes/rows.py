"""The layout by rows: each process has all columns of its own users and items, and their edges of the graph.

Users and items are in blocks of nearly equally many training pairs (:mod:`darec.processes.partition`). Before each
product with the graph a process receives the rows of others to which its edges lead, each once
(:meth:`Rows.boundary`). The adjacency is symmetric, so the gradient goes back through the same exchange and product.

A process also draws, from the same random numbers as one process, the batch's pairs of its own users, and computes the
loss of these. So the rows of users are where they are needed, and those of the share's items are sent, each once, with
their gradients in return. To gather all rows of the batch everywhere would send P times as much. To sum inner products,
as columns do, is not possible: a row is on one process.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darec.processes.fetching import Fetch, fetched
from darec.processes.group import Group
from darec.processes.layout import Kind, Layout
from darec.processes.partition import Partition
from darec.types import Interactions


class Rows(Layout):
    """The rows of tables, divided among processes.

    Args:
        group: the processes.
        partition: the users and items of each process.
    """

    name: ClassVar[str] = "rows"
    deals_pairs: ClassVar[bool] = True

    def __init__(self, group: Group, partition: Partition) -> None:
        super().__init__(group)
        self.partition = partition
        kinds: tuple[Kind, ...] = ("users", "items", "entities")
        self._places = {of: partition.places(of) for of in kinds}
        self._own = {of: places.blocks(group.rank) for of, places in self._places.items()}

    # What a process holds.

    def own_rows(self, x: Tensor, of: Kind, start: int = 0) -> Tensor:
        """The rows of this process, of rows ``start`` to ``start + len(x)`` of a whole table."""
        blocks = [slice(*(max(0, at - start) for at in (b.start, b.stop))) for b in self._own[of]]
        parts = [x[block] for block in blocks]
        return parts[0].clone() if len(parts) == 1 else torch.cat(parts)

    def places(self, rows: Tensor, of: Kind) -> Tensor:
        """The positions of rows in this process's part of a table; rows of other processes are left out."""
        owners, places = self._find(rows, of)
        return places[owners == self.group.rank]

    def blocks(self, n_users: int, n_items: int) -> tuple[slice, slice]:
        """The users and the items whose rows this process has."""
        return self._own["users"][0], self._own["items"][0]

    def pairs(self, train: Interactions) -> Interactions:
        """The training pairs of this process's users."""
        start, stop = self.partition.pairs[self.group.rank : self.group.rank + 2]
        return Interactions(
            train.users[start:stop], train.items[start:stop], train.n_users, train.n_items
        )

    def whole_shape(self, x: Tensor) -> torch.Size:
        """The shape of a whole table of entities, if this process has the rows ``x``."""
        return torch.Size([self.partition.users[-1] + self.partition.items[-1], x.shape[1]])

    # Shares of a batch.

    def cuts(self, rows: Tensor, of: Kind) -> list[int]:
        """Bounds of the shares: the share of a process is its own rows."""
        if (rows[1:] < rows[:-1]).any():
            raise ValueError("the rows of a batch that is divided by rows must be ascending")
        starts = self._places[of].starts.to(rows.device)
        return [int(cut) for cut in torch.searchsorted(rows, starts)]

    def dealt(
        self,
        table: Tensor,
        of: Kind,
        rows: Sequence[Tensor],
        cuts: Sequence[int],
        beside: Sequence[Tensor] = (),
    ) -> list[Tensor]:
        """Whole rows for this process's share of a batch, each sent once."""
        shares = [
            torch.cat([*(x[cuts[rank] : cuts[rank + 1]] for x in rows), *beside])
            for rank in range(self.group.size)
        ]
        length = cuts[self.group.rank + 1] - cuts[self.group.rank]
        found = self._fetched(table, of, shares)
        return list(found.split([*[length] * len(rows), *map(len, beside)]))

    def everywhere(self, table: Tensor, of: Kind, rows: Tensor | None = None) -> Tensor:
        """The rows on all processes, which each uses for its share; differentiable."""
        return self._fetched(table, of, [self._all(table, of, rows)] * self.group.size)

    def gathered(self, table: Tensor, of: Kind, rows: Tensor | None = None) -> Tensor:
        """The rows on all processes, which use them in the same way; differentiable."""
        shares = [self._all(table, of, rows)] * self.group.size
        return self._fetched(table, of, shares, alike=True)

    def joined(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """The parts of all processes, one after another; ``lengths``: the rows of each. No gradient."""
        group, width = self.group, x.shape[1:].numel()
        send = [x.numel()] * group.size
        came = group.exchange(x.reshape(-1).repeat(group.size), send, [n * width for n in lengths])
        return came.view(-1, *x.shape[1:])

    def _all(self, table: Tensor, of: Kind, rows: Tensor | None) -> Tensor:
        n = int(self._places[of].starts[-1])
        return torch.arange(n, device=table.device) if rows is None else rows

    def _find(self, rows: Tensor, of: Kind) -> tuple[Tensor, Tensor]:
        places = self._places[of] = self._places[of].to(rows.device)
        return places.find(rows)

    def fetching(self, wanted: Sequence[Tensor], of: Kind) -> tuple[Fetch, Tensor]:
        """The fetch of rows, if all processes know the rows that each needs: then no process has to ask.

        Args:
            wanted: the rows that each process needs, distinct and ascending.
            of: the kind of the rows.

        Returns:
            The fetch of this process's rows, and [m] the position of each then. Rows of users or items are in order.
        """
        group, send = self.group, []
        for other, rows in enumerate(wanted):
            if other == 0 or rows is not wanted[other - 1]:
                owners, places = self._find(rows, of)
                mine = places[owners == group.rank]
            send.append(mine)
            if other == group.rank:
                receive = owners.bincount(minlength=group.size).tolist()
                order = owners.argsort(stable=True)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        return Fetch(group, torch.cat(send), [len(rows) for rows in send], receive), back

    def _fetched(
        self, table: Tensor, of: Kind, shares: Sequence[Tensor], *, alike: bool = False
    ) -> Tensor:
        """The rows of this process's share, which may repeat; each is sent once."""
        wanted: list[Tensor] = []
        for rank, rows in enumerate(shares):
            if rank == 0 or rows is not shares[rank - 1]:
                distinct, inverse = rows.unique(return_inverse=True)
            wanted.append(distinct)
            if rank == self.group.rank:
                take = inverse
        fetch, back = self.fetching(wanted, of)
        return fetched(table, fetch, alike).index_select(0, back[take])

    # The graph.

    def boundary(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.integer], Fetch | None]:
        """The entities of other processes to which entries of this process's rows lead.

        All processes call it together.

        Args:
            rows: [nnz] the entities of the entries.

        Returns:
            [nnz] their positions in this process's part of a table, followed by the rows of others; and their fetch.
        """
        group, n = self.group, int(self._places["entities"].starts[-1])
        local = np.full(n, -1, rows.dtype)
        own = np.concatenate([np.arange(b.start, b.stop) for b in self._own["entities"]])
        local[own] = np.arange(len(own))
        others = np.zeros(n, bool)
        others[rows] = True
        others[own] = False
        wanted = torch.from_numpy(np.flatnonzero(others))
        del others
        owners, places = self._find(wanted, "entities")
        order = owners.argsort(stable=True)
        local[wanted[order].numpy()] = len(own) + np.arange(len(order))
        receive = owners.bincount(minlength=group.size)
        ones = [1] * group.size
        lengths = group.exchange(receive, ones, ones).tolist()
        send = group.exchange(places[order], receive.tolist(), lengths)
        return local[rows], Fetch(group, send, lengths, receive.tolist())

    # Whole tables, for files and evaluation.

    @torch.no_grad()
    def collected(self, x: Tensor, of: Kind) -> Tensor | None:
        """All rows, on the leader; None on the others."""
        group, found, held = self.group, [], 0
        for blocks in self._sides(of):
            own = blocks[group.rank]
            part = x[held : held + own]
            held += own
            send = [part.numel() if rank == 0 else 0 for rank in range(group.size)]
            receive = [n * x.shape[1] if group.leads else 0 for n in blocks]
            found.append(group.exchange(part.reshape(-1), send, receive).view(-1, x.shape[1]))
        if not group.leads:
            return None
        return found[0] if len(found) == 1 else torch.cat(found)

    @torch.no_grad()
    def handed(self, x: Tensor | None, like: Tensor, of: Kind) -> Tensor:
        """Own rows of the leader's table."""
        group, width, found, begin = self.group, like.shape[1], [], 0
        for blocks in self._sides(of):
            flat, send = like.new_empty(0), [0] * group.size
            if x is not None:
                flat = x[begin : begin + sum(blocks)].to(like).reshape(-1)
                send = [n * width for n in blocks]
            begin += sum(blocks)
            receive = [blocks[group.rank] * width if rank == 0 else 0 for rank in range(group.size)]
            found.append(group.exchange(flat, send, receive).view(-1, width))
        return torch.cat(found)

    def _sides(self, of: Kind) -> list[list[int]]:
        """Number of rows of each process, of users and of items."""
        sides = {"users": [self.partition.users], "items": [self.partition.items]}
        both = sides["users"] + sides["items"]
        return [
            [stop - start for start, stop in pairwise(starts)] for starts in sides.get(of, both)
        ]
