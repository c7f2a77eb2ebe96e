"""Sums over processes, as functions that autograd goes back through.

All processes have the whole gradient of what they compute alike, and a part of that of what each uses in its own way:
:mod:`darec.processes.layout` says which function is for which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from darec.processes.group import Group


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


summed: Callable[[Tensor, Group], Tensor] = _Summed.apply
shared: Callable[[Tensor, Group], Tensor] = _Shared.apply
