"""Interactions from a table: which column is what, ids as text, ratings and times as numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from darec.data.ingest.source import LINE, Columns, Source, SourceTable, find_columns
from darec.errors import DataError


def read_interactions(table: SourceTable, columns: Columns) -> Source:
    """Interactions from a table.

    Raises:
        DataError: a missing column; a blank id; a rating that is no finite number; a time that is neither a finite
            number nor an ISO date.
    """
    found = find_columns(table, columns)
    read = [table.frame[LINE].alias("line")]
    for kind, name in found.items():
        if kind in ("user", "item"):
            values = table.ids(name)
        elif kind == "split":
            values = _labels(table, name)
        else:
            values = _numbers(table, kind, name)
        read.append(values.alias(kind))
    types = {kind: table.id_type(found[kind]) for kind in ("user", "item")}
    return Source(
        table.name, pl.DataFrame(read), table.unit, table.files, columns=found, types=types
    )


def _numbers(table: SourceTable, kind: str, name: str) -> pl.Series:
    """A column as floats; dates, as a type or as ISO text, become seconds since 1970 (UTC where no zone is given)."""
    values = table.frame[name]
    if values.dtype in (pl.Date, pl.Datetime):
        numbers = _seconds(values)
    elif values.dtype.is_nested() or values.dtype == pl.Object:
        numbers = pl.Series([None] * len(values), dtype=pl.Float64)
    else:
        texts = values.str.strip_chars() if values.dtype == pl.String else values
        numbers = texts.cast(pl.Float64, strict=False)
        if kind == "time" and texts.dtype == pl.String and numbers.null_count() == len(texts):
            numbers = _iso_seconds(texts)
    bad = (numbers.is_null() | ~numbers.is_finite()).fill_null(True).arg_true()
    if len(bad):
        value = values[bad[0]]
        shown = "nothing" if value is None or value == "" else repr(value)
        raise DataError(
            f"{table.at(table.frame[LINE][bad[0]])}: {kind} in column {name!r} is {shown} and not a finite number"
            f"{' or ISO date' if kind == 'time' else ''} ({len(bad)} such {table.unit}s): mend or remove it."
        )
    return numbers


def _labels(table: SourceTable, name: str) -> pl.Series:
    values = table.frame[name]
    if values.dtype.is_nested() or values.dtype in (pl.Object, pl.Binary):
        raise DataError(
            f"{table.name}: column {name!r} holds {values.dtype} where text is expected."
        )
    return values.cast(pl.String).str.strip_chars()


def _iso_seconds(texts: pl.Series) -> pl.Series:
    """Polars reads dates written as the first one is; what is written otherwise is read one by one."""
    numbers = _seconds(texts.str.to_datetime(strict=False, time_zone="UTC"))
    if len(numbers) == numbers.null_count() or not numbers.null_count():
        return numbers
    others = texts.filter(numbers.is_null()).drop_nulls().unique()
    read = {text: _iso_moment(text) for text in others}
    return numbers.fill_null(texts.replace_strict(read, default=None, return_dtype=pl.Float64))


def _iso_moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _seconds(dates: pl.Series) -> pl.Series:
    return dates.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
