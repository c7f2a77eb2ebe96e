"""Only one writer at a time in a folder, by a file lock that the system releases when its holder ends in any way."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from darec.errors import FolderError

NAME: Final = ".lock"
_BUSY: Final = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


class Lock:
    """An exclusive lock on a file, which is created if necessary.

    Its content names the holder.

    Args:
        file: the lock file. Its folder is the one to protect.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._handle: IO[str] | None = None

    def acquire(self, wait: float = 0.0) -> None:
        """Take the lock.

        Args:
            wait: seconds to wait for another holder.

        Raises:
            FolderError: another process holds it, or the folder cannot be written or locked.
        """
        end, pause = time.monotonic() + wait, 0.001
        while True:
            handle = self._open()
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = handle.read(200).strip() or "unknown"
                handle.close()
                if error.errno not in _BUSY:
                    raise FolderError(
                        f"{self.file.parent} is on a file system that cannot lock files ({error.strerror}): "
                        "choose a folder on another one."
                    ) from error
                if time.monotonic() >= end:
                    raise FolderError(
                        f"{self.file.parent} is being written by process {holder}: wait until it ends, or choose "
                        "another folder."
                    ) from None
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
                continue
            if self._in_place(handle):
                break
            handle.close()  # its last holder removed the file between opening and locking
        os.ftruncate(handle.fileno(), 0)
        with suppress(OSError):  # on a full disk the holder is not recorded
            os.pwrite(handle.fileno(), f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self._handle = handle

    def release(self) -> None:
        """Release the lock; do nothing if it is not held."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def check(self) -> None:
        """Raise ``FolderError`` if the folder was removed or replaced after the lock was taken."""
        if self._handle is None or not self._in_place(self._handle):
            raise FolderError(
                f"{self.file.parent} was removed or replaced while this process was writing it, so what is there now "
                "is not its own: run again with another folder."
            )

    def _open(self) -> IO[str]:
        folder = self.file.parent
        if folder.exists() and not folder.is_dir():
            raise FolderError(f"{folder} is a file: choose another folder.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            return os.fdopen(os.open(self.file, flags, 0o666), "r+")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EIO):
                raise
            raise FolderError(
                f"{folder} cannot be written ({error.strerror}): choose another folder, or change its permissions."
            ) from error

    def _in_place(self, handle: IO[str]) -> bool:
        try:
            return os.path.samestat(self.file.stat(), os.fstat(handle.fileno()))
        except OSError:
            return False


@contextmanager
def locked(folder: Path, wait: float = 0.0) -> Iterator[Lock]:
    """Lock a folder against other writers.

    It is created if necessary, and removed if nothing was written into it.

    The lock file is removed at the end. A kill leaves it there, which does no harm.

    Args:
        folder: the folder to write.
        wait: seconds to wait for another writer.

    Raises:
        FolderError: another process writes it, or it cannot be written or locked.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = Lock(folder / NAME)
    lock.acquire(wait)
    try:
        yield lock
    finally:
        with suppress(OSError, FolderError):  # the folder is in use or was removed
            lock.check()
            lock.file.unlink()
            for path in made:
                path.rmdir()
        lock.release()
