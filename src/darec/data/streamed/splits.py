"""The splits of an import whose rows are on disk: the same as :mod:`darec.data.cleaning` gives rows in memory."""

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
from darec.data.streamed.codes import Records
from darec.data.streamed.rows import Rows, only, starts_of_users
from darec.data.streamed.select import smallest
from darec.data.tally import (
    Tally,
    judge_users_without_train,
    no_training,
    note_equal_times,
)
from darec.types import IntArray

_LATE = np.iinfo(np.int64).max


def assign_splits(
    rows: Rows,
    source: Source,
    method: str,
    options: ImportOptions,
    tally: Tally,
    places: tuple[IntArray, IntArray],
    n_rows: int,
) -> NDArray[np.int8] | None:
    """Do as :func:`cleaning.assign_splits`.

    Args:
        rows: of the import; their ``split`` is filled in.
        source: the interactions that were read.
        method: of the split.
        options: of the import.
        tally: receives the notices.
        places: row in the dataset of each user's number, and of each item's number.
        n_rows: number of rows.

    Returns:
        For ``cold-items``, the result of :func:`cold_items` for each item's number; otherwise None.
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
    """Return the two cuts of ``global-time``, checked."""
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
    """Do as :func:`cleaning.settle_users_without_train`; ``texts`` are the ids of the users' numbers."""
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
    rows.change("dropping users", lambda records: only(records, _trained(records)))


def _trained(records: Records) -> NDArray[np.bool_]:
    """[n] whether the user of each row has a training row."""
    starts = starts_of_users(records)
    if not len(starts):
        return np.zeros(0, bool)
    has = np.logical_or.reduceat(records["split"] == TRAIN, starts)
    return np.repeat(has, np.diff(starts, append=len(records)))


def _equal_times(records: Records) -> int:
    """Count the rows that have the same time as another row of their user."""
    frame = pl.DataFrame({"user": records["user"], "time": records["time"]})
    alike = frame.group_by("user", "time").len().filter(pl.col("len") > 1)
    return int(alike["len"].sum())
