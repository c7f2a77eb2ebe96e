"""CSV, TSV, JSONL and Parquet, for interactions and for items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import polars as pl

from darec.data.ingest.source import Columns, Source, as_ids, find_columns
from darec.errors import DataError

LINE: Final = "__line__"


def read(path: Path, columns: Columns, encoding: str) -> Source:
    """Interactions from one table.

    Raises:
        DataError: as :func:`read_table`; a missing column; a blank id; a rating or time that is no number.
    """
    return read_interactions(path, read_table(path, encoding), columns)


def read_interactions(path: Path, table: pl.DataFrame, columns: Columns) -> Source:
    """Interactions from a table that :func:`read_table` returned; errors as :func:`read`."""
    found = find_columns(path, [name for name in table.columns if name != LINE], columns)
    shown = {kind: name for kind, name in found.items() if kind in ("user", "item")}
    numeric = frozenset(kind for kind, name in shown.items() if table.schema[name].is_numeric())
    frame = table.select(
        *(as_ids(table, name).alias(kind) for kind, name in shown.items()),
        *(pl.col(name).alias(kind) for kind, name in found.items() if kind not in shown),
        line=pl.col(LINE),
    )
    for kind, name in shown.items():
        blank = frame.filter(pl.col(kind).is_null() | (pl.col(kind) == ""))
        if len(blank):
            raise DataError(
                f"{path}, line {blank['line'][0]}: no value in column {name!r} ({len(blank)} such rows): complete "
                "or remove the row."
            )
    for kind in ("rating", "time"):
        if kind in found:
            frame = frame.with_columns(_numbers(path, frame, kind, found[kind]))
    if "split" in found:
        frame = frame.with_columns(pl.col("split").cast(pl.String).str.strip_chars())
    return Source(path.name, frame, (path,), numeric=numeric)


def read_table(path: Path, encoding: str = "utf-8") -> pl.DataFrame:
    """A table with the column ``__line__``, the line (Parquet: the row) each record came from.

    Values of CSV and TSV files are strings.

    Raises:
        DataError: no such file, an empty one, another encoding, rows that do not fit the header, or JSON that is none.
    """
    if not path.is_file():
        raise DataError(f"no file {path}.")
    if path.suffix == ".parquet":
        try:
            table = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path} is not a Parquet file ({_brief(error)}).") from error
        table = table.with_row_index(LINE, offset=1)
    elif path.suffix in (".jsonl", ".ndjson"):
        table = _read_jsonl(path, _decode(path, encoding))
    elif path.suffix in (".csv", ".tsv", ".txt", ".tab", ".inter", ".item"):
        table = _read_csv(path, _decode(path, encoding))
    else:
        raise DataError(
            f"{path}: darec does not know {path.suffix or 'a file without suffix'!r}; it reads .csv, .tsv, .jsonl, "
            ".parquet and .inter."
        )
    if not len(table):
        raise DataError(f"{path} holds no rows.")
    return table


def _decode(path: Path, encoding: str) -> str:
    data = path.read_bytes()
    if not data.strip():
        raise DataError(f"{path} is empty.")
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is not {encoding}: name the file's encoding with "
            "--encoding, for example latin-1."
        ) from None
    except LookupError:
        raise DataError(f"no encoding {encoding!r}: try utf-8 or latin-1.") from None


def _read_csv(path: Path, text: str) -> pl.DataFrame:
    separator = "\t" if path.suffix in (".tsv", ".tab", ".inter", ".item") else ","
    header = text.partition("\n")[0]
    if separator not in header:
        counts = {mark: header.count(mark) for mark in (",", "\t", ";", "|")}
        likely = max(counts, key=lambda mark: counts[mark])
        hint = f"; it looks separated by {likely!r}" if counts[likely] else ""
        raise DataError(
            f"{path}, line 1: one column only, though {path.suffix} means columns separated by {separator!r}{hint}: "
            "rewrite the file or rename it (.csv for commas, .tsv for tabs)."
        )
    try:
        table = pl.read_csv(
            text.encode(),
            separator=separator,
            infer_schema=False,
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(_misfit(path, text, separator) or f"{path}: {_brief(error)}") from error
    short = _misfit(path, text, separator) if '"' not in text else ""
    if short:
        raise DataError(short)
    return table.with_row_index(LINE, offset=2)


def _misfit(path: Path, text: str, separator: str) -> str:
    """Where a row has more or fewer fields than the header; files with quotes are left to the parser."""
    lines = text.splitlines()
    wanted = lines[0].count(separator)
    for number, line in enumerate(lines, 1):
        if line and line.count(separator) != wanted:
            return (
                f"{path}, line {number}: {line.count(separator) + 1} fields where the header has {wanted + 1}: mend "
                "the row, or quote fields that contain the separator."
            )
    return ""


def _read_jsonl(path: Path, text: str) -> pl.DataFrame:
    records: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: not JSON ({error}).") from None
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: not a JSON object: write {{...}} a line.")
        records.append({**record, LINE: number})
    keys = dict.fromkeys(key for record in records for key in record)
    columns = {key: [record.get(key) for record in records] for key in keys}
    return pl.DataFrame({key: _series(values) for key, values in columns.items()})


def _series(values: list[Any]) -> pl.Series:
    """A column of JSON values: as polars types it, or as text where types are mixed."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and not kinds <= {int, float}:
        values = [
            value if value is None or isinstance(value, str) else json.dumps(value)
            for value in values
        ]
    return pl.Series(values, strict=False)


def _numbers(path: Path, frame: pl.DataFrame, kind: str, name: str) -> pl.Series:
    """A column as floats; ISO dates become seconds since 1970."""
    values = frame[kind]
    if values.dtype.is_temporal():
        return values.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64).alias(kind) / 1e6
    numbers = values.cast(pl.Float64, strict=False)
    if kind == "time" and values.dtype == pl.String and numbers.null_count() == len(values):
        dates = values.str.to_datetime(strict=False, time_zone="UTC")
        numbers = dates.dt.epoch("us").cast(pl.Float64) / 1e6
    bad = (numbers.is_null() | ~numbers.is_finite()).fill_null(True)
    if bad.any():
        row = int(bad.arg_true()[0])
        raise DataError(
            f"{path}, line {frame['line'][row]}: {kind} {values[row]!r} in column {name!r} is not a finite number"
            f"{' or ISO date' if kind == 'time' else ''} ({int(bad.sum())} such rows): mend or remove the row."
        )
    return numbers.alias(kind)


def _brief(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
