"""What every reader ends with, and the columns it looks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from darec.errors import DataError, did_you_mean

# Usual names of each column, lower case without underscores and blanks.
USUAL: Final = {
    "user": ("userid", "user", "uid", "reviewerid", "visitorid", "customerid", "memberid", "sessionid"),
    "item": (
        "itemid", "item", "iid", "movieid", "asin", "parentasin", "productid", "product", "gameid", "bookid",
        "articleid", "newsid", "trackid", "songid", "businessid", "appid",
    ),
    "rating": ("rating", "score", "stars", "ratings", "overall", "reviewscore"),
    "time": ("timestamp", "time", "unixreviewtime", "ts", "date", "datetime", "createdat", "position"),
    "split": ("split", "subset", "fold"),
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Names of columns in the interactions' file; None: guess from the usual ones."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Source:
    """Interactions as read.

    Attributes:
        name: file or folder, for messages.
        frame: ``user`` and ``item`` (strings), ``line`` (place in the file, from 1) and, where known, ``rating``,
            ``time`` (floats) and ``split`` (strings).
        files: the files that were read.
        items: one row an item with ``item_id`` and fields, where the source brings items.
        numeric: which of user and item ids are numbers in the file, for messages.
    """

    name: str
    frame: pl.DataFrame
    files: tuple[Path, ...]
    items: pl.DataFrame | None = None
    numeric: frozenset[str] = field(default_factory=frozenset)


def find_columns(path: Path, names: list[str], columns: Columns) -> dict[str, str]:
    """The file's name of each column that it has.

    Raises:
        DataError: a column that was asked for by name, or user or item, is not there.
    """
    plain = {name: "".join(c for c in name.lower() if c.isalnum()) for name in names}
    found: dict[str, str] = {}
    for kind, usual in USUAL.items():
        asked = getattr(columns, kind)
        if asked is not None:
            if asked not in names:
                raise DataError(
                    f"{path}: no column {asked!r} for the {kind}: {did_you_mean(asked, names)}"
                )
            found[kind] = asked
            continue
        guesses = [name for known in usual for name in names if plain[name] == known]
        if guesses:
            found[kind] = guesses[0]
        elif kind in ("user", "item"):
            option = f"--{kind}-column"
            raise DataError(
                f"{path}: no column for the {kind} among {', '.join(map(repr, names))}: name it with {option}."
            )
    return found


def as_ids(frame: pl.DataFrame, column: str) -> pl.Expr:
    """A column as id strings: whole numbers without a decimal point, text without surrounding blanks."""
    if frame.schema[column].is_integer():
        return pl.col(column).cast(pl.String)
    if frame.schema[column].is_float():
        whole = pl.col(column).cast(pl.Int64, strict=False)
        same = whole.cast(pl.Float64) == pl.col(column)
        return pl.when(same).then(whole.cast(pl.String)).otherwise(pl.col(column).cast(pl.String))
    return pl.col(column).cast(pl.String).str.strip_chars()
