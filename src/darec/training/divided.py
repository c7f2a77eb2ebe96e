"""Collects weights and optimiser state from processes for a checkpoint, and distributes them again.

A checkpoint holds whole tables, so any number of processes can continue from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from darec.model import Model


class Divided:
    """The tensors of a checkpoint, named ``model/NAME`` and ``optimizer/INDEX/SLOT``.

    Args:
        model: its id table may be divided.
        optimizer: of its parameters.
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
        """Return the shapes of the whole tensors of which this process has parts."""
        return {
            name: self.layout.whole_shape(x) if name in self._likes else x.shape
            for name, x in tensors.items()
        }

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Raise ``ValueError`` if a whole table does not have the model's size."""
        for name, shape in self.whole_shapes(self._likes).items():
            if name in tensors and tensors[name].shape != shape:
                found = list(tensors[name].shape)
                raise ValueError(f"{name} has the shape {found}, not {list(shape)}")

    def collected(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the whole tensors on the leader, and nothing on the others."""
        found = {
            name: self.layout.collected(x, "entities") if name in self._likes else x
            for name, x in tensors.items()
        }
        whole = {name: x for name, x in found.items() if x is not None}
        return whole if self.group.leads else {}

    def handed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return this process's parts of the leader's tensors; arguments of other processes are ignored."""
        names: Iterable[str] = self.group.told(list(tensors))
        parts = [name for name in names if name in self._likes]
        found = self.group.dealt({name: x for name, x in tensors.items() if name not in parts})
        for name in parts:
            found[name] = self.layout.handed(tensors.get(name), self._likes[name], "entities")
        return found
