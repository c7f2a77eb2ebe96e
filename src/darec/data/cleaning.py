"""The steps from the interactions of a file to those of a dataset; all that they remove is counted.

Every step takes and returns a frame with ``user``, ``item`` and ``line``, and with ``rating``, ``time`` and ``split``
if they are known.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from darec.data.dataset import SPLITS
from darec.data.id_order import ordered, rows_of
from darec.data.import_options import ImportOptions
from darec.data.ingest import Source
from darec.data.ingest.columns import OPTIONS, SPLIT_NAMES, plain
from darec.data.ingest.source import Placed
from darec.data.ingest.times import read_times
from darec.data.kcore import k_core
from darec.data.split import COLD_SHARE, cold_items, split_interactions
from darec.data.tally import (
    Tally,
    judge_unknown_items,
    judge_users_without_train,
    no_ratings,
    no_training,
    note_core,
    note_equal_times,
    note_low_ratings,
    note_repeats,
)
from darec.errors import DataError


def drop_low_ratings(
    frame: pl.DataFrame, source: Source, least: float | None, tally: Tally
) -> pl.DataFrame:
    """Leave out interactions rated below ``least``. Raises ``DataError`` without ratings, or if nothing is left."""
    if least is None:
        return frame
    if "rating" not in frame.columns:
        raise no_ratings(source.name)
    kept = frame.filter(pl.col("rating") >= least)
    note_low_ratings(tally, source, least, len(frame) - len(kept), len(frame))
    return kept


def merge_repeats(frame: pl.DataFrame, source: Source, method: str, tally: Tally) -> pl.DataFrame:
    """Merge repeated pairs: the earliest split, where it is given, then the earliest time, then the first line is kept.

    A pair in train and test is thus a training pair, so that training never sees a test pair.

    Raises:
        DataError: a value of the split column is not the name of a split.
    """
    if method == "column":
        rank = split_ranks(frame["split"], frame["line"], source)
        named = pl.Series("split", SPLITS).gather(rank)
        frame = frame.with_columns(named, rank.alias("_rank"))
    by = [name for name in ("_rank", "time", "line") if name in frame.columns]
    repeated = frame.select(pl.struct("user", "item").is_duplicated()).to_series()
    if not repeated.any():
        note_repeats(tally, 0, None)
        return frame.drop("_rank", strict=False)
    merged = frame.sort(by).unique(["user", "item"], keep="first", maintain_order=True).sort("line")
    crossing = None
    if method == "column":
        splits = frame.filter(repeated).group_by("user", "item").agg(pl.col("split").n_unique())
        crossing = int((splits["split"] > 1).sum())
    note_repeats(tally, len(frame) - len(merged), crossing)
    return merged.drop("_rank", strict=False)


def split_ranks(named: pl.Series, lines: pl.Series, source: Placed) -> pl.Series:
    """The position in ``SPLITS`` of each named split, as Int8. Raises ``DataError`` on any other name."""
    ranks = {name: SPLITS.index(split) for name, split in SPLIT_NAMES.items()}
    found = named.str.to_lowercase().replace_strict(ranks, default=None, return_dtype=pl.Int8)
    wrong = found.is_null().arg_true()
    if len(wrong):
        raise DataError(
            f"{source.at(lines[wrong[0]])}: split {named[wrong[0]]!r}: write train, valid or test, or choose another "
            "--split."
        )
    return found


def settle_unknown_items(
    frame: pl.DataFrame,
    source: Source,
    known: pl.Series,
    where: str,
    options: ImportOptions,
    tally: Tally,
) -> pl.DataFrame:
    """Treat interactions whose item is unknown in the way that ``options.unknown_items`` names.

    Raises:
        DataError: there are unknown items and the option refuses them, or no item is known at all.
    """
    missing = ~frame["item"].is_in(known.implode())
    if not missing.any():
        return frame
    unknown = frame.filter(missing)
    names = unknown["item"].unique(maintain_order=True)
    judge_unknown_items(
        names, source, known, where, options, tally, len(unknown), len(frame), unknown["line"][0]
    )
    return frame if options.unknown_items == "keep" else frame.filter(~missing)


def keep_core(frame: pl.DataFrame, k: int, tally: Tally) -> pl.DataFrame:
    """The k-core of users and items. Raises ``DataError`` if it is empty."""
    if k <= 1:
        return frame
    users, items = (
        frame[kind].rank("dense").to_numpy().astype(np.int64) - 1 for kind in ("user", "item")
    )
    kept = k_core(users, items, k)
    if not kept.any():
        raise DataError(f"the {k}-core is empty: lower --k-core.")
    dropped = int((~kept).sum())
    note_core(tally, k, dropped)
    return frame.filter(pl.Series(kept))


def assign_splits(
    frame: pl.DataFrame, source: Source, method: str, options: ImportOptions, tally: Tally
) -> pl.DataFrame:
    """Give every pair its split, unless it is given, and give it ``cold`` if items are held out.

    Errors as :func:`split_interactions`.
    """
    if method == "column":
        return frame
    cuts = given_cuts(source, method, options)
    if method in ("leave-last-out", "temporal-user") and "time" in frame.columns:
        equal = int(frame.select(pl.struct("user", "time").is_duplicated().sum()).item())
        note_equal_times(tally, equal, len(frame), source.columns.get("time", ""))
    numbered = frame.with_columns(
        pl.Series(kind, rows_of(frame[kind], ordered(frame[kind].unique())))
        for kind in ("user", "item")
    )
    split = split_interactions(
        numbered,
        method,
        seed=options.seed,
        ratios=options.ratios,
        time_cuts=cuts,
        cold_share=options.cold_share,
    )
    frame = frame.with_columns(split.alias("split"))
    if method != "cold-items":
        return frame
    codes = cold_items(numbered["item"].to_numpy(), options.seed, options.cold_share or COLD_SHARE)
    return frame.with_columns(pl.Series("cold", codes > 0))


def given_cuts(source: Source, method: str, options: ImportOptions) -> tuple[float, float] | None:
    """The time cuts in seconds, if any. Raises ``DataError`` if times count within one user and cannot be cut."""
    name = source.columns.get("time", "")
    if method == "global-time" and plain(name) == "position":
        raise DataError(
            f"{source.name}: column {name!r} is a place in one user's history and not a time that users share: name a "
            f"column of times with {OPTIONS['time']}, or use the split 'temporal-user'."
        )
    if options.time_cuts is None:
        return None
    first, second = read_times(pl.Series(options.time_cuts, dtype=pl.Float64))[0]  # in any unit
    return first, second


def settle_users_without_train(
    frame: pl.DataFrame, source: Source, options: ImportOptions, tally: Tally
) -> pl.DataFrame:
    """Refuse or drop users who have no training item. Raises ``DataError`` also if no user has one."""
    trained = frame.filter(pl.col("split") == "train")["user"].unique()
    if not len(trained):
        raise no_training(source)
    without = ~frame["user"].is_in(trained.implode())
    if not without.any():
        return frame
    first = frame.filter(without)
    judge_users_without_train(
        source,
        options,
        tally,
        first["user"][0],
        first["line"][0],
        first["user"].n_unique(),
        len(first),
    )
    return frame.filter(~without)
