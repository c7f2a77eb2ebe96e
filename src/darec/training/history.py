"""The history of a run: one JSON line for each evaluation, and TensorBoard events if requested."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from darec.errors import ConfigError
from darec.files import parse_json, write_atomic


class History:
    """Appends to ``history.jsonl``; on resumption, first removes entries after the checkpoint.

    Args:
        folder: the run's folder; None stores nothing.
        last_epoch: the epoch resumed from; 0 for a new run.
        tensorboard: also write events under ``folder/tensorboard`` (extra ``tensorboard``).
    """

    def __init__(self, folder: Path | None, last_epoch: int, *, tensorboard: bool = False) -> None:
        self.file = folder / "history.jsonl" if folder else None
        self.writer = None
        if self.file is not None:
            lines = self.file.read_bytes().splitlines() if self.file.exists() else []
            kept = [line for line in lines if _epoch(line) <= last_epoch]
            write_atomic(self.file, b"".join(line + b"\n" for line in kept))
        if folder is not None and tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise ConfigError(
                    "--tensorboard needs an extra: pip install 'darec[tensorboard]'."
                ) from None
            self.writer = SummaryWriter(folder / "tensorboard", purge_step=last_epoch + 1)

    def append(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add one evaluation."""
        if self.file is not None:
            with self.file.open("a") as file:
                file.write(json.dumps({"epoch": epoch, **values}) + "\n")
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, epoch)

    def close(self) -> None:
        """Flush TensorBoard's events."""
        if self.writer is not None:
            self.writer.close()


def _epoch(line: bytes) -> float:
    try:
        return float(parse_json(line)["epoch"])
    except (ValueError, KeyError, TypeError):  # the last line of a killed run may be cut short
        return float("inf")


def seconds_in(file: Path) -> float:
    """Seconds of training and evaluation, from the last complete line of a history; 0 if there is none."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    for line in reversed(lines):
        if math.isfinite(_epoch(line)):
            return float(parse_json(line).get("seconds", 0.0))
    return 0.0
