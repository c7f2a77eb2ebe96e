"""A log that loses no accepted line: a line is on disk before it is accepted.

Processes share the log. Each takes the file's lock, writes whole lines and flushes them to disk before it releases the
lock. The incomplete line of a killed process was never accepted, and the next process removes it. Under the same lock
the file may be moved away (``flock feedback.jsonl mv feedback.jsonl day.jsonl``): the next line starts a new file.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darec.errors import DataError, FolderError
from darec.files import sync


class Log:
    """A file of JSON lines.

    Args:
        path: the file; its folder is created.

    Raises:
        FolderError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                pass
        except OSError as error:
            raise FolderError(
                f"{error.filename or path}: {error.strerror}. Name another folder with --log."
            ) from error

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write some lines, all or none; they are on disk when this returns.

        Raises:
            OSError: they cannot be written, for example on a full disk; the file is then unchanged.
        """
        data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        with self._locked() as file:
            before = os.fstat(file).st_size
            try:
                written = 0
                while written < len(data):
                    written += os.write(file, data[written:])
                os.fsync(file)
            except BaseException:
                os.ftruncate(file, before)
                raise

    def size(self) -> int:
        """Size in bytes, 0 without a file. If it changes, the lines have changed."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def read(self) -> list[dict[str, Any]]:
        """Read all complete lines. Raises ``DataError`` on a line that is not a JSON object."""
        with self._locked() as file:
            size = os.fstat(file).st_size
            content = os.pread(file, size, 0)
        rows = []
        for number, line in enumerate(content.splitlines(), 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"{self.path}, line {number} is not JSON ({error}): mend it."
                ) from None
            if not isinstance(row, dict):
                raise DataError(f"{self.path}, line {number} is not a JSON object: mend it.")
            rows.append(row)
        return rows

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Open the file, which ends with a complete line, and keep others from writing it."""
        while True:
            new = not self.path.exists()
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not self._is(file):  # the file was moved away meanwhile
                    continue
                if new:
                    sync(self.path.parent)
                _cut(file)
                yield file
                return
            finally:
                os.close(file)  # this releases the lock

    def _is(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
        except OSError:
            return False


def feedback_log(folder: Path) -> Log:
    """The log of feedback. Raises ``FolderError`` if it cannot be written."""
    return Log(folder / "feedback.jsonl")


def items_log(folder: Path) -> Log:
    """The log of new items. Raises ``FolderError`` if it cannot be written."""
    return Log(folder / "items.jsonl")


def check_logs(folder: Path) -> None:
    """Check, before a server says where it is, that it will be able to start.

    Raises:
        FolderError: a log cannot be written.
        DataError: the new items in it cannot be read.
    """
    feedback_log(folder)
    items_log(folder).read()


def _cut(file: int) -> None:
    """Remove the incomplete line of a killed process."""
    size = end = os.fstat(file).st_size
    while end:
        start = max(0, end - 4096)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
