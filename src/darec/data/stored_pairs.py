"""The pairs of a split as a file that is mapped and not read: ``train.npy``, [2, E] users above items, sorted.

Copies of these files would be half of a run's memory. A mapped file takes memory only for the parts that are read, and
processes that train on one dataset share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darec.files import writing
from darec.types import Interactions

_MAPPED: Final = 2**20  # files of at least this number of bytes are mapped; smaller ones are read
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


def write_copy(path: Path, splits: Mapping[str, Interactions]) -> None:
    """Write all pairs as Parquet for other programs: ``user`` and ``item``, which are rows, and ``split``."""
    kind = pa.int32() if all(one.users.dtype == np.int32 for one in splits.values()) else pa.int64()
    schema = pa.schema({"user": kind, "item": kind, "split": pa.string()})
    with writing(path), pq.ParquetWriter(path, schema, compression="zstd") as file:
        for name, pairs in splits.items():
            for start in range(0, len(pairs), _BLOCK):
                users, items = (rows[start : start + _BLOCK] for rows in (pairs.users, pairs.items))
                split = pa.repeat(pa.scalar(name), len(users))
                file.write_table(
                    pa.table([pa.array(users, kind), pa.array(items, kind), split], schema=schema)
                )


def read_pairs(path: Path, n_users: int, n_items: int, *, trusted: bool) -> Interactions:
    """Read the pairs of a file that :func:`write_pairs` wrote; a large file is mapped.

    Args:
        path: the file.
        n_users: U.
        n_items: I.
        trusted: the file is unchanged, so its content is not checked.

    Raises:
        ValueError: it holds something else.
    """
    large = path.stat().st_size >= _MAPPED
    # Copy on write: numpy and torch may write to the array, and the file does not change.
    try:
        rows = np.load(path, mmap_mode="c" if large else None)
    except EOFError as error:  # an empty file cannot be mapped
        raise ValueError(str(error)) from None
    if rows.ndim != 2 or len(rows) != 2 or rows.dtype not in (np.int32, np.int64):
        raise ValueError(f"{path.name} holds no pairs")
    users, items = (np.asarray(part) for part in rows)
    pairs = Interactions(users, items, n_users, n_items)
    if not trusted:
        _check(path, pairs)
    return pairs


def _check(path: Path, pairs: Interactions) -> None:
    """Raise ``ValueError`` if rows are out of range or not sorted."""
    before = -1
    for keys, users, items in pairs.blocks():
        for rows, size in ((users, pairs.n_users), (items, pairs.n_items)):
            if rows.min() < 0 or rows.max() >= size:
                raise ValueError(f"{path.name} holds a row outside 0..{size - 1}")
        if keys[0] <= before or (keys[1:] <= keys[:-1]).any():
            raise ValueError(f"{path.name} is not sorted")
        before = keys[-1]


def stamps(folder: Path, names: Iterable[str]) -> dict[str, list[int]]:
    """Return size and time of the last change of some files; with these a later change is recognised."""
    about = {name: (folder / name).stat() for name in names}
    return {name: [found.st_size, found.st_mtime_ns] for name, found in about.items()}


def unchanged(folder: Path, stamped: Mapping[str, list[int]]) -> bool:
    """Whether files still have their stamps; False without stamps."""
    return bool(stamped) and stamps(folder, stamped) == stamped
