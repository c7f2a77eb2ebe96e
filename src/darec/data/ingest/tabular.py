"""CSV, TSV, JSONL and Parquet files as tables, for interactions and for items."""

from __future__ import annotations

import codecs
import csv
import io
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from darec.data.ingest.source import LINE, SourceTable
from darec.errors import DataError

TABS: Final = (".tsv", ".tab", ".inter", ".item")
COMMAS: Final = (".csv", ".txt")
UNQUOTED: Final = (".inter", ".item")  # RecBole writes fields as they are, quotes and all


def read_table(path: Path, encoding: str = "utf-8") -> SourceTable:
    """A file as a table. Values of CSV and TSV files are strings, null where empty.

    Raises:
        DataError: no such file, an empty one, another encoding, rows that do not fit the header, or JSON that is none.
    """
    if not path.is_file():
        what = f"{path} is a folder and no file" if path.is_dir() else f"no file {path}"
        raise DataError(f"{what}: check the path.")
    suffix = path.suffix.lower()
    unit = "line"
    if suffix in (".parquet", ".pq"):
        try:
            frame = pl.read_parquet(path).drop(LINE, strict=False).with_row_index(LINE, offset=1)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path} is not a whole Parquet file ({_brief(error)}).") from error
        unit = "row"
    elif suffix in (".jsonl", ".ndjson"):
        frame = _read_jsonl(path, decode(path, encoding))
    elif suffix in TABS + COMMAS:
        frame = _read_csv(path, decode(path, encoding), "\t" if suffix in TABS else ",")
    else:
        raise DataError(
            f"{path}: darec does not know {path.suffix or 'a file without suffix'!r}; it reads .csv, .tsv, .jsonl, "
            ".parquet and .inter."
        )
    if not len(frame):
        raise DataError(
            f"{path} holds no rows{' below its header' if suffix in TABS + COMMAS else ''}."
        )
    return SourceTable(str(path), frame, unit, (path,))


def decode(path: Path, encoding: str) -> str:
    """A text file's content with newlines as line feeds. Raises ``DataError`` naming the byte that does not fit."""
    data = path.read_bytes()
    if not data.strip():
        raise DataError(f"{path} is empty.")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte {data[error.start]:#04x} at offset {error.start} is not {encoding}: name the "
            "file's encoding with --encoding, for example latin-1."
        ) from None
    except LookupError:
        raise DataError(f"no encoding {encoding!r}: try utf-8 or latin-1.") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _read_csv(path: Path, text: str, separator: str) -> pl.DataFrame:
    header = text.lstrip("\n").partition("\n")[0]
    if separator not in header:
        counts = {mark: header.count(mark) for mark in (",", "\t", ";", "|")}
        likely = max(counts, key=lambda mark: counts[mark])
        hint = f"; it looks separated by {likely!r}" if counts[likely] else ""
        raise DataError(
            f"{path}, line 1: one column only, though {path.suffix} means columns separated by {separator!r}{hint}: "
            "rewrite the file or rename it (.csv for commas, .tsv for tabs)."
        )
    if '"' in text and path.suffix.lower() not in UNQUOTED:
        return _read_quoted(path, text, separator)
    return read_unquoted(path, text, separator)


