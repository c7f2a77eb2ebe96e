"""The steps of :mod:`darec.data.cleaning` over rows on disk: the same sentences, and one part in memory at a time."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.data import cleaning
from darec.data.import_options import ImportOptions
from darec.data.ingest import Source
from darec.data.split import (
    COLD_SHARE,
    TRAIN,
    check_cuts,
    cold_items,
    cut_places,
    split_codes,
)
from darec.data.streamed.rows import Rows
from darec.data.streamed.select import smallest
from darec.data.streamed.staging import Records
from darec.data.tally import (
    Tally,
    judge_unknown_items,
    judge_users_without_train,
    no_training,
    note_core,
    note_equal_times,
    note_repeats,
)
from darec.errors import DataError
from darec.types import IntArray

_LATE = np.iinfo(np.int64).max


def merge_repeats(rows: Rows, method: str, tally: Tally) -> int:
    """Keep one row of each pair, as :func:`cleaning.merge_repeats`; rows are by user and item from then on.

    Returns:
        How many rows there are.
    """
    merged = crossing = left = 0

    def once(records: Records) -> Records:
        nonlocal merged, crossing, left
        pairs = records["user"].astype(np.int64) << 32 | records["item"]
        order = np.argsort(pairs, kind="stable")  # the first line of each pair in front
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
    """Which of some sorted pairs are there twice."""
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
    """As :func:`cleaning.settle_unknown_items`; ``texts`` are the ids of the items' numbers."""
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
            "dropping unknown items", lambda records: _only(records, ~missing[records["item"]])
        )


def keep_core(rows: Rows, n_items: int, k: int, tally: Tally) -> None:
    """As :func:`cleaning.keep_core`, by counts of users and items alone."""
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
            kept = _only(records, alive[records["item"]])
            kept = _only(kept, _degree(kept) >= k)
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


def assign_splits(
    rows: Rows,
    source: Source,
    method: str,
    options: ImportOptions,
    tally: Tally,
    places: tuple[IntArray, IntArray],
    n_rows: int,
) -> NDArray[np.int8] | None:
    """As :func:`cleaning.assign_splits`.

    Args:
        rows: whose ``split`` is filled in.
        source: what was read.
        method: of the split.
        options: of the import.
        tally: gets the notices.
        places: row of each user's and item's number, by which the dataset numbers them now.
        n_rows: how many rows there are.

    Returns:
        For ``cold-items``, what :func:`cold_items` says of each number of an item.
    """
    if method == "column":
        return None
    cuts = cleaning.given_cuts(source, method, options)
    timed = "time" in (rows.kind.names or ())
    if method in ("leave-last-out", "temporal-user") and timed:
        equal = sum(_equal_times(records) for records in rows)
        note_equal_times(tally, equal, n_rows, source.columns.get("time", ""))
    users, items = places
    cold = None
    if method == "cold-items":
        share = COLD_SHARE if options.cold_share is None else options.cold_share
        among = np.flatnonzero(items >= 0)
        cold = np.zeros(len(items), np.int8)
        cold[among] = cold_items(items[among], options.seed, share)
    if method == "global-time" and timed:
        cuts = _time_cuts(rows, options, cuts, n_rows)

    def split(records: Records) -> Records:
        frame = pl.DataFrame(
            {"user": users[records["user"]], "item": items[records["item"]]}
            | ({"time": records["time"]} if timed else {})
        )
        if method == "global-time" and timed and cuts is not None:
            codes = np.searchsorted(np.array(cuts), records["time"], side="right").astype(np.int8)
        elif cold is not None:
            codes = cold[records["item"]]
            warm = codes == TRAIN
            codes[warm] = split_codes(
                frame.filter(warm), "random", seed=options.seed, ratios=options.ratios
            )
        else:
            codes = split_codes(frame, method, seed=options.seed, ratios=options.ratios)
        records = records.copy()
        records["split"] = codes
        return records

    rows.change("splitting", split)
    return cold


def _time_cuts(
    rows: Rows, options: ImportOptions, given: tuple[float, float] | None, n_rows: int
) -> tuple[float, float]:
    """The two cuts of ``global-time``, checked."""
    cuts = given
    if cuts is None:
        places = cut_places(options.ratios, n_rows)
        found = smallest(lambda: (records["time"] for records in rows), places)
        cuts = (found[0], found[1])
    counts = np.zeros(3, np.int64)
    span = (np.inf, -np.inf)
    for records in rows:
        times = records["time"]
        codes = np.searchsorted(np.array(cuts), times, side="right")
        counts += np.bincount(codes, minlength=3)
        span = min(span[0], times.min(initial=np.inf)), max(span[1], times.max(initial=-np.inf))
    check_cuts(cuts, counts, span, options.ratios if given is None else None)
    return cuts


def settle_users_without_train(
    rows: Rows, source: Source, texts: list[str], options: ImportOptions, tally: Tally
) -> None:
    """As :func:`cleaning.settle_users_without_train`; ``texts`` are the ids of the users' numbers."""
    trained = n_users = n_rows = 0
    line, user = _LATE, -1
    for records in rows:
        has = _trained(records)
        trained += int(has.sum())
        without = records[~has]
        n_users += len(np.unique(without["user"]))
        n_rows += len(without)
        if len(without) and (first := without[np.argmin(without["line"])])["line"] < line:
            line, user = int(first["line"]), int(first["user"])
    if not trained:
        raise no_training(source)
    if not n_users:
        return
    judge_users_without_train(source, options, tally, texts[user], line, n_users, n_rows)
    rows.change("dropping users", lambda records: _only(records, _trained(records)))


def _trained(records: Records) -> NDArray[np.bool_]:
    """Whether each row's user has a training row."""
    starts = _starts(records)
    if not len(starts):
        return np.zeros(0, bool)
    has = np.logical_or.reduceat(records["split"] == TRAIN, starts)
    return np.repeat(has, np.diff(starts, append=len(records)))


def _degree(records: Records) -> IntArray:
    """[n] how many rows each row's user has."""
    lengths = np.diff(_starts(records), append=len(records))
    return np.repeat(lengths, lengths)


def _starts(records: Records) -> IntArray:
    """Where the rows of each user begin."""
    users = records["user"]
    return np.flatnonzero(np.append(True, users[1:] != users[:-1])[: len(users)])


def _equal_times(records: Records) -> int:
    """Rows that have the time of another of their user."""
    frame = pl.DataFrame({"user": records["user"], "time": records["time"]})
    alike = frame.group_by("user", "time").len().filter(pl.col("len") > 1)
    return int(alike["len"].sum())


def _only(records: Records, kept: NDArray[np.bool_]) -> Records:
    return records if kept.all() else records[kept]
