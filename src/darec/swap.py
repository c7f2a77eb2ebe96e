"""Replace several files of a folder atomically, also if the process is killed.

The new files are written to ``FOLDER/.next.partial``, which is then renamed to ``FOLDER/.next``: from that moment they
are the valid files. Then they are moved into place one by one, by the writer or, after a kill, by the next reader that
finds ``.next``. The marker, which lists the others, is moved last.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from darec.errors import DataError
from darec.files import partial_of, read_json, sync
from darec.lock import locked

Read = TypeVar("Read")

MARKER: Final = "manifest.json"
NEXT: Final = ".next"
WAIT: Final = 20.0  # seconds to wait for the moves of another process, which take milliseconds
READER: Final = (
    1.0  # seconds that a writer waits for a reader, which locks the folder to finish such moves
)


@contextmanager
def replacing(folder: Path, check: Callable[[], None]) -> Iterator[Path]:
    """Yield an empty folder for the new files.

    At the end of the block they replace the old ones.

    Args:
        folder: their folder. Files and folders in it that no marker ever listed are not changed.
        check: raises an error if the files must not be replaced. It is called when no other process can write.

    Raises:
        FolderError: another process writes the folder, or it cannot be written.
    """
    with locked(folder, READER) as lock:
        _finish(folder)
        check()
        partial = partial_of(folder / NEXT[1:])
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            for path in (*partial.iterdir(), partial):
                sync(path)
            lock.check()
            partial.rename(folder / NEXT)
            sync(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _finish(folder)


def settle(folder: Path) -> None:
    """Finish an interrupted replacement, if there is one. Raises ``FolderError`` if that is impossible."""
    if (folder / NEXT).is_dir():
        with locked(folder, WAIT):
            _finish(folder)


def read_whole(folder: Path, read: Callable[[bytes], Read]) -> Read:
    """Read files that another process may replace meanwhile. If it does, they are read again.

    Args:
        folder: their folder.
        read: reads them, given the content of the marker.
    """
    while True:
        settle(folder)
        marker = (folder / MARKER).read_bytes()
        try:
            found = read(marker)
        except Exception:
            if _unchanged(folder, marker):
                raise
            continue
        if _unchanged(folder, marker):
            return found


def _unchanged(folder: Path, marker: bytes) -> bool:
    return not (folder / NEXT).exists() and (folder / MARKER).read_bytes() == marker


def _finish(folder: Path) -> None:
    """Move the new files into place. This may be interrupted at any point and repeated."""
    new = folder / NEXT
    if not new.is_dir():
        return
    if (new / MARKER).is_file():  # otherwise all are already in place
        try:
            files = _listed(new)
            replaced = _listed(folder) if (folder / MARKER).exists() else set()
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DataError(
                f"{new} cannot be read ({error}): delete it, and write its run or bundle again."
            ) from error
        for name in replaced - files:
            (folder / name).unlink(missing_ok=True)
        for name in files:
            if (new / name).exists():
                (new / name).replace(folder / name)
        sync(folder)
        (new / MARKER).replace(folder / MARKER)
        sync(folder)
    shutil.rmtree(new)


def _listed(folder: Path) -> set[str]:
    """Names of the files that a marker lists; none in one of an earlier version."""
    files = read_json(folder / MARKER).get("files", ())
    return {name for name in files if Path(name).name == name != MARKER}
