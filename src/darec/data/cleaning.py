"""The steps from the interactions of a file to those of a dataset; whatever they remove is counted.

Every step takes and returns a frame with ``user``, ``item`` and ``line``, and with ``rating``, ``time`` and ``split``
if they are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from darec.data.dataset import SPLITS
from darec.data.import_options import ImportOptions
from darec.data.ingest import Source
from darec.data.ingest.columns import OPTIONS, SPLIT_NAMES, plain
from darec.data.ingest.source import Placed
from darec.data.ingest.times import read_times
from darec.data.kcore import k_core
from darec.data.split import COLD_SHARE, cold_items, split_interactions
from darec.errors import DataError
from darec.types import IntArray
from darec.wording import counted_noun

FIRST: Final = 3  # how many examples a message names


@dataclass
class Tally:
    """What was merged, dropped or moved: counts for the manifest, sentences for the reader."""

    counts: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def note(self, name: str, count: int, sentence: str) -> None:
        """Note a count, and a sentence about it unless it is zero."""
        self.counts[name] = count
        if count:
            self.notices.append(sentence)


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


def note_low_ratings(tally: Tally, source: Source, least: float, dropped: int, n: int) -> None:
    """Note how many of n interactions are rated too low. Raises ``DataError`` if all are."""
    if dropped == n:
        raise DataError(f"{source.name}: no rating reaches {least:g}: lower --min-rating.")
    tally.note(
        "below_min_rating",
        dropped,
        f"{counted_noun(dropped, 'interaction')} rated below {least:g} dropped.",
    )


def no_ratings(name: str) -> DataError:
    """The error of a threshold without ratings."""
    return DataError(
        f"{name}: --min-rating was given, and there is no rating: name its column with --rating-column."
    )


def merge_repeats(frame: pl.DataFrame, source: Source, method: str, tally: Tally) -> pl.DataFrame:
    """Merge repeated pairs: the earliest split, where it is given, then the earliest time, then the first line is kept.

    A pair in train and test is thus a training pair, which keeps what is tested unseen.

    Raises:
        DataError: a value of the split column names no split.
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


def note_repeats(tally: Tally, merged: int, crossing: int | None) -> None:
    """Note how many rows were merged and, if splits are given, how many pairs were in several splits."""
    tally.note("repeats_merged", merged, f"{counted_noun(merged, 'repeated interaction')} merged.")
    if merged and crossing is not None:
        tally.note(
            "pairs_in_several_splits",
            crossing,
            f"{counted_noun(crossing, 'pair stands', 'pairs stand')} in several splits: the earliest counts (train, "
            "valid, test).",
        )


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


def judge_unknown_items(
    names: pl.Series,
    source: Source,
    known: pl.Series,
    where: str,
    options: ImportOptions,
    tally: Tally,
    count: int,
    n_rows: int,
    line: int,
) -> None:
    """Note the unknown items, or refuse them.

    Args:
        names: the unknown items, in the order of their first interaction.
        source: what was read.
        known: ids of the items that are known.
        where: name of the source of the known items.
        options: of the import.
        tally: gets the notice.
        count: how many interactions such items have.
        n_rows: how many interactions there are.
        line: the line of the first one.

    Raises:
        DataError: as :func:`settle_unknown_items`.
    """
    alike = _alike(names, known)
    if count == n_rows:
        raise DataError(
            f"no item of {source.name} is in {where}: ids look like {names[0]!r} there and {known[0]!r} here. "
            + (alike or "Name the right columns with --item-column and --item-id.")
        )
    if options.unknown_items == "error":
        first = ", ".join(map(repr, names.head(FIRST)))
        raise DataError(
            f"{source.at(line)}: {counted_noun(len(names), 'item is', 'items are')} not in {where}, the first {first}: "
            + (
                alike
                or "add them, or pass --unknown-items=drop (leave their interactions out) or "
                "--unknown-items=keep (no text)."
            )
        )
    if options.unknown_items == "keep":
        tally.note(
            "unknown_items_kept",
            len(names),
            f"{counted_noun(len(names), 'item that is', 'items that are')} not in {where} kept without text.",
        )
        return
    tally.note(
        "with_unknown_items",
        count,
        f"{counted_noun(count, 'interaction')} with {counted_noun(len(names), 'item')} not in {where} dropped.",
    )


