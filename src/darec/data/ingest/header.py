"""Whether the first line of a delimited file is a header or a row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from darec.data.ingest.columns import USUAL, plain
from darec.data.ingest.source import LINE
from darec.errors import DataError
from darec.wording import counted_noun

KNOWN: Final = {name for names in USUAL.values() for name in names} | {"id", "title", "name"}
_NUMBER_OR_DATE: Final = re.compile(r"[-+]?\d[\d.,]*([eE][-+]?\d+)?|\d{4}[-/]\d{1,2}[-/]\d{1,2}.*")


def check_header(path: Path, frame: pl.DataFrame, names: Sequence[str]) -> None:
    """Refuse a first line that is a row: as a header it would be lost.

    A line without any usual name is a row if one of its fields is a number or a date, or occurs again in the same
    column. Columns that are numbered from 0 are a header: pandas writes these.

    Raises:
        DataError: the first line is a row.
    """
    if any(plain(name) in KNOWN for name in names):
        return
    numbers = [name for name in names if _NUMBER_OR_DATE.fullmatch(name)]
    if numbers == [str(place) for place in range(len(numbers))]:
        numbers = []
    again = [name for name in names if (frame[name] == name).any()]
    for name in numbers + again:
        raise DataError(
            f"{path}, line 1 looks like a row and not like a header ({name!r} is not a name): name the columns "
            "with --header, for example --header user_id,item_id,rating,timestamp."
        )


def without_headers(
    path: Path, frame: pl.DataFrame, notices: tuple[str, ...]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Leave out rows that repeat the header, as they occur where files were concatenated."""
    frame, lines = split_headers(frame)
    return frame, (*notices, *told_headers(path, lines))


def split_headers(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """Return the rows that do not repeat the header, and the lines of those that do."""
    names = [name for name in frame.columns if name != LINE]
    if not (frame[names[0]] == names[0]).any():
        return frame, []
    # The names of the header before column_names numbered them.
    written = {name: re.sub(r" \(\d+\)$|^column \d+$", "", name) or None for name in names}
    repeats = frame.select(
        pl.all_horizontal(pl.col(name).eq_missing(pl.lit(cell)) for name, cell in written.items())
    ).to_series()
    return frame.filter(~repeats), frame[LINE].filter(repeats).to_list()


def told_headers(path: Path, lines: Sequence[int]) -> tuple[str, ...]:
    """Return the notices about lines that repeat the header."""
    if not lines:
        return ()
    return (
        f"{path}: {counted_noun(len(lines), 'line that repeats the header was', 'lines that repeat the header were')}"
        f" left out, the first is line {lines[0]}.",
    )


def misfit(path: Path, line: int, fields: int, wanted: int) -> DataError:
    """Return the error of a row that does not fit the header."""
    return DataError(
        f"{path}, line {line}: {fields} field{'s' if fields != 1 else ''} where {wanted} were expected: mend the "
        "row, or quote fields that contain the separator."
    )
