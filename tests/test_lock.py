"""One writer at a time in a folder, whatever becomes of the writer."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from darec.errors import FolderError
from darec.lock import Lock, locked

HOLDER = """
import sys, time
from pathlib import Path
from darec.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_writer_is_told_who_is_first_and_a_kill_gives_the_lock_back(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    said = f"{re.escape(str(folder))} is being written by process {holder.pid} on "
    with pytest.raises(FolderError, match=said), locked(folder):
        pass
    began = time.monotonic()
    with pytest.raises(FolderError, match=said), locked(folder, wait=0.3):
        pass
    assert time.monotonic() - began >= 0.3
    holder.kill()
    holder.wait()
    with locked(folder) as lock:
        assert lock.file.read_text().startswith(f"{os.getpid()} on ")


def test_waiting_takes_the_lock_as_soon_as_it_is_given_back(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / ".lock"), Lock(tmp_path / ".lock")
    first.acquire()
    with pytest.raises(FolderError):
        second.acquire()
    first.release()
    second.acquire(wait=10.0)
    second.check()


def test_a_lock_file_that_its_holder_removed_is_not_held(tmp_path: Path) -> None:
    """The next writer opens a new file instead of holding one that nobody else can find."""
    first, second = Lock(tmp_path / ".lock"), Lock(tmp_path / ".lock")
    first.acquire()
    first.file.unlink()
    second.acquire()
    with pytest.raises(FolderError, match="removed or replaced"):
        first.check()
    second.check()


def test_a_folder_that_was_replaced_is_no_longer_its_writers(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with locked(folder) as lock:
        lock.check()
        shutil.rmtree(folder)
        with pytest.raises(FolderError, match="was removed or replaced"):
            lock.check()
        with locked(folder) as other:
            (folder / "config.yaml").touch()
            other.check()
            with pytest.raises(FolderError, match="is not its own"):
                lock.check()


def test_what_puts_nothing_into_the_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    with locked(tmp_path / "a/b/c"):
        pass
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "a/b/c") as lock:
        (tmp_path / "a/b/c/file").touch()
    assert list(lock.file.parent.iterdir()) == [lock.file.with_name("file")]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ELOOP])
def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FolderError, match=f"{tmp_path} cannot be written.*choose another folder"):
        Lock(tmp_path / ".lock").acquire()


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(FolderError, match=r"cannot lock files.*choose a folder on another one"):
        Lock(tmp_path / ".lock").acquire()


def test_a_file_or_a_link_in_the_place_of_the_folder_or_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderError, match="is a file"), locked(tmp_path / "file"):
        pass
    with pytest.raises(FolderError, match="cannot be written"), locked(tmp_path / "file/below"):
        pass
    (tmp_path / ".lock").symlink_to(tmp_path / "file")
    with pytest.raises(FolderError, match="cannot be written"), locked(tmp_path):
        pass
    assert (tmp_path / "file").read_text() == "mine"
