"""The steps of :mod:`darec.data.cleaning` over rows on disk: the same notices, and one part in memory at a time."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.data.import_options import ImportOptions
from darec.data.ingest import Source
from darec.data.streamed.codes import Records
from darec.data.streamed.rows import Rows, only, starts_of_users
from darec.data.tally import (
    Tally,
    judge_unknown_items,
    note_core,
    note_repeats,
)
from darec.errors import DataError
from darec.types import IntArray

_LATE = np.iinfo(np.int64).max


def merge_repeats(rows: Rows, method: str, tally: Tally) -> int:
    """Keep one row of each pair, as :func:`cleaning.merge_repeats`; afterwards rows are sorted by user and item.

    Returns:
        The number of rows that are kept.
    """
    merged = crossing = left = 0

    def once(records: Records) -> Records:
        nonlocal merged, crossing, left
        pairs = records["user"].astype(np.int64) << 32 | records["item"]
        order = np.argsort(pairs, kind="stable")  # the first line of each pair comes first
        pairs, records = pairs[order], records[order]
        by = [name for name in ("time", "split") if name in (records.dtype.names or ())]
        again = np.flatnonzero(_repeated(pairs))
        if len(again):
            among = records[again]
            earliest = np.lexsort((*(among[name] for name in by), pairs[again]))
            records[again] = among[earliest]
        first = np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]
        if method == "column" and len(records):
            splits = records["split"]
            last = np.append(first[1:], True)
            crossing += int((splits[last] != splits[first]).sum())
        merged += len(records) - int(first.sum())
        left += int(first.sum())
        kept: Records = records[first]
        return kept

    rows.change("merging repeats", once)
    note_repeats(tally, merged, crossing if method == "column" else None)
    return left


def _repeated(pairs: IntArray) -> NDArray[np.bool_]:
    """Return which of some sorted pairs occur more than once."""
    same = pairs[1:] == pairs[:-1]
    twice: NDArray[np.bool_] = np.append(False, same) | np.append(same, False)
    return twice[: len(pairs)]


def settle_unknown_items(
    rows: Rows,
    source: Source,
    texts: list[str],
    known: pl.Series,
    where: str,
    options: ImportOptions,
    tally: Tally,
    n_rows: int,
) -> None:
    """Do as :func:`cleaning.settle_unknown_items`; ``texts`` are the ids of the items' numbers."""
    ids = pl.Series("item", texts, dtype=pl.String)
    missing = ~ids.is_in(known.implode()).to_numpy()
    if not missing.any():
        return
    first = np.full(len(texts), _LATE)
    count = 0
    for records in rows:
        unknown = records[missing[records["item"]]]
        count += len(unknown)
        np.minimum.at(first, unknown["item"], unknown["line"])
    order = np.argsort(first, kind="stable")[: int((first < _LATE).sum())]
    if not len(order):
        return
    names = ids.gather(order)
    judge_unknown_items(
        names, source, known, where, options, tally, count, n_rows, int(first[order[0]])
    )
    if options.unknown_items == "drop":
        rows.change(
            "dropping unknown items", lambda records: only(records, ~missing[records["item"]])
        )


def keep_core(rows: Rows, n_items: int, k: int, tally: Tally) -> None:
    """Do as :func:`cleaning.keep_core`, from counts of users and items alone."""
    if k <= 1:
        return
    dropped = 0
    alive = np.ones(n_items, bool)
    while True:
        counts, before = np.zeros(n_items, np.int64), dropped

        def among(
            records: Records, alive: NDArray[np.bool_] = alive, counts: IntArray = counts
        ) -> Records:
            nonlocal dropped
            kept = only(records, alive[records["item"]])
            kept = only(kept, _degree(kept) >= k)
            counts += np.bincount(kept["item"], minlength=n_items)
            dropped += len(records) - len(kept)
            return kept

        rows.change(f"{k}-core", among)
        alive = counts >= k
        if not counts.any():
            raise DataError(f"the {k}-core is empty: lower --k-core.")
        if dropped == before and not ((counts > 0) & ~alive).any():
            break
    note_core(tally, k, dropped)


def _degree(records: Records) -> IntArray:
    """[n] number of rows that the user of each row has."""
    lengths = np.diff(starts_of_users(records), append=len(records))
    return np.repeat(lengths, lengths)
