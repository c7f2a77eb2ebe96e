"""Finished blocks of a long computation, stored in the folder of a run so that little is lost by a kill."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from darec.files import write_atomic

BLOCKS: Final = "blocks"
"""Name of their folder in the folder of the run. It is removed when the run is finished."""


class Blocks:
    """Arrays of numbered blocks. Without a folder, no block is stored or found.

    Args:
        folder: folder of the run, or None.
        *inputs: everything that the blocks depend on, so that blocks of other settings are never used.
    """

    def __init__(self, folder: Path | None, *inputs: str | np.ndarray | Tensor | None) -> None:
        self.folder: Path | None = None
        if folder is not None:
            self.folder = folder / BLOCKS / _digest(inputs)

    def load(self, number: int) -> dict[str, Tensor] | None:
        """A block that an earlier process finished; None if it must be computed."""
        if self.folder is None:
            return None
        try:
            return load(self._path(self.folder, number).read_bytes())
        except (OSError, SafetensorError):
            return None

    def save(self, number: int, data: bytes) -> None:
        """Write a block, as safetensors, atomically."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path(self.folder, number), data)

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
