"""Reads the files of one table in pieces of some rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from darec.data.ingest import movielens, rlmrec
from darec.data.ingest.decoding import EmptyFileError, unpacked_name
from darec.data.ingest.delimited import COMMAS
from darec.data.ingest.source import LINE, Reading, SourceTable
from darec.data.ingest.tabular import (
    PARQUET,
    compare_parts,
    is_pattern,
    no_rows,
    part_files,
    read_file,
)
from darec.data.streamed.blocks import Blocks, holds, in_blocks, text_size
from darec.data.streamed.parquet import pieces_of, survey
from darec.errors import DataError

LARGE: Final = 2**26
"""An import is streamed if its files have at least so many bytes; compressed files count as unpacked."""
ROWS: Final = 2**20
"""The most rows of a piece of text, and about the rows of a piece of Parquet."""


def is_large(source: object) -> bool:
    """Whether an import should stream the interactions: they are large files of CSV, TSV or Parquet."""
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
    """A part contradicts an assumption from the parts before it: all parts must be read again."""


class Parts:
    """The files of one table.

    Args:
        path: a file, a folder or a pattern of parts.
        reading: how files are read.

    Attributes:
        name: of the files, for messages.
        columns: name and type of each column of any part; for text files it grows while they are read.
        needed: columns to read from Parquet files; None: all.
        files: the files that were read so far and hold rows.
        starts: number of places before each of these files.
        notices: the assumptions that were made in reading them.
        misread: text files in which backslashes escape quotes, with the error of reading them otherwise.
        parquet: whether they are Parquet files, whose columns are known from the start.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path, self.reading = path, reading
        self.needed: list[str] | None = None
        self.misread: dict[Path, DataError] = {}
        self._all = _files(path)
        self.parquet = unpacked_name(self._all[0]).suffix.lower() in PARQUET
        self.columns: dict[str, pl.DataType] = {}
        self._columns_of: dict[str, list[str]] = {}  # of each part that was read at any time
        self._begin()
        self._names: dict[Path, list[str]] = {}
        if self.parquet:
            self._names, self.columns = survey(self._all)
            self._columns_of = {str(file): names for file, names in self._names.items()}

    def _begin(self) -> None:
        self.files: list[Path] = []
        self.starts: list[int] = []
        self._told: list[str] = []
        self._of_parts: list[tuple[str, list[str]]] = []

    @property
    def name(self) -> str:
        """Return the folder, or the only file that holds rows."""
        return str(self.files[0] if len(self.files) == 1 else self.path)

    @property
    def unit(self) -> str:
        """Return the name of a place."""
        return "row" if self.parquet else "line"

    @property
    def notices(self) -> tuple[str, ...]:
        """Return the assumptions that were made, once all is read."""
        return (*self._told, *compare_parts(self.path, self._of_parts))

    @property
    def total(self) -> int:
        """Return the number of files, including those without rows."""
        return len(self._all)

    def header(self) -> SourceTable:
        """Return the table without its rows."""
        frame = pl.DataFrame(schema=self.columns | {LINE: pl.UInt32})
        return SourceTable(self.name, frame, self.unit, tuple(self.files), piece=True)

    def pieces(self) -> Iterator[tuple[int, SourceTable, int]]:
        """Yield pieces of some rows in order: number of the file, piece, and number of places before the file.

        Raises:
            OtherReadingError: a part has other columns or other quotes than was assumed. This is noted, and the caller
                must read all pieces again.
            DataError: as :func:`darec.data.ingest.tabular.read_table`.
        """
        self._begin()
        start = 0
        for number, file in enumerate(self._all):
            last = 0
            for table in self._tables(file):
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
        """Return the piece with every column that any part has, in the type that fits all parts."""
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

    def _tables(self, file: Path) -> Iterator[SourceTable]:
        if not self.parquet:
            return self._of_text(file)
        names = self._names.get(file, [])
        wanted = [name for name in names if self.needed is None or name in self.needed]
        return pieces_of(file, wanted, ROWS) if names else iter(())

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
        """Yield the rows of a file. If they do not fit and backslashes may escape quotes, all is read again so."""
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


def _cut(tables: Iterable[SourceTable]) -> Iterator[SourceTable]:
    """Cut tables into pieces."""
    for table in tables:
        for begin in range(0, len(table.frame), ROWS):
            yield replace(table, frame=table.frame.slice(begin, ROWS))
