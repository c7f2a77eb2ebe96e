"""The first step of a streamed import: it turns files into rows of numbers on disk, and ids into numbers in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np
import polars as pl

from darec.data.cleaning import split_ranks
from darec.data.import_options import ImportOptions
from darec.data.ingest.columns import find_columns
from darec.data.ingest.interactions import (
    HEAD,
    LowRatings,
    check_numbers,
    labels,
    ratings,
    time_columns,
    unused_ratings,
)
from darec.data.ingest.source import LINE, Source, SourceTable
from darec.data.streamed.codes import Codes, Records
from darec.data.streamed.parts import OtherReadingError, Parts
from darec.data.streamed.times import Times
from darec.data.tally import no_ratings
from darec.errors import DataError
from darec.progress import tell


@dataclass(frozen=True)
class Staged:
    """Interactions as numbers in a file.

    Attributes:
        about: the source, with the distinct items in place of its rows.
        method: of the split.
        file: the rows, in the order of the source.
        kind: type of a row.
        users: numbers of the users' ids.
        items: numbers of the items' ids.
        times: of the rows; None: they are not needed.
        read: number of rows in the files.
        low: number of rows that were left out because of a low rating.
    """

    about: Source
    method: str
    file: Path
    kind: np.dtype[np.void]
    users: Codes
    items: Codes
    times: Times | None
    read: int
    low: int


class _RefusedTimesError(Exception):
    """A column does not hold times."""


def stage(path: Path, options: ImportOptions, folder: Path) -> Staged:
    """Read all files into one file of rows.

    Args:
        path: a file, a folder or a pattern of parts.
        options: of the import.
        folder: for the file of rows.

    Raises:
        DataError: as :func:`darec.data.ingest.read_source`; the message names the part and the row.
    """
    parts = Parts(path, options.reading)
    refused: dict[str, DataError] = {}
    while True:
        reader = _Reader(parts, options, refused)
        try:
            return reader.read(folder / "rows")
        except (OtherReadingError, _RefusedTimesError):
            continue


class _Reader:
    """One pass over the files.

    Args:
        parts: the files.
        options: of the import.
        refused: columns of times that could not be read, with the error; the pass adds to them.
    """

    def __init__(self, parts: Parts, options: ImportOptions, refused: dict[str, DataError]) -> None:
        self.parts, self.options, self.refused = parts, options, refused
        self.wanted = options.reading.wanted
        self.users, self.items = Codes(), Codes()
        self.times: Times | None = None
        self.low: dict[str, LowRatings] = {}
        self.found: dict[str, str] = {}
        self.n_read = self.n_low = 0
        self.method = ""

    def read(self, file: Path) -> Staged:
        """Read all pieces into a file."""
        self.parts.needed = None
        if self.parts.columns:
            self._choose()
        begun = monotonic()
        with file.open("wb") as out:
            for number, table, start in self.parts.pieces():
                if not self.found:
                    self._choose()
                out.write(np.ascontiguousarray(self._records(table, start)).data)
                rate = self.n_read / max(monotonic() - begun, 1e-9)
                tell(
                    f"reading ({self.n_read:,} rows, {rate:,.0f} rows/s)",
                    number + 1,
                    self.parts.total,
                )
        parts = self.parts
        notices = parts.notices
        if self.times is not None:
            notices += self.times.notices(parts.name)
        for name, low in self.low.items():
            notices += low.told(parts.name, name)
        types = {"user": self.users.type or "string", "item": self.items.type or "string"}
        about = Source(
            parts.name,
            pl.DataFrame({"item": self.items.texts}, {"item": pl.String}),
            parts.unit,
            tuple(parts.files),
            tuple(parts.starts) if len(parts.files) > 1 else (),
            notices,
            columns=self.found,
            names=tuple(parts.columns),
            types=types,
        )
        return Staged(
            about,
            self.method,
            file,
            self._kind(),
            self.users,
            self.items,
            self.times,
            self.n_read,
            self.n_low,
        )

    def _choose(self) -> None:
        """Choose which column holds what, and which are needed."""
        options, parts = self.options, self.parts
        header = parts.header().without(options.ignore_columns)
        found = find_columns(header, options.columns)
        method = options.split or ("column" if "split" in found else "random")
        if method == "column" and "split" not in found:
            raise DataError(f"{parts.name}: no column for the split: name it with --split-column.")
        self.method = method
        if options.min_rating is not None and "rating" not in found:
            raise no_ratings(parts.name)
        wanted = [kind for kind in self.wanted if kind in found]
        if "time" in wanted:
            found["time"] = self._time_column(header)
            self.times = Times(found["time"], options.time_format, self._again)
        if "rating" not in wanted:
            names = unused_ratings(options.columns, header.columns)
            self.low = {name: LowRatings() for name in names}
        self.found = found
        parts.needed = [
            *(found[kind] for kind in ("user", "item", *wanted)),
            *self.low,
        ]

    def _time_column(self, header: SourceTable) -> str:
        candidates = time_columns(header, self.options.columns)
        if len(candidates) > 1:
            candidates = time_columns(self._head(), self.options.columns)
        left = [name for name in candidates if name not in self.refused]
        if not left:
            raise next(iter(self.refused.values()))
        return left[0]

    def _again(self) -> Iterator[SourceTable]:
        again = Parts(self.parts.path, self.parts.reading)
        again.columns, again.needed = self.parts.columns, self.parts.needed
        again.misread = self.parts.misread
        for _, table, _ in again.pieces():
            yield table

    def _head(self) -> SourceTable:
        """Return the first rows, by which the column of times is chosen."""
        frames, n = [], 0
        for table in self._again():
            frames.append(table.frame)
            n += len(table.frame)
            if n >= HEAD:
                break
        table = self.parts.header()
        return replace(table, frame=pl.concat(frames)).without(self.options.ignore_columns)

    def _kind(self) -> np.dtype[np.void]:
        fields: list[tuple[str, str]] = [("user", "u4"), ("item", "u4"), ("line", "i8")]
        if self.times is not None:
            fields.append(("time", "f8"))
        return np.dtype([*fields, ("split", "i1")])

    def _records(self, table: SourceTable, start: int) -> Records:
        """Turn a piece into rows of numbers."""
        found = self.found
        lines = table.frame[LINE]
        self.n_read += len(lines)
        columns: dict[str, pl.Series] = {}
        for kind, codes in (("user", self.users), ("item", self.items)):
            columns[kind] = table.ids(found[kind])
            type = table.id_type(found[kind])
            codes.type = type if codes.type in (None, type) else "string"
        if self.times is not None:
            try:
                columns["time"] = self.times.read(table)
            except DataError as error:
                self.refused[found["time"]] = error
                raise _RefusedTimesError from None
        if self.options.min_rating is not None:
            columns["rating"] = ratings(table, found["rating"])
            check_numbers(
                table, "rating", found["rating"], columns["rating"], "is not a finite number"
            )
        for name, low in self.low.items():
            low.add(ratings(table, name))
        if self.method == "column":
            columns["split"] = labels(table, found["split"])
        frame = pl.DataFrame([values.alias(kind) for kind, values in columns.items()])
        frame = frame.with_columns(lines.alias("line"))
        if self.options.min_rating is not None:
            frame = frame.filter(pl.col("rating") >= self.options.min_rating)
            self.n_low += len(lines) - len(frame)
        records = np.zeros(len(frame), self._kind())
        records["user"] = self.users.of(frame["user"])
        records["item"] = self.items.of(frame["item"])
        records["line"] = frame["line"].to_numpy().astype(np.int64) + start
        if self.times is not None:
            records["time"] = frame["time"].to_numpy()
        if self.method == "column":
            records["split"] = split_ranks(frame["split"], frame["line"], table)
        return records
