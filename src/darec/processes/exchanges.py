"""Sums over processes and exchanges of rows for columns, as functions that autograd goes back through.

All processes have the whole gradient of what they compute alike, and a part of that of what each uses in its own way:
:mod:`darec.processes.layout` says which function is for which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from darec.processes.group import Group

if TYPE_CHECKING:
    from darec.processes.columns import Columns


def _all_rows(x: Tensor, columns: Columns) -> Tensor:
    group, blocks = columns.group, columns.blocks_of(x.shape[1])
    receive = [len(x) * width for width in columns.widths(blocks)]
    came = group.exchange(x.reshape(-1).repeat(group.size), [x.numel()] * group.size, receive)
    return columns.unpacked(came, len(x), blocks)


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        return group.total(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return grads[0], None


class _Shared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.group.total(grads[0]), None


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


summed: Callable[[Tensor, Group], Tensor] = _Summed.apply
shared: Callable[[Tensor, Group], Tensor] = _Shared.apply
gathered: Callable[[Tensor, Columns], Tensor] = _Gathered.apply
everywhere: Callable[[Tensor, Columns], Tensor] = _Everywhere.apply
dealt: Callable[[Tensor, Columns, Sequence[int]], Tensor] = _Dealt.apply