def read_unquoted(
    path: Path, text: str, separator: str, names: list[str] | None = None
) -> pl.DataFrame:
    """Lines cut at every separator, the fast way; ``names`` where the first line is no header.

    Raises:
        DataError: a line with more or fewer fields than the first.
    """
    text = text.rstrip("\n")
    lines = None
    if "\n\n" in text or text.startswith("\n"):
        kept = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line]
        lines = np.array([number for number, _ in kept], np.uint32)
        text = "\n".join(line for _, line in kept)
    data = text.encode()
    fields = _count_fields(data, separator)
    if lines is None:
        lines = np.arange(1, len(fields) + 1, dtype=np.uint32)
    wanted = len(names) if names else fields[0]
    wrong = np.flatnonzero(fields != wanted)
    if wrong.size:
        raise _misfit(path, lines[wrong[0]], fields[wrong[0]], wanted)
    if names is None:
        names, lines = _header(path, text.partition("\n")[0].split(separator)), lines[1:]
        data = data.partition(b"\n")[2]
    if not len(lines):
        return pl.DataFrame(schema={**dict.fromkeys(names, pl.String), LINE: pl.UInt32})
    # The mark of UTF-8 in front, which polars takes off: a text that happens to begin like a compressed file ("x^") is
    # otherwise taken for one.
    frame = pl.read_csv(
        codecs.BOM_UTF8 + data,
        separator=separator,
        quote_char=None,
        has_header=False,
        new_columns=names,
        infer_schema=False,
    )
    return frame.with_columns(pl.Series(LINE, lines))


def _count_fields(data: bytes, separator: str) -> np.ndarray[Any, Any]:
    """Number of fields of each line."""
    values = np.frombuffer(data, np.uint8)
    starts = np.append(0, np.flatnonzero(values == ord("\n")) + 1)
    # A start behind the last byte (an empty last line) cannot occur: trailing newlines are stripped.
    marks = np.add.reduceat(values == ord(separator), starts, dtype=np.int64)
    return np.asarray(marks + 1)


def _read_quoted(path: Path, text: str, separator: str) -> pl.DataFrame:
    """Fields in quotes may hold separators and newlines: read one record after the other."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    before = 0
    try:
        for record in reader:
            if record:
                if records and len(record) != len(records[0]):
                    raise _misfit(path, before + 1, len(record), len(records[0]))
                records.append(record)
                lines.append(before + 1)
            before = reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{path}, line {before + 1}: {error}: close the quotes, and double those inside a field."
        ) from None
    names = _header(path, records[0])
    columns = list(zip(*records[1:], strict=True)) or [()] * len(names)
    series = [
        pl.Series(name, values, dtype=pl.String)
        for name, values in zip(names, columns, strict=True)
    ]
    frame = pl.DataFrame(series).with_columns(pl.all().replace("", None))
    return frame.with_columns(pl.Series(LINE, lines[1:], dtype=pl.UInt32))


def _header(path: Path, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}, line 1: column {name!r} occurs twice: rename one.")
    return names


def _misfit(path: Path, line: int, fields: int, wanted: int) -> DataError:
    return DataError(
        f"{path}, line {line}: {fields} field{'s' if fields != 1 else ''} where {wanted} were expected: mend the "
        "row, or quote fields that contain the separator."
    )


def _read_jsonl(path: Path, text: str) -> pl.DataFrame:
    records: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not JSON ({error}): mend the line.") from None
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: not a JSON object: write {{...}} a line.")
        if "\\ud" in line.lower():  # half of a character, as in texts cut off in the middle
            whole = json.dumps(record, ensure_ascii=False).encode("utf-8", "replace").decode()
            record = json.loads(whole)
        records.append({**record, LINE: number})
    keys = dict.fromkeys(key for record in records for key in record)
    return pl.DataFrame([column(key, [record.get(key) for record in records]) for key in keys])


def column(name: str, values: list[Any]) -> pl.Series:
    """A column of Python values: text, numbers or lists of text as such, text where types are mixed, else objects."""
    kinds = {type(value) for value in values if value is not None}
    if dict in kinds:
        return pl.Series(name, values, dtype=pl.Object)
    if kinds == {list}:
        inner = {type(part) for value in values for part in value or () if part is not None}
        if inner <= {str}:
            return pl.Series(name, values, dtype=pl.List(pl.String))
        return pl.Series(name, values, dtype=pl.Object)
    wide = int in kinds and any(type(v) is int and not -(2**63) <= v < 2**63 for v in values)
    if wide or (len(kinds) > 1 and not kinds <= {int, float}):
        values = [
            value if value is None or isinstance(value, str) else json.dumps(value, default=str)
            for value in values
        ]
    return pl.Series(name, values, strict=False)


def _brief(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
