"""What readers pass on: a table as it stands in a file, and the interactions made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import polars as pl

from darec.data.idmap import IdType
from darec.errors import ConfigError, DataError, did_you_mean

LINE: Final = "__line__"

# Usual names of each column, lower case without underscores and blanks; the first that a file has is taken.
USUAL: Final = {
    "user": ("userid", "user", "uid", "reviewerid", "visitorid", "customerid", "memberid", "sessionid"),
    "item": (
        "itemid", "item", "iid", "movieid", "parentasin", "asin", "productid", "product", "gameid", "bookid",
        "articleid", "newsid", "trackid", "songid", "businessid", "appid",
    ),
    "rating": ("rating", "score", "stars", "ratings", "overall", "reviewscore"),
    "time": ("timestamp", "time", "unixreviewtime", "ts", "date", "datetime", "createdat", "position"),
    "split": ("split", "subset", "fold"),
}  # fmt: skip

# The command line's word for each column.
OPTIONS: Final = {kind: f"--{kind}-column" for kind in USUAL} | {"time": "--timestamp-column"}


@dataclass(frozen=True)
class Columns:
    """Names of columns in the interactions' file; None: guess from the usual ones."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class SourceTable:
    """Records as they stand in a file, or in a frame that was passed in.

    Attributes:
        name: the file, for messages.
        frame: the records, with the column ``__line__``: the place of each, from 1.
        unit: what places are called, ``"line"`` or ``"row"``.
        files: the files that were read.
    """

    name: str
    frame: pl.DataFrame
    unit: str = "line"
    files: tuple[Path, ...] = ()

    @classmethod
    def of_frame(cls, frame: pl.DataFrame, name: str) -> SourceTable:
        """A frame that a caller passed in. Raises ``DataError`` if it has no rows."""
        if not len(frame):
            raise DataError(f"{name} holds no rows.")
        frame = frame.drop(LINE, strict=False)
        return cls(name, frame.with_row_index(LINE, offset=1), "row")

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [name for name in self.frame.columns if name != LINE]

    def at(self, line: int) -> str:
        """File and place, for messages."""
        return f"{self.name}, {self.unit} {line}"

    def ids(self, column: str) -> pl.Series:
        """A column as id strings: whole numbers without a decimal point, text without surrounding blanks.

        Raises:
            DataError: a blank id, or a column that cannot hold ids.
        """
        values, lines = self.frame[column], self.frame[LINE]
        if values.dtype.is_float():
            values = values.fill_nan(None)
            if (values.abs() >= 2**53).any():
                raise DataError(
                    f"{self.name}: column {column!r} holds ids beyond 2^53 as floats, which blur them: store them as "
                    "whole numbers or text."
                )
            whole = values.cast(pl.Int64).cast(pl.String)
            ids = whole.zip_with((values.floor() == values).fill_null(True), values.cast(pl.String))
        elif self.id_type(column) == "uuid":
            ids = pl.Series(
                column, [None if one is None else str(one) for one in values], pl.String
            )
        elif values.dtype.is_nested() or values.dtype in (pl.Object, pl.Binary):
            raise DataError(f"{self.name}: column {column!r} does not hold ids but {values.dtype}.")
        else:
            ids = values.cast(pl.String).str.strip_chars()
        blank = (ids.is_null() | (ids == "")).arg_true()
        if len(blank):
            raise DataError(
                f"{self.at(lines[blank[0]])}: no id in column {column!r} ({len(blank)} such {self.unit}s): complete or "
                "remove it."
            )
        return ids

    def id_type(self, column: str) -> IdType:
        """What the ids of a column are: whole numbers, UUIDs or, as everything else, text."""
        values = self.frame[column]
        if values.dtype.is_float():
            return "int64" if (values.floor() == values).all() else "string"
        if values.dtype == pl.Object:
            return "uuid" if all(isinstance(one, UUID | None) for one in values) else "string"
        return "int64" if values.dtype.is_integer() else "string"


@dataclass(frozen=True)
class Source:
    """Interactions as read.

    Attributes:
        name: file or folder, for messages.
        frame: ``user`` and ``item`` (strings), ``line`` (place in the file, from 1) and, where known, ``rating``,
            ``time`` (floats) and ``split`` (strings).
        unit: what places are called, ``"line"`` or ``"row"``.
        files: the files that were read.
        items: one row an item with ``item_id`` and fields, where the source brings items.
        columns: the source's own name of each column, where it has names.
        types: of the ``user`` and ``item`` ids, where they are not text.
    """

    name: str
    frame: pl.DataFrame
    unit: str = "line"
    files: tuple[Path, ...] = ()
    items: pl.DataFrame | None = None
    columns: dict[str, str] = field(default_factory=dict)
    types: dict[str, IdType] = field(default_factory=dict)

    def at(self, line: int) -> str:
        """File and place, for messages."""
        return f"{self.name}, {self.unit} {line}"


def plain(name: str) -> str:
    """A column's name in lower case, letters and digits only."""
    return "".join(c for c in name.lower() if c.isalnum())


def find_columns(table: SourceTable, columns: Columns) -> dict[str, str]:
    """The table's name of each column that it has.

    Raises:
        DataError: a column that was asked for by name, or user or item, is not there.
        ConfigError: one column for both user and item.
    """
    names = table.columns
    there = f"it has {', '.join(map(repr, names))}"
    found: dict[str, str] = {}
    for kind, usual in USUAL.items():
        asked = getattr(columns, kind)
        if asked is not None and asked not in names:
            near = did_you_mean(asked, names)
            raise DataError(
                f"{table.name}: no column {asked!r} for the {kind}; {there}"
                + (f": {near}" if near.startswith("did") else f": name one with {OPTIONS[kind]}.")
            )
        guesses = [name for known in usual for name in names if plain(name) == known]
        if asked is None and not guesses and kind in ("user", "item"):
            raise DataError(
                f"{table.name}: no column for the {kind}; {there}: name it with {OPTIONS[kind]}."
            )
        if asked is not None or guesses:
            found[kind] = asked if asked is not None else guesses[0]
    if found["user"] == found["item"]:
        raise ConfigError(f"column {found['user']!r} cannot be both user and item.")
    return found
