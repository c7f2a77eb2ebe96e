"""The results of readers: the table of a file, and the interactions that are made of it."""

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
    """Names of columns in the file of interactions; None: guess from the usual names."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Reading:
    """How files are read if their names and bytes do not say it.

    Attributes:
        encoding: of text files. None: that of the file's byte order mark, or UTF-8 without one.
        header: names of the columns of CSV and TSV files that have no header; None: their first line.
        quotes: whether quotes enclose fields. None: they do in CSV, and in TSV if every row fits then.
        time_format: format of times, in the codes of ``strftime``. None: numbers, ISO dates, or the one other
            format that fits all of them.
        ignored: columns that are ignored.
        wanted: which of rating, time and split are needed. Bad values in the others stop no import.
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
        frame: the records, with the place of each, counted from 1.
        unit: the name of a place, such as ``"line"`` or ``"row"``.
        files: the files that were read.
        starts: number of places before each file, if several files are one table.
        notices: assumptions that were made in reading, one sentence each.
        piece: whether these are only a part of the records.
        parts: columns of each file by its name, if several files are one table.
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
        """Return how many records are like the one that a message names."""
        return "at least " * self.piece + counted_noun(count, f"such {self.unit}")

    def at(self, place: int) -> str:
        """Return file and place, for messages."""
        if not self.starts:
            return f"{self.name}, {self.unit} {place}"
        return f"{self.file_of(place)}, {self.unit} {place - self.starts[self._part(place)]}"

    def file_of(self, place: int) -> str:
        """Return the file that holds a place."""
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
    """Records of files, or of a frame that a caller passed; the column ``__line__`` holds their places."""

    @classmethod
    def of_frame(cls, frame: pl.DataFrame, name: str) -> SourceTable:
        """Make a table of a frame that a caller passed. Raises ``DataError`` if it has no rows."""
        if not len(frame):
            raise DataError(f"{name} holds no rows.")
        frame = frame.drop(LINE, strict=False)
        return cls(name, frame.with_row_index(LINE, offset=1), "row")

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [name for name in self.frame.columns if name != LINE]

    def without(self, names: Collection[str]) -> SourceTable:
        """Return the table without some columns; names that it does not have are skipped."""
        return replace(self, frame=self.frame.drop(names, strict=False))

    def ids(self, column: str) -> pl.Series:
        """Return a column as id strings: whole numbers without a decimal point, text without surrounding blanks.

        Raises:
            DataError: an id is blank, or a value is not an id.
        """
        values = self.frame[column]
        if values.dtype == pl.Object:
            return self._scalars(column)
        if values.dtype.is_float():
            values = values.fill_nan(None)
            if (values.abs() >= 2**53).any():
                raise DataError(
                    f"{self.name}: column {column!r} holds ids beyond 2^53 as floats, which lose digits: store them as "
                    "whole numbers or text."
                )
            whole = values.cast(pl.Int64).cast(pl.String)
            ids = whole.zip_with((values.floor() == values).fill_null(True), values.cast(pl.String))
        elif values.dtype.is_nested() or values.dtype in (pl.Object, pl.Binary, pl.Boolean):
            raise DataError(
                f"{self.name}: column {column!r} holds {values.dtype} where ids are expected."
            )
        else:
            ids = values.cast(pl.String).str.strip_chars()
        return self._complete(ids)

    def _complete(self, ids: pl.Series) -> pl.Series:
        """Return the ids unchanged. Raises ``DataError`` on a blank one."""
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
        """Return a column as text without surrounding blanks; null where a value is empty, a list or a mapping."""
        values = self.frame[column]
        if values.dtype == pl.Object:
            single = (None if isinstance(value, list | dict) else scalar(value) for value in values)
            values = pl.Series(column, list(single), dtype=pl.String)
        return values.cast(pl.String).str.strip_chars().replace("", None)

    def _scalars(self, column: str) -> pl.Series:
        """Return ids of mixed types, each by its own type. Raises ``DataError`` on a value that is not an id."""
        values = self.frame[column].to_list()
        for value, line in zip(values, self.frame[LINE], strict=True):
            if isinstance(value, list | dict | bool):
                raise DataError(
                    f"{self.at(line)}: column {column!r} holds {value!r:.60} where an id is expected: mend the value."
                )
            if isinstance(value, float) and abs(value) >= 2**53:
                raise DataError(
                    f"{self.at(line)}: the id {value!r} in column {column!r} is a float beyond 2^53, which loses "
                    "digits: store it as a whole number or text."
                )
        ids = pl.Series(column, [scalar(value) for value in values], dtype=pl.String)
        return self._complete(ids.str.strip_chars())

    def id_type(self, column: str) -> IdType:
        """Return the type of the ids in a column: whole numbers, UUIDs, or text for all else."""
        values = self.frame[column]
        if values.dtype.is_float():
            return "int64" if (values.floor() == values).all() else "string"
        if values.dtype == pl.Object:
            return "uuid" if all(isinstance(one, UUID | None) for one in values) else "string"
        return "int64" if values.dtype.is_integer() else "string"


@dataclass(frozen=True)
class Source(Placed):
    """Interactions as read.

    The frame has ``user`` and ``item`` (strings), ``line`` (the place) and, if they are known and needed, ``rating``
    and ``time`` (floats) and ``split`` (strings).

    Attributes:
        items: a table with an id and fields of each item, if the source has items.
        types: of the ``user`` and ``item`` ids, if they are not text.
        columns: the source's own name of each column, if it has names.
        names: all names of its table, also of columns that were not read.
    """

    items: SourceTable | None = None
    columns: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    types: dict[str, IdType] = field(default_factory=dict)
