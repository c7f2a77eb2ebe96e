"""Rows of tables that are divided by rows, fetched from the processes that have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from darec.processes.group import Group


class Fetch(nn.Module):
    """The rows that each process sends to each other process, from its part of a table.

    Args:
        group: the processes.
        send: rows of this process's part, those for one process after those for another.
        lengths: [P] number of rows sent to each process.
        receive: [P] number of rows received from each.
    """

    send: Tensor

    def __init__(
        self, group: Group, send: Tensor, lengths: Sequence[int], receive: Sequence[int]
    ) -> None:
        super().__init__()
        self.group, self.lengths, self.receive = group, list(lengths), list(receive)
        self.register_buffer("send", send, persistent=False)
        self._rooms: dict[str, Tensor] = {}

    def rows(self, x: Tensor) -> Tensor:
        """The [m, d] received rows, by process, from this process's [n, d] part."""
        return self._exchanged(x.index_select(0, self.send), self.lengths, self.receive)

    def extended(self, x: Tensor) -> Tensor:
        """[n, d] own part to [n + m, d], the rows that come after it; the next call writes over it."""
        whole = self._room("whole", len(x) + sum(self.receive), x)
        whole[: len(x)] = x
        sent = torch.index_select(x, 0, self.send, out=self._room("sent", len(self.send), x))
        self._exchanged(sent, self.lengths, self.receive, whole[len(x) :].view(-1))
        return whole

    def _room(self, name: str, n: int, like: Tensor) -> Tensor:
        """[n, d] memory that is used again in every layer: new memory for each would be cleared each time."""
        room, shape = self._rooms.get(name), (n, like.shape[1])
        kind = like.dtype, like.device
        if room is None or room.shape != shape or (room.dtype, room.device) != kind:
            room = self._rooms[name] = like.new_empty(shape)
        return room

    def added(self, x: Tensor, n: int) -> Tensor:
        """The transpose of :meth:`rows`: [m, d] to [n, d], each row added at its origin."""
        came = self._exchanged(x, self.receive, self.lengths)
        return x.new_zeros(n, x.shape[1]).index_add_(0, self.send, came)

    def own_added(self, x: Tensor, n: int) -> Tensor:
        """:meth:`added` for the rows that this process has itself."""
        rank = self.group.rank
        sent, kept = (sum(lengths[:rank]) for lengths in (self.lengths, self.receive))
        length = self.receive[rank]
        rows = self.send[sent : sent + length]
        return x.new_zeros(n, x.shape[1]).index_add_(0, rows, x[kept : kept + length])

    def _exchanged(
        self,
        x: Tensor,
        send: Sequence[int],
        receive: Sequence[int],
        into: Tensor | None = None,
    ) -> Tensor:
        width = x.shape[1]
        lengths = [n * width for n in send], [n * width for n in receive]
        return self.group.exchange(x.reshape(-1), *lengths, into).view(-1, width)


class _Fetched(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, fetch: Fetch, alike: bool) -> Tensor:
        ctx.fetch, ctx.alike, ctx.n = fetch, alike, len(x)
        return fetch.rows(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        added = ctx.fetch.own_added if ctx.alike else ctx.fetch.added
        return added(grads[0], ctx.n), None, None


fetched: Callable[[Tensor, Fetch, bool], Tensor] = _Fetched.apply
"""The received rows, differentiable; True if all processes get the same rows and use them in the same way."""
