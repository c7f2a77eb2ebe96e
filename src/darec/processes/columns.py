"""The layout by columns: each process has some columns of every row.

Propagation over a graph acts on each column separately, so it needs no communication. If a loss needs whole rows, those
of the batch are distributed: each process gets whole rows for its share of the batch, computes its part of the loss as
one process would, and the parts are summed. If a loss needs only inner products row by row, these are summed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from darec.processes.group import Group
from darec.processes.layout import Kind, Layout
from darec.types import Batch, Tables

_TINY: Final = 1e-12  # as torch.nn.functional.normalize has it
_ENTRIES: Final = 2**24  # of a table that are collected or dealt out at once


class Columns(Layout):
    """The columns of tables, divided among processes.

    A table may have several blocks of ``dim`` columns side by side, such as GCCF's layers. Each process has its columns
    of every block.

    Args:
        group: the processes.
        dim: d, columns of a block; at least as many as processes.

    Attributes:
        group: the processes.
        dim: d.
        start: the first column of this process.
        stop: the one after its last.
    """

    name: ClassVar[str] = "columns"

    def __init__(self, group: Group, dim: int) -> None:
        super().__init__(group)
        self.dim, size = dim, group.size
        self._starts = [dim * rank // size for rank in range(size + 1)]
        self.start, self.stop = self._starts[group.rank], self._starts[group.rank + 1]

    def widths(self, blocks: int = 1) -> list[int]:
        """Columns of each process in a table of so many blocks."""
        pairs = zip(self._starts[:-1], self._starts[1:], strict=True)
        return [blocks * (stop - start) for start, stop in pairs]

    def blocks_of(self, width: int) -> int:
        """Number of blocks of a table, if this process has ``width`` of its columns."""
        return width // (self.stop - self.start)

    def whole_width(self, width: int) -> int:
        """Number of columns of a whole table, if this process has ``width`` of them."""
        return self.blocks_of(width) * self.dim

    def whole_shape(self, x: Tensor) -> torch.Size:
        """The shape of a whole table, if this process has the columns ``x``."""
        return torch.Size([len(x), self.whole_width(x.shape[1])])

    def own_columns(self, x: Tensor) -> Tensor:
        """[n, b d] whole rows to the columns of this process, [n, b w]."""
        parts = x.unflatten(1, (-1, self.dim))[:, :, self.start : self.stop]
        own: Tensor = parts.flatten(1).contiguous()
        return own

    def packed(self, x: Tensor) -> tuple[Tensor, list[int]]:
        """[n, b d] whole rows as a vector, the columns of one process after those of another, and their lengths."""
        sizes = [len(x) * width for width in self.widths(x.shape[1] // self.dim)]
        flat, blocks = x.new_empty(x.numel()), x.unflatten(1, (-1, self.dim))
        places = zip(flat.split(sizes), self._starts[:-1], self._starts[1:], strict=True)
        for part, start, stop in places:
            columns = blocks[:, :, start:stop]
            part.view(columns.shape).copy_(columns)
        return flat, sizes

    def unpacked(self, flat: Tensor, n: int, blocks: int) -> Tensor:
        """The same vector as whole rows again, [n, b d]."""
        parts = flat.split([n * width for width in self.widths(blocks)])
        views = zip(parts, self.widths(), strict=True)
        return torch.cat([part.view(n, blocks, width) for part, width in views], 2).flatten(1)

    def dealt(
        self,
        table: Tensor,
        of: Kind,
        rows: Sequence[Tensor],
        cuts: Sequence[int],
        beside: Sequence[Tensor] = (),
    ) -> list[Tensor]:
        """Whole rows for this process's share of a batch: they are fewer numbers than the scores of all negatives."""
        found = super().dealt(table, of, rows, cuts, beside)
        dealt = [_dealt(x, self, cuts) for x in found[: len(rows)]]
        return dealt + [_everywhere(x, self) for x in found[len(rows) :]]

    def everywhere(self, table: Tensor, of: Kind, rows: Tensor | None = None) -> Tensor:
        """All columns of the rows, which each process uses for its share; differentiable."""
        return _everywhere(super().everywhere(table, of, rows), self)

    def gathered(self, table: Tensor, of: Kind, rows: Tensor | None = None) -> Tensor:
        """All columns of the rows, which all processes use in the same way; differentiable."""
        return _gathered(super().gathered(table, of, rows), self)

    def mean_of_margins(
        self, loss: Callable[[Tensor], Tensor], tables: Tables, batch: Batch
    ) -> Tensor:
        """Margins are sums over columns, of which each process has a part: a number for each positive is summed."""
        users = tables.users.index_select(0, batch.users)
        items = tables.items.index_select(0, torch.cat([batch.items, batch.negatives]))
        positives, negatives = items.split([len(batch.items), len(batch.negatives)])
        return loss(self.summed((users * (positives - negatives)).sum(1)))

    def unit(self, x: Tensor) -> Tensor:
        """Rows divided by the lengths of the whole rows; differentiable."""
        squared = self.summed((x * x).sum(1, keepdim=True))
        return x / self.shared(squared.clamp_min(_TINY**2).sqrt())

    @torch.no_grad()
    def collected(self, x: Tensor, of: Kind) -> Tensor | None:
        """[n, b w] own columns to all whole rows, on the leader; None on the others. A few rows at a time."""
        group, blocks = self.group, self.blocks_of(x.shape[1])
        found = []
        for part in x.split(max(1, _ENTRIES // (blocks * self.dim))):
            send = [part.numel() if rank == 0 else 0 for rank in range(group.size)]
            receive = [len(part) * w if group.leads else 0 for w in self.widths(blocks)]
            came = group.exchange(part.reshape(-1), send, receive)
            if group.leads:
                found.append(self.unpacked(came, len(part), blocks))
        return torch.cat(found) if group.leads else None

    @torch.no_grad()
    def handed(self, x: Tensor | None, like: Tensor, of: Kind) -> Tensor:
        """Own columns, [n, b w], of the leader's [n, b d] table. A few rows at a time."""
        group, blocks = self.group, self.blocks_of(like.shape[1])
        found = []
        rows = max(1, _ENTRIES // (blocks * self.dim))
        for start in range(0, len(like), rows):
            n = min(rows, len(like) - start)
            flat, send = like.new_empty(0), [0] * group.size
            if x is not None:
                flat, send = self.packed(x[start : start + n].to(like))
            receive = [n * like.shape[1] if rank == 0 else 0 for rank in range(group.size)]
            found.append(group.exchange(flat, send, receive).view(n, -1))
        return torch.cat(found) if found else like.clone()


def _all_rows(x: Tensor, columns: Columns) -> Tensor:
    group, blocks = columns.group, columns.blocks_of(x.shape[1])
    receive = [len(x) * width for width in columns.widths(blocks)]
    came = group.exchange(x.reshape(-1).repeat(group.size), [x.numel()] * group.size, receive)
    return columns.unpacked(came, len(x), blocks)


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, columns: Columns) -> Tensor:
        ctx.columns = columns
        return _all_rows(x, columns)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.columns.own_columns(grads[0]), None


class _Everywhere(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, columns: Columns) -> Tensor:
        ctx.columns, ctx.shape = columns, x.shape
        return _all_rows(x, columns)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        columns: Columns = ctx.columns
        size, (n, width) = columns.group.size, ctx.shape
        flat, sizes = columns.packed(grads[0])
        came = columns.group.exchange(flat, sizes, [n * width] * size)
        return came.view(size, n, width).sum(0), None


class _Dealt(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, columns: Columns, cuts: Sequence[int]) -> Tensor:
        group, width = columns.group, x.shape[1]
        blocks = columns.blocks_of(width)
        lengths = [stop - start for start, stop in pairwise(cuts)]
        mine = lengths[group.rank]
        send = [length * width for length in lengths]
        receive = [mine * one for one in columns.widths(blocks)]
        ctx.columns, ctx.send, ctx.width = columns, send, width
        return columns.unpacked(group.exchange(x.reshape(-1), send, receive), mine, blocks)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        columns: Columns = ctx.columns
        flat, sizes = columns.packed(grads[0])
        came = columns.group.exchange(flat, sizes, ctx.send)
        return came.view(-1, ctx.width), None, None


_gathered: Callable[[Tensor, Columns], Tensor] = _Gathered.apply
_everywhere: Callable[[Tensor, Columns], Tensor] = _Everywhere.apply
_dealt: Callable[[Tensor, Columns, Sequence[int]], Tensor] = _Dealt.apply
