"""Files of one table, in pieces of some rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq

from darec.data.ingest import movielens, rlmrec
from darec.data.ingest.decoding import EmptyFileError, unpacked_name
from darec.data.ingest.delimited import COMMAS
from darec.data.ingest.source import LINE, Reading, SourceTable
from darec.data.ingest.tabular import (
    PARQUET,
    alike,
    compare_parts,
    is_pattern,
    no_rows,
    part_files,
    read_file,
    unreadable,
)
from darec.data.streamed.blocks import Blocks, holds, in_blocks, text_size
from darec.errors import DataError

LARGE: Final = 2**26
"""Bytes of files, compressed ones as they are unpacked, from which on an import is streamed."""
ROWS: Final = 2**20
"""Rows of a piece."""


def is_large(source: object) -> bool:
    """Whether interactions are in files that an import should stream: CSV, TSV or Parquet of many bytes."""
    if not isinstance(source, str | Path):
        return False
    path = Path(source)
    if path.is_dir():
        if any(path.glob("*.inter")) or rlmrec.is_folder(path) or movielens.is_folder(path):
            return False
    elif not path.is_file() and not is_pattern(path):
        return False
    files = _files(path)
    kinds = {unpacked_name(file).suffix.lower() for file in files}
    one_kind = any(kinds <= set(kind) for kind in ((*COMMAS,), (".tsv", ".tab"), PARQUET))
    return bool(files) and one_kind and sum(map(text_size, files)) >= LARGE


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else part_files(path)


class OtherReadingError(Exception):
    """A part is not what those before it made it seem: all is to be read again."""


class Parts:
    """The files of one table.

    Args:
        path: a file, a folder or a pattern of parts.
        reading: how files are read.

    Attributes:
        name: what to call them in messages.
        columns: name and type of each column of any part; of text files it grows while they are read.
        needed: columns to read of Parquet files; None: all.
        files: those read so far that hold rows.
        starts: how many places lie before each of these.
        notices: what was assumed in reading these.
        misread: text files in which backslashes escape quotes, with what was wrong without.
        parquet: whether they are Parquet files, whose columns are known from the start.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path, self.reading = path, reading
        self.needed: list[str] | None = None
        self.misread: dict[Path, DataError] = {}
        self._all = _files(path)
        self.parquet = unpacked_name(self._all[0]).suffix.lower() in PARQUET
        self.columns: dict[str, pl.DataType] = {}
        self._columns_of: dict[str, list[str]] = {}  # of each part that was ever read
        self._begin()
        if self.parquet:
            self._survey()

    def _begin(self) -> None:
        self.files: list[Path] = []
        self.starts: list[int] = []
        self._told: list[str] = []
        self._of_parts: list[tuple[str, list[str]]] = []

    @property
    def name(self) -> str:
        """The folder, or the only file that holds rows."""
        return str(self.files[0] if len(self.files) == 1 else self.path)

    @property
    def unit(self) -> str:
        """What places are called."""
        return "row" if self.parquet else "line"

    @property
    def notices(self) -> tuple[str, ...]:
        """What was assumed, once all is read."""
        return (*self._told, *compare_parts(self.path, self._of_parts))

    @property
    def total(self) -> int:
        """How many files there are, with those without rows."""
        return len(self._all)

    def header(self) -> SourceTable:
        """The table without its rows."""
        frame = pl.DataFrame(schema=self.columns | {LINE: pl.UInt32})
        return SourceTable(self.name, frame, self.unit, tuple(self.files), piece=True)

    def pieces(self) -> Iterator[tuple[int, SourceTable, int]]:
        """Pieces of some rows in order: the number of the file, the piece, and the places before its file.

        Raises:
            OtherReadingError: a part has other columns or other quotes; this is known now, and all is to be read again.
            DataError: as :func:`darec.data.ingest.tabular.read_table`.
        """
        self._begin()
        start = 0
        for number, file in enumerate(self._all):
            last = 0
            for table in self._of_parquet(file) if self.parquet else self._of_text(file):
                if not last:
                    self._enter(table, start)
                last = int(table.frame[LINE][-1])
                yield number, self._whole(table), start
            start += last
        if not self.files:
            raise no_rows(self.path, single=self.path.is_file())

    def _enter(self, table: SourceTable, start: int) -> None:
        """Note a part that holds rows."""
        names = self._names[table.files[0]] if self.parquet else table.columns
        self.files.append(table.files[0])
        self.starts.append(start)
        self._of_parts.append((table.name, names))
        self._columns_of[table.name] = names
        compare_parts(self.path, [self._of_parts[0], self._of_parts[-1]])
        new = [name for name in names if name not in self.columns]
        known = bool(self.columns)
        self.columns |= dict.fromkeys(new, pl.String())
        if known and new:
            raise OtherReadingError

    def _whole(self, table: SourceTable) -> SourceTable:
        """The piece with every column that any part has, of the type that fits all parts."""
        frame = table.frame
        made = []
        for name, kind in self.columns.items():
            if self.needed is not None and name not in self.needed:
                continue
            if name not in frame.columns:
                made.append(pl.Series(name, [None] * len(frame), dtype=kind))
            elif frame.schema[name] == kind:
                made.append(frame[name])
            elif kind == pl.Object:
                made.append(pl.Series(name, frame[name].to_list(), dtype=kind))
            else:
                made.append(frame[name].cast(kind))
        whole = pl.DataFrame([*made, frame[LINE]])
        return replace(table, frame=whole, piece=True, parts=self._columns_of)

    def _of_text(self, file: Path) -> Iterator[SourceTable]:
        try:
            if in_blocks(file, self.reading):
                blocks = Blocks(file, self.reading, escaped=file in self.misread)
                yield from _cut(self._rows_of(blocks))
                self._told += blocks.notices
            else:
                table = read_file(file, self.reading)
                yield from _cut([table])
                self._told += table.notices
        except EmptyFileError:
            if self.path.is_file():
                raise

    def _rows_of(self, blocks: Blocks) -> Iterator[SourceTable]:
        """The rows of a file; where they do not fit and quotes may be escaped by backslashes, that is tried too."""
        try:
            yield from blocks
        except DataError as error:
            if isinstance(error, EmptyFileError):
                raise
            if blocks.escaped:
                raise self.misread[blocks.path] from None
            if not blocks.quoted or not holds(blocks.path, b'\\"'):
                raise
            self.misread[blocks.path] = error
            raise OtherReadingError from None

    def _survey(self) -> None:
        """Columns and types of all parts that hold rows."""
        self._names: dict[Path, list[str]] = {}
        empties = []
        for file in self._all:
            try:
                schema = pl.read_parquet_schema(file)
                groups = _row_groups(file)
            except (pl.exceptions.PolarsError, OSError, ValueError) as error:
                raise unreadable(file, error) from error
            if sum(groups):
                self._names[file] = [name for name in schema if name != LINE]
                self._columns_of[str(file)] = self._names[file]
                empties.append(pl.DataFrame(schema=schema).drop(LINE, strict=False))
        if empties:
            self.columns = dict(pl.concat(alike(empties), how="diagonal_relaxed").schema)

    def _of_parquet(self, file: Path) -> Iterator[SourceTable]:
        if file not in self._names:
            return
        try:
            start = 0
            for length in _slices(_row_groups(file)):
                frame = pl.scan_parquet(file, glob=False).slice(start, length)
                if self.needed is not None:
                    frame = frame.select(
                        [name for name in self._names[file] if name in self.needed]
                    )
                piece = frame.collect().drop(LINE, strict=False)
                piece = piece.with_row_index(LINE, offset=start + 1)
                start += length
                yield SourceTable(str(file), piece, "row", (file,))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(file, error) from error


def _cut(tables: Iterable[SourceTable]) -> Iterator[SourceTable]:
    """Tables as pieces."""
    for table in tables:
        for begin in range(0, len(table.frame), ROWS):
            yield replace(table, frame=table.frame.slice(begin, ROWS))


def _row_groups(file: Path) -> list[int]:
    """Rows of each group, which are read together."""
    about = pq.read_metadata(file)
    return [about.row_group(number).num_rows for number in range(about.num_row_groups)]


def _slices(groups: list[int]) -> Iterator[int]:
    """Groups taken together until they hold the rows of a piece."""
    length = 0
    for rows in groups:
        length += rows
        if length >= ROWS:
            yield length
            length = 0
    if length:
        yield length
