"""The files of a run in training: the weights of its best epoch, and checkpoints from which it continues.

Both hold whole tables for any number of processes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from darec.errors import DarecError, RunError
from darec.files import write_atomic
from darec.model import Model
from darec.processes.group import WRITING
from darec.training.checkpoint import read_checkpoint, write_checkpoint
from darec.training.divided import Divided
from darec.training.state import TrainState

_VALUES = ("best_value", "highest")  # of the state; minus infinity before the first evaluation


@dataclass(frozen=True)
class Snapshot:
    """Weights, optimiser state and states of the generators, in the CPU's memory."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    generators: dict[str, Tensor]


class Kept:
    """The best weights and the checkpoints of one model.

    All processes of the model's group call the methods; the leader alone reads and writes files.

    Args:
        model: the trained model.
        optimizer: of its parameters.
        generators: the random generators, by their names in a checkpoint.
        folder: of the files; None keeps the best weights in memory, and no checkpoint.
    """

    def __init__(
        self,
        model: Model,
        optimizer: torch.optim.Optimizer,
        generators: Mapping[str, torch.Generator],
        folder: Path | None,
    ) -> None:
        self.model, self.optimizer, self.generators = model, optimizer, generators
        self.folder, self.group = folder, model.layout.group
        self.divided = Divided(model, optimizer)
        self._best: dict[str, Tensor] = {}

    def keep_best(self) -> None:
        """Keep the model's weights as the best so far."""
        weights = self.divided.collected(self._weights())
        if self.folder:
            whole = _contiguous(_renamed(weights, "model/", ""))
            write_atomic(self.folder / "model.safetensors", save(whole))
        else:
            self._best = {name: tensor.clone() for name, tensor in weights.items()}

    def take_best(self) -> None:
        """Put the best weights into the model. Raises ``RunError`` if their file cannot be read."""
        best: dict[str, Tensor] = {}
        with self.group.agreeing():
            if self.folder is None:
                best = self._best
            elif self.group.leads:
                best = self._read_best(self.folder / "model.safetensors")
        self.model.load_state_dict(_renamed(self.divided.handed(best), "model/", ""))

    def snapshot(self) -> Snapshot:
        """A copy of everything that the next epoch depends on."""
        optimizer = self.optimizer.state_dict()
        moments = {index: _copied(slots) for index, slots in optimizer["state"].items()}
        return Snapshot(
            _copied(self.model.state_dict()),
            {**optimizer, "state": moments},
            {name: one.get_state() for name, one in self.generators.items()},
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Continue from a snapshot, which stays as it is."""
        self.model.load_state_dict(snapshot.weights)
        self.optimizer.load_state_dict(deepcopy(snapshot.optimizer))
        for name, state in snapshot.generators.items():
            self.generators[name].set_state(state)

    def save(self, state: TrainState) -> None:
        """Write a checkpoint of everything that the next epoch depends on."""
        if self.folder is None and self.group.size == 1:
            return
        tensors = self._weights()
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": slot for name, slot in slots.items()}
        tensors = self.divided.collected(tensors)
        if self.folder is None:
            return
        tensors |= {name: one.get_state() for name, one in self.generators.items()}
        values = asdict(state)
        for name in _VALUES:
            if not math.isfinite(values[name]):
                values[name] = None  # JSON has no infinity
        with WRITING:
            write_checkpoint(self.folder / "checkpoints", state.epoch, _contiguous(tensors), values)

    def newest(self) -> TrainState | None:
        """Restore the newest checkpoint and return its state; None if there is none.

        Raises:
            RunError: the checkpoint is damaged, or belongs to a run with other settings.
        """
        found = None
        with self.group.agreeing():
            if self.folder is not None:
                found = read_checkpoint(self.folder / "checkpoints")
                with self._of_these_settings():
                    self.divided.check(found[0] if found else {})
        tensors, values = found or ({}, None)
        values = self.group.told(values)
        if values is None:
            return None
        with self.group.agreeing(), self._of_these_settings():
            return self._restored(self.divided.handed(tensors), values)

    def _weights(self) -> dict[str, Tensor]:
        return _renamed(self.model.state_dict(), "", "model/")

    def _read_best(self, file: Path) -> dict[str, Tensor]:
        try:
            best = _renamed(load_file(file), "", "model/")
            expected = self.divided.whole_shapes(self._weights())
            if {name: x.shape for name, x in best.items()} != expected:
                raise ValueError("they belong to another model")
        except (OSError, ValueError, SafetensorError) as error:
            raise RunError(
                f"{file}, the weights of the best epoch, cannot be read ({error}): train again with --overwrite."
            ) from error
        return best

    @contextmanager
    def _of_these_settings(self) -> Iterator[None]:
        try:
            yield
        except DarecError:
            raise
        except (RuntimeError, ValueError, LookupError, TypeError) as error:
            raise RunError(
                f"the checkpoints in {self.folder} belong to a run with other settings "
                f"({' '.join(str(error).split())}): train again with --overwrite."
            ) from error

    def _restored(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> TrainState:
        del values["sha256"]
        unknown = {name: -math.inf for name in _VALUES if values.get(name) is None}
        state = TrainState(**{**values, **unknown, "out_of_time": False})
        optimizer: dict[str, Any] = self.optimizer.state_dict()
        weights: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "optimizer":
                index, _, slot = rest.partition("/")
                optimizer["state"].setdefault(int(index), {})[slot] = tensor
            elif kind == "model":
                weights[rest] = tensor
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(optimizer)
        for name, generator in self.generators.items():
            generator.set_state(tensors[name])
        return state


def _renamed(tensors: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    """Return the same tensors with another prefix."""
    return {f"{new}{name.removeprefix(old)}": tensor for name, tensor in tensors.items()}


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: x.to("cpu", copy=True) for name, x in tensors.items()}


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
