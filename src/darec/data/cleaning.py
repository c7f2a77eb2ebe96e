"""The steps between interactions as read and interactions of a dataset; whatever they remove is tallied.

Every step takes and returns a frame with ``user``, ``item``, ``line`` and, where known, ``rating``, ``time`` and
``split``.
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
from darec.data.ingest.times import read_times
from darec.data.kcore import k_core
from darec.data.split import COLD_SHARE, cold_items, split_interactions
from darec.errors import DataError
from darec.types import IntArray

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
        raise DataError(
            f"{source.name}: --min-rating was given, and there is no rating: name its column with --rating-column."
        )
    kept = frame.filter(pl.col("rating") >= least)
    dropped = len(frame) - len(kept)
    if not len(kept):
        raise DataError(f"{source.name}: no rating reaches {least:g}: lower --min-rating.")
    tally.note(
        "below_min_rating", dropped, f"{dropped} interactions rated below {least:g} dropped."
    )
    return kept


def merge_repeats(frame: pl.DataFrame, source: Source, method: str, tally: Tally) -> pl.DataFrame:
    """Merge repeated pairs: the earliest split, where it is given, then the earliest time, then the first line is kept.

    A pair in train and test is thus a training pair, which keeps what is tested unseen.

    Raises:
        DataError: a split that is none.
    """
    if method == "column":
        named = frame["split"].str.to_lowercase().replace_strict(SPLIT_NAMES, default=None)
        wrong = named.is_null().arg_true()
        if len(wrong):
            raise DataError(
                f"{source.at(frame['line'][wrong[0]])}: split {frame['split'][wrong[0]]!r}: write train, valid or "
                "test, or choose another --split."
            )
        order = pl.Series("_order", range(len(SPLITS)))
        rank = named.replace_strict(list(SPLITS), order, return_dtype=pl.Int8)
        frame = frame.with_columns(named.alias("split"), rank.alias("_rank"))
    by = [name for name in ("_rank", "time", "line") if name in frame.columns]
    repeated = frame.select(pl.struct("user", "item").is_duplicated()).to_series()
    if not repeated.any():
        tally.note("repeats_merged", 0, "")
        return frame.drop("_rank", strict=False)
    merged = frame.sort(by).unique(["user", "item"], keep="first", maintain_order=True).sort("line")
    n_merged = len(frame) - len(merged)
    tally.note("repeats_merged", n_merged, f"{n_merged} repeated interactions merged.")
    if method == "column":
        splits = frame.filter(repeated).group_by("user", "item").agg(pl.col("split").n_unique())
        crossing = int((splits["split"] > 1).sum())
        tally.note(
            "pairs_in_several_splits",
            crossing,
            f"{crossing} pairs stood in several splits and stay in the earliest (train, valid, test).",
        )
    return merged.drop("_rank", strict=False)


def settle_unknown_items(
    frame: pl.DataFrame,
    source: Source,
    known: pl.Series,
    where: str,
    options: ImportOptions,
    tally: Tally,
) -> pl.DataFrame:
    """Deal with interactions whose item is not among the known ones, as ``options.unknown_items`` says.

    Raises:
        DataError: there are some and they are not to be dropped or kept, or no item is known at all.
    """
    missing = ~frame["item"].is_in(known.implode())
    if not missing.any():
        return frame
    unknown = frame.filter(missing)
    names = unknown["item"].unique(maintain_order=True)
    alike = _alike(names, known)
    if len(unknown) == len(frame):
        raise DataError(
            f"no item of {source.name} is in {where}: ids look like {names[0]!r} there and {known[0]!r} here. "
            + (alike or "Name the right columns with --item-column and --item-id.")
        )
    if options.unknown_items == "error":
        first = ", ".join(map(repr, names.head(FIRST)))
        raise DataError(
            f"{source.at(unknown['line'][0])}: {len(names)} items are not in {where}, the first {first}: "
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
            f"{len(names)} items that are not in {where} kept without text.",
        )
        return frame
    tally.note(
        "with_unknown_items",
        len(unknown),
        f"{len(unknown)} interactions with {len(names)} items not in {where} dropped.",
    )
    return frame.filter(~missing)


def _alike(unknown: pl.Series, known: pl.Series) -> str:
    """What to do where ids would match if numbers were written alike."""

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
    tally.note("outside_core", dropped, f"{dropped} interactions outside the {k}-core dropped.")
    return frame.filter(pl.Series(kept))


def assign_splits(
    frame: pl.DataFrame, source: Source, method: str, options: ImportOptions, tally: Tally
) -> pl.DataFrame:
    """Give every pair its split, unless it is given, and ``cold`` where items are held out.

    Errors as :func:`split_interactions`.
    """
    if method == "column":
        return frame
    name = source.columns.get("time", "")
    if method == "global-time" and plain(name) == "position":
        raise DataError(
            f"{source.name}: column {name!r} is a place in one user's history and no time that users share: name a "
            f"column of times with {OPTIONS['time']}, or use the split 'temporal-user'."
        )
    if method in ("leave-last-out", "temporal-user") and "time" in frame.columns:
        _note_equal_times(frame, name, tally)
    numbered = frame.with_columns(
        pl.Series(kind, rows_of(frame[kind], ordered(frame[kind].unique())))
        for kind in ("user", "item")
    )
    cuts = options.time_cuts
    if cuts is not None:  # in whatever unit the file's own times are
        first, second = read_times(pl.Series(cuts, dtype=pl.Float64))[0]
        cuts = (first, second)
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


def _note_equal_times(frame: pl.DataFrame, name: str, tally: Tally) -> None:
    """Tell how many interactions are in an order that their times do not give."""
    equal = int(frame.select(pl.struct("user", "time").is_duplicated().sum()).item())
    told = f"{equal} of {len(frame)} interactions have the same {name!r} as another of their user: chance orders them."
    tally.note("equal_times", equal, told)


def settle_users_without_train(
    frame: pl.DataFrame, source: Source, options: ImportOptions, tally: Tally
) -> pl.DataFrame:
    """Refuse or drop users who have no training item. Raises ``DataError`` also where nobody has one."""
    trained = frame.filter(pl.col("split") == "train")["user"].unique()
    if not len(trained):
        raise DataError(
            f"{source.name}: no interaction is in the training split: check the split's column, or choose another "
            "--split."
        )
    without = ~frame["user"].is_in(trained.implode())
    if not without.any():
        return frame
    first = frame.filter(without)
    n_users = first["user"].n_unique()
    if options.users_without_train == "error":
        raise DataError(
            f"{source.at(first['line'][0])}: user {first['user'][0]!r} has no training item ({n_users} such users): "
            "pass --users-without-train=drop to leave them out, or split otherwise."
        )
    tally.note(
        "users_without_train",
        n_users,
        f"{n_users} users without a training item dropped, with {len(first)} interactions.",
    )
    return frame.filter(~without)


def ordered(ids: Iterable[str]) -> list[str]:
    """Ids in an order that does not depend on the files': numbers by value, else alphabetical."""
    ids = list(ids)
    if not all(identifier.isascii() and identifier.isdecimal() for identifier in ids):
        return sorted(ids)
    numbers = {identifier: identifier.lstrip("0") for identifier in ids}
    return sorted(ids, key=lambda one: (len(numbers[one]), numbers[one], one))


def rows_of(ids: pl.Series, order: list[str]) -> IntArray:
    """The place of each id in ``order``."""
    rows = pl.Series(range(len(order)), dtype=pl.Int64)
    names = pl.Series(order, dtype=pl.String)
    return ids.replace_strict(names, rows, return_dtype=pl.Int64).to_numpy()
