"""Weights and optimiser state that are divided among processes, brought together for a checkpoint and dealt out again.

A checkpoint holds whole tables, so any number of processes, one too, can take it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from darec.model import Model


class Divided:
    """The tensors of a checkpoint, named ``model/NAME`` and ``optimizer/INDEX/SLOT``.

    Args:
        model: whose id table may be divided.
        optimizer: over its parameters.
    """

    def __init__(self, model: Model, optimizer: torch.optim.Optimizer) -> None:
        self.layout, self.group = model.layout, model.layout.group
        order = [one for part in optimizer.param_groups for one in part["params"]]
        self._likes: dict[str, Tensor] = {}
        for name, parameter in model.named_parameters():
            if name in model.divided:
                place = next(i for i, one in enumerate(order) if one is parameter)
                moments = [f"optimizer/{place}/{slot}" for slot in ("exp_avg", "exp_avg_sq")]
                self._likes |= dict.fromkeys([f"model/{name}", *moments], parameter.detach())

    def whole_shapes(self, tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
        """The shapes that tensors of this process have when all parts are together."""
        return {
            name: self.layout.whole_shape(x) if name in self._likes else x.shape
            for name, x in tensors.items()
        }

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Raise ``ValueError`` where a whole table is not of the model's size."""
        for name, shape in self.whole_shapes(self._likes).items():
            if name in tensors and tensors[name].shape != shape:
                found = list(tensors[name].shape)
                raise ValueError(f"{name} has the shape {found}, not {list(shape)}")

    def collected(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors with all parts, on the leader; nothing on the others."""
        found = {
            name: self.layout.collected(x, "entities") if name in self._likes else x
            for name, x in tensors.items()
        }
        whole = {name: x for name, x in found.items() if x is not None}
        return whole if self.group.leads else {}

    def handed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What this process holds of the leader's tensors; what the others give is not looked at."""
        names: Iterable[str] = self.group.told(list(tensors))
        parts = [name for name in names if name in self._likes]
        found = self.group.dealt({name: x for name, x in tensors.items() if name not in parts})
        for name in parts:
            found[name] = self.layout.handed(tensors.get(name), self._likes[name], "entities")
        return found
