"""Write lists of many users to a file, in constant memory."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from darec.listing.diversity import NONE
from darec.listing.lists import Recommendations
from darec.listing.named import Named
from darec.listing.output import ListFile
from darec.listing.request import Request
from darec.meter import Meter
from darec.types import IntArray

_ROWS: Final = 200_000
"""Approximate number of rows of a part: enough for a row group of Parquet, and a kill loses only seconds."""


@dataclass(frozen=True)
class Written:
    """A file of lists.

    Attributes:
        path: its path.
        users: number of users with lists.
        rows: number of rows, each with a user and an item.
        empty: number of users for whom no item was left.
        seconds: duration.
        reused: users whose lists an earlier, interrupted call had written.
    """

    path: Path
    users: int
    rows: int
    empty: int
    seconds: float
    reused: int


def write_lists(
    request: Request,
    named: Named,
    users: IntArray,
    file: ListFile,
    *,
    label: str = "lists",
    progress: bool = True,
) -> Written:
    """Write the lists of some users.

    Args:
        request: the conditions of the lists.
        named: ids and titles.
        users: [n] rows.
        file: the file, which has been checked.
        label: name of the run or bundle, for the progress.
        progress: show progress on standard error.
    """
    started = time.perf_counter()
    size = max(1, _ROWS // request.k)
    starts = range(0, max(1, len(users)), size)
    with file.begun(_hash(request, named, users, file, size)) as done:
        reused = sum(len(users[starts[number] :][:size]) for number in done)
        meter = Meter(label, doing="recommending to", unit="users", show=progress)
        with meter.counting(len(users) - reused, reused) as advance:
            for number, start in enumerate(starts):
                if number in done:
                    continue
                some = users[start : start + size]
                items, scores = request.top(some)
                there = items != NONE
                frame = Recommendations(named, some, items, scores).to_polars()
                file.write(number, frame, (int(there.sum()), int((~there.any(axis=1)).sum())))
                advance(len(some))
        file.join(Recommendations.columns)
        rows, empty = (sum(counts[at] for counts in done.values()) for at in (0, 1))
    return Written(file.path, len(users), rows, empty, time.perf_counter() - started, reused)


def _hash(request: Request, named: Named, users: IntArray, file: ListFile, size: int) -> str:
    """Return a hash that is equal exactly if two calls write the same parts."""
    digest = hashlib.sha256(
        repr(
            (version("darec"), request.k, request.diversity, file.format, file.safe, size)
        ).encode()
    )

    def add(values: Any) -> None:
        array = np.ascontiguousarray(values)
        digest.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())

    digest.update(request.scorer.fingerprint().encode())
    for texts in (named.users.texts, named.items.texts, named.titles.to_list()):
        digest.update(hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).digest())
    add(users)
    for part in (request.allowed, request.vectors):
        add(np.zeros(0) if part is None else part)
    add(np.zeros(0) if request.exclude is None else request.exclude.keys)
    if request.cap is not None:
        add(request.cap.codes)
        add(request.cap.at_most)
    return digest.hexdigest()
