"""One writer at a time in a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from darec.errors import TextError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other writers out of a folder, which is made if it is not there.

    The system lets go of the lock when its holder dies, however it dies.

    Raises:
        TextError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as handle:
        if not _try_lock(handle):
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise TextError(f"{folder} is being written by process {holder}: wait until it ends.")
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield


def _try_lock(handle: IO[str]) -> bool:
    """Lock an open file for this process, or say that another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(2**30)  # a byte past the text, which others may then still read
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
