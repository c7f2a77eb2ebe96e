"""Tables divided among processes by columns: each process has some columns of every row.

Propagation over a graph acts on each column separately, so it needs no communication. If a loss needs whole rows, those
of the batch are distributed: each process gets whole rows for its share of the batch, computes its part of the loss as
one process would, and the parts are summed. If a loss needs only inner products row by row, these are summed.

All processes have the same losses, and each computes the gradient of the whole loss with respect to its own columns. So
the backward pass of a sum over processes does not change the gradient, since every process has all of it. Tensors that
are the same on all processes but used differently by each (:meth:`Columns.shared`) have their gradients summed.

With one process every method returns its input, at no cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darec.processes import exchanges
from darec.processes.group import ALONE, Group

_TINY: Final = 1e-12  # as torch.nn.functional.normalize has it
_ENTRIES: Final = 2**24  # of a table that are collected or dealt out at once


class Columns:
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

    def __init__(self, group: Group = ALONE, dim: int = 0) -> None:
        self.group, self.dim = group, dim
        size = group.size
        self._starts = [dim * rank // size for rank in range(size + 1)]
        self.start, self.stop = self._starts[group.rank], self._starts[group.rank + 1]

    @property
    def divided(self) -> bool:
        """Whether there are several processes."""
        return self.group.size > 1

    def widths(self, blocks: int = 1) -> list[int]:
        """Columns of each process in a table of so many blocks."""
        pairs = zip(self._starts[:-1], self._starts[1:], strict=True)
        return [blocks * (stop - start) for start, stop in pairs]

    def blocks(self, width: int) -> int:
        """How many blocks a table has of which this process holds ``width`` columns."""
        return width // (self.stop - self.start)

    def whole_width(self, width: int) -> int:
        """Columns on all processes of a table of which this one holds ``width``."""
        return self.blocks(width) * self.dim if self.divided else width

    def own(self, x: Tensor) -> Tensor:
        """[n, b d] whole rows to the columns of this process, [n, b w]."""
        if not self.divided:
            return x
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
        return torch.cat([part.view(n, blocks, -1) for part in parts], dim=2).flatten(1)

    def rows(self, n: int, rank: int | None = None) -> slice:
        """The share of ``n`` rows that this process (or another) works on; all rows if there are too few to share."""
        size, rank = self.group.size, self.group.rank if rank is None else rank
        return slice(0, n) if n < size else slice(n * rank // size, n * (rank + 1) // size)

    def share(self, x: Tensor) -> Tensor:
        """The rows of :meth:`rows`, of what is the same on all processes."""
        return x[self.rows(len(x))] if self.divided else x

    def dealt(self, x: Tensor) -> Tensor:
        """[n, b w] own columns to whole rows of this process's share, [m, b d]; differentiable."""
        if not self.divided:
            return x
        return (
            exchanges.everywhere(x, self) if len(x) < self.group.size else exchanges.dealt(x, self)
        )

    def everywhere(self, x: Tensor) -> Tensor:
        """[n, b w] own columns to all whole rows, [n, b d], which each process uses for its share; differentiable."""
        return exchanges.everywhere(x, self) if self.divided else x

    def gathered(self, x: Tensor) -> Tensor:
        """[n, b w] own columns to all whole rows, [n, b d], which all processes use in the same way; differentiable."""
        return exchanges.gathered(x, self) if self.divided else x

    def summed(self, x: Tensor) -> Tensor:
        """The sum over processes of a tensor of which each has a part; differentiable."""
        return exchanges.summed(x, self.group) if self.divided else x

    def shared(self, x: Tensor) -> Tensor:
        """What is the same on all processes, before each uses it for its own columns or rows; differentiable."""
        return exchanges.shared(x, self.group) if self.divided else x

    def network(self, module: nn.Module) -> Callable[[Tensor], Tensor]:
        """A network that is the same on all processes, each of which uses what it gives in its own way."""
        if not self.divided:
            return module

        def apply(x: Tensor) -> Tensor:
            parameters = {name: self.shared(one) for name, one in module.named_parameters()}
            applied: Tensor = torch.func.functional_call(module, parameters, (x,))
            return applied

        return apply

    def mean(self, mean: Tensor, rows: int | Tensor) -> Tensor:
        """The mean over all rows, from that over this process's share.

        Args:
            mean: over the share.
            rows: how many rows there are, or [n] how often each counts.
        """
        if not self.divided:
            return mean
        n = rows if isinstance(rows, int) else len(rows)
        if n < self.group.size:  # all processes have all rows
            return self.summed(mean / self.group.size)
        if isinstance(rows, int):
            part = self.rows(n)
            return self.summed(mean * ((part.stop - part.start) / n))
        counts = rows.to(mean.dtype)
        return self.summed(mean * (self.share(counts).sum() / counts.sum()))

    def unit(self, x: Tensor) -> Tensor:
        """Rows at unit length, the length being that of the whole rows; differentiable."""
        if not self.divided:
            return F.normalize(x, dim=1)
        squared = self.summed((x * x).sum(1, keepdim=True))
        return x / self.shared(squared.clamp_min(_TINY**2).sqrt())

    @torch.no_grad()
    def collected(self, x: Tensor) -> Tensor | None:
        """[n, b w] own columns to all whole rows, on the leader; None on the others. A few rows at a time."""
        if not self.divided:
            return x
        group, blocks = self.group, self.blocks(x.shape[1])
        found = []
        for part in x.split(max(1, _ENTRIES // (blocks * self.dim))):
            send = [part.numel() if rank == 0 else 0 for rank in range(group.size)]
            receive = [len(part) * w if group.leads else 0 for w in self.widths(blocks)]
            came = group.exchange(part.reshape(-1), send, receive)
            if group.leads:
                found.append(self.unpacked(came, len(part), blocks))
        return torch.cat(found) if group.leads else None

    @torch.no_grad()
    def handed(self, x: Tensor | None, like: Tensor) -> Tensor:
        """Own columns, [n, b w], of the leader's [n, b d] table. A few rows at a time.

        Args:
            x: the table on the leader; None on the others.
            like: a tensor of the shape, type and place of what is returned.
        """
        if not self.divided:
            assert x is not None  # this process leads
            return x
        group, blocks = self.group, self.blocks(like.shape[1])
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


WHOLE: Final = Columns()
"""The columns of a single process: nothing is divided."""
