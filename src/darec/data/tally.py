"""Counts, notices and errors of an import while it cleans interactions, in memory or part by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from darec.data.import_options import ImportOptions
from darec.data.ingest import Source
from darec.errors import DataError
from darec.wording import counted_noun

FIRST: Final = 3  # number of examples in a message


@dataclass
class Tally:
    """The counts of merged, dropped and moved interactions for the manifest, with sentences for the reader."""

    counts: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def note(self, name: str, count: int, sentence: str) -> None:
        """Note a count, and a sentence about it unless it is zero."""
        self.counts[name] = count
        if count:
            self.notices.append(sentence)


def note_low_ratings(tally: Tally, source: Source, least: float, dropped: int, n: int) -> None:
    """Note how many interactions have too low a rating. Raises ``DataError`` if all have."""
    if dropped == n:
        raise DataError(f"{source.name}: no rating reaches {least:g}: lower --min-rating.")
    tally.note(
        "below_min_rating",
        dropped,
        f"{counted_noun(dropped, 'interaction')} rated below {least:g} dropped.",
    )


def no_ratings(name: str) -> DataError:
    """Return the error of a threshold without ratings."""
    return DataError(
        f"{name}: --min-rating needs ratings, and there are none: name their column with --rating-column."
    )


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
        source: the interactions that were read.
        known: ids of the known items.
        where: name of the source of the known items.
        options: of the import.
        tally: receives the notice.
        count: number of interactions with unknown items.
        n_rows: number of all interactions.
        line: line of the first one.

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
    """Return a remedy if ids would match with numbers in the same form."""

    def simplest(ids: pl.Series) -> pl.DataFrame:
        key = ids.str.replace(r"\.0+$", "").str.strip_chars_start("0").str.to_lowercase()
        return pl.DataFrame({"id": ids, "key": key})

    pairs = simplest(unknown).join(simplest(known), on="key", maintain_order="left")
    if not len(pairs):
        return ""
    return (
        f"{pairs['id'][0]!r} and {pairs['id_right'][0]!r} seem to be one item. Ids are compared as text: write them "
        "in the same way in both files, as whole numbers without '.0' or as text with the same leading zeros and case."
    )


def note_core(tally: Tally, k: int, dropped: int) -> None:
    """Note how many interactions are outside the k-core."""
    tally.note(
        "outside_core",
        dropped,
        f"{counted_noun(dropped, 'interaction')} outside the {k}-core dropped.",
    )


def note_equal_times(tally: Tally, equal: int, n_rows: int, name: str) -> None:
    """Note how many interactions share their time with another one of their user."""
    told = f"{equal} of {n_rows} interactions have the same {name!r} as another of their user: chance orders them."
    tally.note("equal_times", equal, told)


def no_training(source: Source) -> DataError:
    """Return the error of a split without training interactions."""
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
        source: the interactions that were read.
        options: of the import.
        tally: receives the notice.
        user: the first of them.
        line: line of that user.
        n_users: number of these users.
        n_rows: number of their interactions.

    Raises:
        DataError: they are not to be dropped.
    """
    if options.users_without_train == "error":
        raise DataError(
            f"{source.at(line)}: user {user!r} has no training item ({counted_noun(n_users, 'such user')}): "
            "pass --users-without-train=drop to leave them out, or choose another --split."
        )
    tally.note(
        "users_without_train",
        n_users,
        f"{counted_noun(n_users, 'user')} without a training item dropped, with {counted_noun(n_rows, 'interaction')}.",
    )
