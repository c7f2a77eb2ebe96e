"""Parquet files in pieces of some rows, and the columns that several of them have together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from darec.data.ingest.source import LINE, SourceTable
from darec.data.ingest.tabular import alike, unreadable


def survey(files: list[Path]) -> tuple[dict[Path, list[str]], dict[str, pl.DataType]]:
    """Return the columns of each file that holds rows, and the type that each column has over all of them."""
    names: dict[Path, list[str]] = {}
    empties = []
    for file in files:
        try:
            schema = pl.read_parquet_schema(file)
            groups = _row_groups(file)
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            raise unreadable(file, error) from error
        if sum(groups):
            names[file] = [name for name in schema if name != LINE]
            empties.append(pl.DataFrame(schema=schema).drop(LINE, strict=False))
    if not empties:
        return names, {}
    return names, dict(pl.concat(alike(empties), how="diagonal_relaxed").schema)


def pieces_of(file: Path, columns: list[str], n_rows: int) -> Iterator[SourceTable]:
    """Yield some columns of a file as tables of about ``n_rows`` rows; whole row groups are read together."""
    try:
        start = 0
        for length in _slices(_row_groups(file), n_rows):
            frame = pl.scan_parquet(file, glob=False).slice(start, length).select(columns)
            piece = frame.collect().with_row_index(LINE, offset=start + 1)
            start += length
            yield SourceTable(str(file), piece, "row", (file,))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(file, error) from error


def _row_groups(file: Path) -> list[int]:
    """Return the number of rows of each row group."""
    about = pq.read_metadata(file)
    return [about.row_group(number).num_rows for number in range(about.num_row_groups)]


def _slices(groups: list[int], n_rows: int) -> Iterator[int]:
    """Yield the lengths of runs of row groups that hold at least ``n_rows`` rows together."""
    length = 0
    for rows in groups:
        length += rows
        if length >= n_rows:
            yield length
            length = 0
    if length:
        yield length
