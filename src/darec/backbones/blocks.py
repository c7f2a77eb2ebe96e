"""Finished blocks of a long solution, kept in the folder of a run so that a kill loses little of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from darec.files import write_atomic

BLOCKS: Final = "blocks"
"""Where they are in the folder; it is removed once the run is finished."""


class Blocks:
    """Arrays of numbered blocks. Where there is no folder, none is kept and none is found.

    Args:
        folder: of the run, or None.
        about: all that the blocks depend on, as text: those of another are not taken up.
    """

    def __init__(self, folder: Path | None, about: str) -> None:
        self.folder, self.about = folder and folder / BLOCKS, about

    def load(self, number: int) -> dict[str, Tensor] | None:
        """A block that an earlier run finished; None where none did, so that it is solved (again)."""
        if self.folder is None:
            return None
        try:
            with safe_open(self._path(number), "pt") as file:
                if (file.metadata() or {}).get("about") != self.about:
                    return None
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            return None

    def save(self, number: int, arrays: dict[str, Tensor]) -> None:
        """Write a block; it is whole or not there."""
        if self.folder is not None:
            self.folder.mkdir(exist_ok=True)
            write_atomic(self._path(number), save(arrays, {"about": self.about}))

    def _path(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{number:06d}.safetensors"
