"""Checkpoints that stay valid if the process is killed at any moment.

A checkpoint is a folder ``epoch-000012`` with ``tensors.safetensors`` and ``state.json``, which also holds the hash
of the tensors. It is written under another name, flushed and renamed, and the previous one is kept until then.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from darec.errors import RunError
from darec.files import read_json, write_atomic, write_json

KEEP = 2


def write_checkpoint(
    folder: Path, epoch: int, tensors: dict[str, Tensor], state: dict[str, Any]
) -> None:
    """Write the checkpoint of an epoch and remove all but the last :data:`KEEP`."""
    target = folder / f"epoch-{epoch:06d}"
    partial = folder / f".partial-{epoch:06d}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        data = save_tensors({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
        write_atomic(partial / "tensors.safetensors", data)
        write_json(partial / "state.json", {**state, "sha256": hashlib.sha256(data).hexdigest()})
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for old in sorted(folder.glob("epoch-*"))[:-KEEP]:
        shutil.rmtree(old)


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The newest checkpoint in a folder, or None.

    Raises:
        RunError: the newest checkpoint is damaged; the error says how to return to the previous one.
    """
    found = sorted(folder.glob("epoch-*"))
    if not found:
        return None
    newest = found[-1]
    try:
        state = read_json(newest / "state.json")
        data = (newest / "tensors.safetensors").read_bytes()
        if hashlib.sha256(data).hexdigest() != state["sha256"]:
            raise ValueError("tensors.safetensors is truncated or changed")
        return load_tensors(data), state
    except (OSError, ValueError, KeyError) as error:
        before = f"; {found[-2].name} before it is kept" if len(found) > 1 else ""
        raise RunError(
            f"checkpoint {newest} is damaged ({error}){before}: remove the damaged folder and run again with "
            "--resume to continue from the remaining one."
        ) from error
