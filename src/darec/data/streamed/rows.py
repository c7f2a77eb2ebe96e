"""Rows of numbers on disk, in parts that hold all rows of some users."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from darec.data.streamed.codes import Records
from darec.data.streamed.staging import Staged
from darec.progress import counted, tell
from darec.types import IntArray

PART: Final = 2**21
"""The most rows of a part, unless one user has more."""
_BLOCK: Final = 2**20  # rows that are distributed together


class Rows:
    """The rows of an import.

    Args:
        folder: of the parts.
        kind: type of a row.
        n_parts: number of parts.
    """

    def __init__(self, folder: Path, kind: np.dtype[np.void], n_parts: int) -> None:
        self.folder, self.kind, self.n_parts = folder, kind, n_parts

    def __iter__(self) -> Iterator[Records]:
        for number in range(self.n_parts):
            yield self._load(number)

    def each(self, doing: str) -> Iterator[Records]:
        """Yield every part and report progress."""
        for number in counted(range(self.n_parts), doing):
            yield self._load(number)

    def change(self, doing: str, made: Callable[[Records], Records]) -> None:
        """Replace each part by the result of a function of it."""
        for number in counted(range(self.n_parts), doing):
            records = self._load(number)
            new = made(records)
            if new is not records:
                self._file(number).write_bytes(np.ascontiguousarray(new).data)

    def _file(self, number: int) -> Path:
        return self.folder / f"part-{number}"

    def _load(self, number: int) -> Records:
        file = self._file(number)
        return np.fromfile(file, self.kind) if file.exists() else np.zeros(0, self.kind)


def deal(staged: Staged, place: IntArray, folder: Path) -> Rows:
    """Distribute the rows that were read to parts by their users.

    Args:
        staged: the rows that were read; their file is removed.
        place: [U] place of each user's number in the order of the dataset; the parts are in this order.
        folder: of the new parts.
    """
    seconds = staged.times.seconds if staged.times else None

    def blocks() -> Iterator[Records]:
        size = staged.file.stat().st_size // staged.kind.itemsize
        with staged.file.open("rb") as stream:
            for start in range(0, size, _BLOCK):
                block = np.fromfile(stream, staged.kind, _BLOCK)
                if seconds:
                    block["time"] = seconds(block["time"])
                tell("distributing rows", min(start + _BLOCK, size), size)
                yield block

    rows = _dealt(blocks(), staged.kind, staged.users.counts, place, folder)
    staged.file.unlink()
    return rows


def deal_again(rows: Rows, place: IntArray, folder: Path) -> Rows:
    """Distribute the same rows to parts by another order of the users; the old parts are removed."""
    counts = np.zeros(len(place), np.int64)
    for records in rows:
        counts += np.bincount(records["user"], minlength=len(place))
    dealt = _dealt(iter(rows), rows.kind, counts, place, folder)
    shutil.rmtree(rows.folder)
    return dealt


def _dealt(
    blocks: Iterator[Records],
    kind: np.dtype[np.void],
    counts: IntArray,
    place: IntArray,
    folder: Path,
) -> Rows:
    folder.mkdir()
    of_place = np.zeros(len(place), np.int64)
    of_place[place] = counts
    part_of: NDArray[np.uint16] = (_starts(of_place) // PART).astype(np.uint16)[place]
    n_parts = int(part_of.max(initial=0)) + 1
    for block in blocks:
        part = part_of[block["user"]]
        order = np.argsort(part, kind="stable")
        ends = np.cumsum(np.bincount(part, minlength=n_parts))
        for number in np.unique(part):
            begin = ends[number - 1] if number else 0
            with (folder / f"part-{number}").open("ab") as out:
                out.write(block[order[begin : ends[number]]].data)
    return Rows(folder, kind, n_parts)


def _starts(counts: IntArray) -> IntArray:
    """Return the number of rows before each part."""
    return np.cumsum(counts) - counts


def starts_of_users(records: Records) -> IntArray:
    """Return where the rows of each user begin; rows are sorted by user."""
    users = records["user"]
    return np.flatnonzero(np.append(True, users[1:] != users[:-1])[: len(users)])


def only(records: Records, kept: NDArray[np.bool_]) -> Records:
    """Return the rows that are kept."""
    return records if kept.all() else records[kept]
