"""What readers pass on: a table as it stands in a file, and the interactions made of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from uuid import UUID

import polars as pl

from darec.data.ingest.values import scalar
from darec.errors import DataError
from darec.ids.idmap import IdType
from darec.wording import counted_noun

LINE: Final = "__line__"


@dataclass(frozen=True)
class Columns:
    """Names of columns in the interactions' file; None: guess from the usual ones."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Reading:
    """How files are read, where their names and bytes do not say it.

    Attributes:
        encoding: of text files; None: the mark's that the file begins with, else UTF-8.
        header: names of the columns of CSV and TSV files that have no header; None: their first line.
        quotes: whether quotes enclose fields; None: they do in CSV, and in TSV where that makes every row fit.
        time_format: how times are written, in the codes of ``strftime``; None: numbers, ISO dates, or the one other
            way of writing dates that fits all of them.
        ignored: columns that are left alone as if they were not there.
        wanted: which of rating, time and split are needed. What the others hold stops no import.
    """

    encoding: str | None = None
    header: tuple[str, ...] | None = None
    quotes: bool | None = None
    time_format: str | None = None
    ignored: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ("rating", "time", "split")


@dataclass(frozen=True)
class Placed:
    """Records that know where they come from.

    Attributes:
        name: the file or folder, for messages.
        frame: the records, with the place of each, from 1.
        unit: what places are called, such as ``"line"`` or ``"row"``.
        files: the files that were read.
        starts: where several files were put one behind the other: how many places lie before each.
        notices: what was assumed in reading, one sentence each.
        piece: these are some of the records, and others are not at hand.
        parts: where several files are one table: the columns of each, by its name.
    """

    name: str
    frame: pl.DataFrame
    unit: str = "line"
    files: tuple[Path, ...] = ()
    starts: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()
    piece: bool = False
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def such(self, count: int) -> str:
        """How many records are like one that was named, for messages."""
        return "at least " * self.piece + counted_noun(count, f"such {self.unit}")

    def at(self, place: int) -> str:
        """File and place, for messages."""
        if not self.starts:
            return f"{self.name}, {self.unit} {place}"
        return f"{self.file_of(place)}, {self.unit} {place - self.starts[self._part(place)]}"

    def file_of(self, place: int) -> str:
        """The file that a place is in."""
        return str(self.files[self._part(place)]) if self.starts else self.name

    def _part(self, place: int) -> int:
        return bisect_left(self.starts, place) - 1

    def check_part(self, place: int, column: str) -> None:
        """Raise ``DataError`` if the part that a place is in does not have a column that another part has."""
        name = self.file_of(place)
        others = [other for other, columns in self.parts.items() if column in columns]
        if others and name in self.parts and name not in others:
            raise DataError(
                f"{name} has no column {column!r} (it has {', '.join(map(repr, self.parts[name]))}): name its columns "
                f"as in {Path(others[0]).name}."
            )


@dataclass(frozen=True)
class SourceTable(Placed):
    """Records as they stand in files, or in a frame that was passed in; places are in the column ``__line__``."""

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

    def without(self, names: Collection[str]) -> SourceTable:
        """The table without some columns; names that it does not have are passed over."""
        return replace(self, frame=self.frame.drop(names, strict=False))

    def ids(self, column: str) -> pl.Series:
        """A column as id strings: whole numbers without a decimal point, text without surrounding blanks.

        Raises:
            DataError: a blank id, or a value that is no id.
        """
        values = self.frame[column]
        if values.dtype == pl.Object:
            return self._scalars(column)
        if values.dtype.is_float():
            values = values.fill_nan(None)
            if (values.abs() >= 2**53).any():
                raise DataError(
                    f"{self.name}: column {column!r} holds ids beyond 2^53 as floats, which blur them: store them as "
                    "whole numbers or text."
                )
            whole = values.cast(pl.Int64).cast(pl.String)
            ids = whole.zip_with((values.floor() == values).fill_null(True), values.cast(pl.String))
        elif values.dtype.is_nested() or values.dtype in (pl.Object, pl.Binary, pl.Boolean):
            raise DataError(f"{self.name}: column {column!r} does not hold ids but {values.dtype}.")
        else:
            ids = values.cast(pl.String).str.strip_chars()
        return self._complete(ids)

    def _complete(self, ids: pl.Series) -> pl.Series:
        """The ids as they are. Raises ``DataError`` on a blank one."""
        blank = (ids.is_null() | (ids == "")).arg_true()
        if len(blank):
            place = self.frame[LINE][blank[0]]
            self.check_part(place, ids.name)
            raise DataError(
                f"{self.at(place)}: no id in column {ids.name!r} "
                f"({self.such(len(blank))}): complete or remove it."
            )
        return ids

    def texts(self, column: str) -> pl.Series:
        """A column's single values as text without surrounding blanks; null where empty, a list or a mapping."""
        values = self.frame[column]
        if values.dtype == pl.Object:
            single = (None if isinstance(value, list | dict) else scalar(value) for value in values)
            values = pl.Series(column, list(single), dtype=pl.String)
        return values.cast(pl.String).str.strip_chars().replace("", None)

    def _scalars(self, column: str) -> pl.Series:
        """Ids of mixed types, each by its own. Raises ``DataError`` on one that is no id."""
        values = self.frame[column].to_list()
        for value, line in zip(values, self.frame[LINE], strict=True):
            if isinstance(value, list | dict | bool):
                raise DataError(
                    f"{self.at(line)}: column {column!r} does not hold ids here but {value!r:.60}: mend the value."
                )
            if isinstance(value, float) and abs(value) >= 2**53:
                raise DataError(
                    f"{self.at(line)}: the id {value!r} in column {column!r} is a float beyond 2^53, which blurs ids: "
                    "store it as a whole number or text."
                )
        ids = pl.Series(column, [scalar(value) for value in values], dtype=pl.String)
        return self._complete(ids.str.strip_chars())

    def id_type(self, column: str) -> IdType:
        """What the ids of a column are: whole numbers, UUIDs or, as everything else, text."""
        values = self.frame[column]
        if values.dtype.is_float():
            return "int64" if (values.floor() == values).all() else "string"
        if values.dtype == pl.Object:
            return "uuid" if all(isinstance(one, UUID | None) for one in values) else "string"
        return "int64" if values.dtype.is_integer() else "string"


@dataclass(frozen=True)
class Source(Placed):
    """Interactions as read.

    The frame has ``user`` and ``item`` (strings), ``line`` (the place) and, where known and wanted, ``rating``,
    ``time`` (floats) and ``split`` (strings).

    Attributes:
        items: a table with an id and fields of each item, where the source brings items.
        types: of the ``user`` and ``item`` ids, where they are not text.
        columns: the source's own name of each column, where it has names.
        names: all names that its table has, also those that were not read.
    """

    items: SourceTable | None = None
    columns: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    types: dict[str, IdType] = field(default_factory=dict)