def _alike(unknown: pl.Series, known: pl.Series) -> str:
    """What to do if ids would match once numbers are written in the same way."""

    def simplest(ids: pl.Series) -> pl.DataFrame:
        key = ids.str.replace(r"\.0+$", "").str.strip_chars_start("0").str.to_lowercase()
        return pl.DataFrame({"id": ids, "key": key})

    pairs = simplest(unknown).join(simplest(known), on="key", maintain_order="left")
    if not len(pairs):
        return ""
    return (
        f"{pairs['id'][0]!r} and {pairs['id_right'][0]!r} seem to be one item. Ids are compared as text: write them "
        "alike in both files, as whole numbers without '.0' or as text with the same leading zeros and case."
    )


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


def note_core(tally: Tally, k: int, dropped: int) -> None:
    """Note how many interactions are outside the k-core."""
    tally.note(
        "outside_core",
        dropped,
        f"{counted_noun(dropped, 'interaction')} outside the {k}-core dropped.",
    )


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
            f"{source.name}: column {name!r} is a place in one user's history and no time that users share: name a "
            f"column of times with {OPTIONS['time']}, or use the split 'temporal-user'."
        )
    if options.time_cuts is None:
        return None
    first, second = read_times(pl.Series(options.time_cuts, dtype=pl.Float64))[0]  # in any unit
    return first, second


def note_equal_times(tally: Tally, equal: int, n_rows: int, name: str) -> None:
    """Note how many interactions have an order that their times do not determine."""
    told = f"{equal} of {n_rows} interactions have the same {name!r} as another of their user: chance orders them."
    tally.note("equal_times", equal, told)


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


def no_training(source: Source) -> DataError:
    """The error of a split without training interactions."""
    return DataError(
        f"{source.name}: no interaction is in the training split: check the split's column, or choose another "
        "--split."
    )


def judge_users_without_train(
    source: Source,
    options: ImportOptions,
    tally: Tally,
    user: str,
    line: int,
    n_users: int,
    n_rows: int,
) -> None:
    """Note users who have no training item, or refuse them.

    Args:
        source: what was read.
        options: of the import.
        tally: gets the notice.
        user: the first of them.
        line: line of that user.
        n_users: how many there are.
        n_rows: how many interactions they have.

    Raises:
        DataError: they are not to be dropped.
    """
    if options.users_without_train == "error":
        raise DataError(
            f"{source.at(line)}: user {user!r} has no training item ({counted_noun(n_users, 'such user')}): "
            "pass --users-without-train=drop to leave them out, or split otherwise."
        )
    tally.note(
        "users_without_train",
        n_users,
        f"{counted_noun(n_users, 'user')} without a training item dropped, with {counted_noun(n_rows, 'interaction')}.",
    )


def ordered(ids: Iterable[str]) -> list[str]:
    """Ids in an order that does not depend on the files: numbers by value, otherwise alphabetical."""
    ids = list(ids)
    if not are_numbers(ids):
        return sorted(ids)
    numbers = {identifier: identifier.lstrip("0") for identifier in ids}
    return sorted(ids, key=lambda one: (len(numbers[one]), numbers[one], one))


def are_numbers(ids: Iterable[str]) -> bool:
    """Whether :func:`ordered` puts ids in order by their value."""
    return all(identifier.isascii() and identifier.isdecimal() for identifier in ids)


def rows_of(ids: pl.Series, order: list[str]) -> IntArray:
    """The place of each id in ``order``."""
    rows = pl.Series(range(len(order)), dtype=pl.Int64)
    names = pl.Series(order, dtype=pl.String)
    return ids.replace_strict(names, rows, return_dtype=pl.Int64).to_numpy()
