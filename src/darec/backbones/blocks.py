"""Finished blocks of a long solution, kept in the folder of a run so that a kill loses little of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from darec.files import write_atomic

BLOCKS: Final = "blocks"
"""Where they are in the folder of the run; it is removed once the run is finished."""


class Blocks:
    """Arrays of numbered blocks. Where there is no folder, none is kept and none is found.

    Args:
        folder: of the run, or None.
        *inputs: all that the blocks depend on, so that those of other settings are never taken up.
    """

    def __init__(self, folder: Path | None, *inputs: str | np.ndarray | Tensor | None) -> None:
        self.folder: Path | None = None
        if folder is not None:
            self.folder = folder / BLOCKS / _digest(inputs)

    def load(self, number: int) -> dict[str, Tensor] | None:
        """A block that an earlier run finished; None where none did, so that it is solved (again)."""
        if self.folder is None:
            return None
        try:
            return load(self._path(self.folder, number).read_bytes())
        except (OSError, SafetensorError):
            return None

    def save(self, number: int, arrays: dict[str, Tensor]) -> None:
        """Write a block; it is whole or not there."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path(self.folder, number), save(arrays))

    @staticmethod
    def _path(folder: Path, number: int) -> Path:
        return folder / f"{number:06d}.safetensors"


def _digest(inputs: tuple[str | np.ndarray | Tensor | None, ...]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for one in inputs:
        if isinstance(one, str) or one is None:
            digest.update(repr(one).encode())
        else:
            array = np.ascontiguousarray(one)
            digest.update(f"{array.shape} {array.dtype}".encode())
            digest.update(array.data)
    return digest.hexdigest()
