from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from darec import files
from darec.errors import RunError
from darec.training.checkpoint import read_checkpoint, write_checkpoint

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2], dtype=torch.uint8)}


def test_round_trip_and_only_the_last_two_stay(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None
    for epoch in (3, 6, 9):
        write_checkpoint(tmp_path, epoch, TENSORS, {"epoch": epoch})
    tensors, state = read_checkpoint(tmp_path)
    assert state["epoch"] == 9
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-000006", "epoch-000009"]


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
def test_a_truncated_checkpoint_is_named_and_the_one_before_is_kept(
    tmp_path: Path, file: str
) -> None:
    for epoch in (3, 6):
        write_checkpoint(tmp_path, epoch, TENSORS, {"epoch": epoch})
    damaged = tmp_path / "epoch-000006" / file
    damaged.write_bytes(damaged.read_bytes()[:-5])
    with pytest.raises(RunError, match=r"epoch-000006 is damaged .*epoch-000003 before it is kept"):
        read_checkpoint(tmp_path)
    for path in (tmp_path / "epoch-000006").iterdir():
        path.unlink()
    (tmp_path / "epoch-000006").rmdir()
    assert read_checkpoint(tmp_path)[1]["epoch"] == 3


def test_a_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, 3, TENSORS, {"epoch": 3})

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path, 6, TENSORS, {"epoch": 6})
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-000003"]
    assert read_checkpoint(tmp_path)[1]["epoch"] == 3


def test_atomic_writes_leave_the_old_file_on_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.json"
    files.write_json(path, {"a": 1})

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(path, {"a": 2})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]
