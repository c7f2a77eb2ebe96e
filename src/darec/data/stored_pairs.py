"""The pairs of a split as a file that is mapped and not read: ``train.npy``, [2, E] users above items, sorted.

Half of what a run holds in memory would be copies of what the disk has. A mapped file takes memory only where it is
looked at, and processes that train on one dataset share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from darec.files import writing
from darec.types import Interactions

_MAPPED: Final = 2**20  # bytes from which a file is mapped; smaller ones are read
_BLOCK: Final = 2**22  # rows that are written together


def write_pairs(path: Path, pairs: Interactions) -> None:
    """Write the pairs of a split."""
    kind = np.dtype(pairs.users.dtype).newbyteorder("<")
    about = {"descr": kind.str, "fortran_order": False, "shape": (2, len(pairs))}
    with writing(path), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, about)
        for rows in (pairs.users, pairs.items):
            for start in range(0, len(rows), _BLOCK):
                file.write(np.ascontiguousarray(rows[start : start + _BLOCK], kind).data)


def read_pairs(path: Path, n_users: int, n_items: int, *, trusted: bool) -> Interactions:
    """The pairs of a file that :func:`write_pairs` wrote, mapped where it is large.

    Args:
        path: the file.
        n_users: U.
        n_items: I.
        trusted: it is as it was written, so that its content need not be looked at.

    Raises:
        ValueError: it holds something else.
    """
    large = path.stat().st_size >= _MAPPED
    # Copy on write: numpy and torch take the array for one that may be written to, and the file stays as it is.
    try:
        rows = np.load(path, mmap_mode="c" if large else None)
    except EOFError as error:  # of an empty file
        raise ValueError(str(error)) from None
    if rows.ndim != 2 or len(rows) != 2 or rows.dtype not in (np.int32, np.int64):
        raise ValueError(f"{path.name} holds no pairs")
    users, items = (np.asarray(part) for part in rows)
    pairs = Interactions(users, items, n_users, n_items)
    if not trusted:
        _check(path, pairs)
    return pairs


def _check(path: Path, pairs: Interactions) -> None:
    """Raise ``ValueError`` where rows are out of range or not in order."""
    before = -1
    for keys, users, items in pairs.blocks():
        for rows, size in ((users, pairs.n_users), (items, pairs.n_items)):
            if rows.min() < 0 or rows.max() >= size:
                raise ValueError(f"{path.name} holds a row outside 0..{size - 1}")
        if keys[0] <= before or (keys[1:] <= keys[:-1]).any():
            raise ValueError(f"{path.name} is not sorted")
        before = keys[-1]


def stamps(folder: Path, names: Iterable[str]) -> dict[str, list[int]]:
    """Size and time of the last change of some files, by which one is known that was changed since."""
    about = {name: (folder / name).stat() for name in names}
    return {name: [found.st_size, found.st_mtime_ns] for name, found in about.items()}


def unchanged(folder: Path, stamped: Mapping[str, list[int]]) -> bool:
    """Whether files are as they were stamped; no where none was."""
    return bool(stamped) and stamps(folder, stamped) == stamped
