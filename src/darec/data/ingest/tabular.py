"""CSV, TSV, JSONL and Parquet files as tables, plain or compressed, and folders of their parts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from darec.data.ingest.decoding import EmptyFileError, read_text, unpacked_name
from darec.data.ingest.delimited import COMMAS, TABS, read_delimited
from darec.data.ingest.jsonl import read_json
from darec.data.ingest.source import LINE, Reading, SourceTable
from darec.errors import DataError
from darec.wording import counted_noun

JSON: Final = (".jsonl", ".ndjson", ".json")
PARQUET: Final = (".parquet", ".pq")
KINDS: Final = (TABS, COMMAS, JSON, PARQUET)


def read_table(path: Path, reading: Reading | None = None) -> SourceTable:
    """Read a file, or a folder of parts, as one table. Fields of CSV and TSV are strings, null where empty.

    Raises:
        DataError: the file does not exist or is empty, has another encoding, has rows that do not fit the header, or is
            not valid JSON.
    """
    reading = reading or Reading()
    if path.is_dir() or is_pattern(path):
        return _read_parts(path, reading)
    if not path.is_file():
        raise DataError(f"no file {path}: check the path.")
    table = read_file(path, reading)
    if not len(table.frame):
        raise no_rows(path, single=True)
    return table


def no_rows(path: Path, *, single: bool) -> DataError:
    """Return the error of a file, or of parts, without rows."""
    if not single:
        return DataError(f"{path}: none of its parts holds rows.")
    below = unpacked_name(path).suffix.lower() in TABS + COMMAS
    return DataError(f"{path} holds no rows{' below its header' if below else ''}.")


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error of a file that is not Parquet, or damaged."""
    return DataError(f"{path} is not a whole Parquet file ({_brief(error)}).")


def read_file(path: Path, reading: Reading) -> SourceTable:
    """Read a file as a table, which may have no rows. Raises ``DataError`` as :func:`read_table`."""
    suffix = unpacked_name(path).suffix.lower()
    if suffix in PARQUET:
        try:
            frame = pl.read_parquet(path).drop(LINE, strict=False).with_row_index(LINE, offset=1)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(path, error) from error
        return SourceTable(str(path), frame, "row", (path,))
    if suffix not in TABS + COMMAS + JSON:
        raise DataError(
            f"{path}: darec does not know {suffix or 'a file without suffix'!r}; it reads .csv, .tsv, .jsonl, .json, "
            ".parquet and .inter, also compressed (.gz, .zst, .bz2, .xz)."
        )
    text = read_text(path, reading.encoding)
    unit = "line"
    if suffix in JSON:
        frame, unit, told = read_json(path, text.data)
    else:
        frame, told = read_delimited(path, text.data, reading)
    return SourceTable(str(path), frame, unit, (path,), notices=text.notices + told)


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern with ``*``, ``?`` or ``[...]``, such as ``logs/part-*.parquet``, and not a file."""
    return not path.exists() and any(mark in str(path) for mark in "*?[") and bool(_matching(path))


def _matching(pattern: Path) -> list[Path]:
    return [Path(name) for name in glob(str(pattern), recursive=True)]  # noqa: PTH207, absolute patterns too


def part_files(folder: Path) -> list[Path]:
    """Return the tables in a folder, or those of a pattern.

    Names that begin with ``.`` or ``_`` are left out: Spark and Hadoop give such names to files that are not data.
    """
    known = [suffix for kind in KINDS for suffix in kind]
    return sorted(
        file
        for file in (folder.iterdir() if folder.is_dir() else _matching(folder))
        if file.is_file()
        and file.name[0] not in "._"
        and unpacked_name(file).suffix.lower() in known
    )


def _read_parts(folder: Path, reading: Reading) -> SourceTable:
    """Read the parts one after the other; columns are matched by name.

    Raises:
        DataError: there are no parts, the parts are of several kinds or have no common column, or :func:`read_table`
            refuses one.
    """
    files = part_files(folder)
    if not files:
        raise DataError(f"{folder} is a folder without tables: name a file, or a folder of parts.")
    kinds = {
        next(kind for kind in KINDS if unpacked_name(file).suffix.lower() in kind) for file in files
    }
    if len(kinds) > 1:
        names = ", ".join(file.name for file in files[:5])
        raise DataError(
            f"{folder} holds tables of several kinds ({names}), which are not parts of one table: name a file."
        )
    tables = []
    for file in files:
        try:
            tables.append(read_file(file, reading))
        except EmptyFileError:
            continue  # Spark writes such parts
    tables = [table for table in tables if len(table.frame)]
    if not tables:
        raise no_rows(folder, single=False)
    notices = compare_parts(folder, [(table.name, table.columns) for table in tables])
    return one_table(folder, tables, notices)


def compare_parts(folder: Path, parts: Sequence[tuple[str, Collection[str]]]) -> tuple[str, ...]:
    """Return notices about parts whose columns differ from those of the first part.

    Args:
        folder: of the parts, for messages.
        parts: path and columns of each.

    Raises:
        DataError: a part has no column in common with the first.
    """
    first, known = parts[0]
    for name, columns in parts:
        if not set(columns) & set(known):
            raise DataError(
                f"{name}: none of its columns ({', '.join(map(repr, columns))}) is one of {first}: "
                "write the header into each part, or into none and name the columns with --header."
            )
    different = [Path(name).name for name, columns in parts if set(columns) != set(known)]
    if not different:
        return ()
    return (
        f"{folder}: {counted_noun(len(different), 'part has', 'parts have')} other columns than {Path(first).name} "
        f"(the first is {different[0]}); "
        "a column that a part lacks is empty in its rows.",
    )


def one_table(name: Path, tables: list[SourceTable], notices: tuple[str, ...] = ()) -> SourceTable:
    """Concatenate tables, columns by name; messages name the part that a place is in."""
    notices = (*(told for table in tables for told in table.notices), *notices)
    if len(tables) == 1:
        return replace(tables[0], notices=notices)
    lengths = [table.frame[LINE][-1] for table in tables]
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    frames = [
        table.frame.with_columns((pl.col(LINE) + start).cast(pl.UInt32))
        for table, start in zip(tables, starts, strict=True)
    ]
    return SourceTable(
        str(name),
        pl.concat(alike(frames), how="diagonal_relaxed"),
        tables[0].unit,
        tuple(table.files[0] for table in tables),
        tuple(starts),
        notices,
        parts={table.name: table.columns for table in tables},
    )


def alike(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return frames whose columns can be concatenated: columns of one name become objects if their types differ."""
    schemas = [frame.schema for frame in frames]
    mixed = []
    for name in {name for schema in schemas for name in schema}:
        types = {schema[name] for schema in schemas if name in schema} - {pl.Null()}
        if len(types) > 1 and not all(kind.is_numeric() for kind in types):
            mixed.append(name)
    return [
        frame.with_columns(
            pl.Series(name, frame[name].to_list(), dtype=pl.Object)
            for name in mixed
            if name in frame.columns
        )
        for frame in frames
    ]


def _brief(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
