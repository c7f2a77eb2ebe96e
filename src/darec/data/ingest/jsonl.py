"""Reading JSON: an object a line (``.jsonl``, and ``.json`` of Yelp), an array of objects, or Python literals."""

from __future__ import annotations

import ast
import json
import math
import warnings
from pathlib import Path
from typing import Any

import polars as pl

from darec.data.ingest.source import LINE
from darec.errors import DataError
from darec.wording import counted_noun


def read_json(path: Path, data: bytes) -> tuple[pl.DataFrame, str, tuple[str, ...]]:
    """Read objects as rows, with their line in ``__line__``.

    A column whose values have one type has that type; NaN and infinities are missing values. A column of mixed types
    holds the Python values, and each value is read by its own type (:mod:`darec.data.ingest.values`).

    Args:
        path: for messages.
        data: the content in UTF-8.

    Returns:
        The rows, the name of their places (line or entry), and the assumptions that were made.

    Raises:
        DataError: an entry is not an object; with its line.
    """
    text = data.decode()
    halves = "\\ud" in text or "\\uD" in text
    array = _array(path, text) if text.lstrip().startswith("[") else None
    records: list[dict[str, Any]] = array or []
    literals = 0
    if array is None:
        for number, line in enumerate(text.split("\n"), 1):
            if not line or line.isspace():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                record = _literal(path, number, line, error)
                literals += 1
            if not isinstance(record, dict):
                raise DataError(
                    f"{path}, line {number}: not a JSON object: write one {{...}} a line."
                )
            record[LINE] = number
            records.append(record)
    if halves:
        records = [_whole(record) for record in records]
    notices = (
        (
            f"{path}: {counted_noun(literals, 'line is a Python literal', 'lines are Python literals')}, not JSON. "
            "They were read as such.",
        )
        if literals
        else ()
    )
    keys = dict.fromkeys(key for record in records for key in record)
    columns = [column(str(key), [record.get(key) for record in records]) for key in keys]
    return pl.DataFrame(columns), "line" if array is None else "entry", notices


def _array(path: Path, text: str) -> list[dict[str, Any]] | None:
    """Return the objects of an array that is the whole file; None if the file is not an array."""
    try:
        array = json.loads(text)
    except (ValueError, RecursionError):
        return None  # the error names its first line
    for number, record in enumerate(array, 1):
        if not isinstance(record, dict):
            raise DataError(f"{path}, entry {number}: not a JSON object: write [{{...}}, {{...}}].")
        record[LINE] = number
    return list(array)


def _literal(path: Path, number: int, line: str, error: Exception) -> Any:
    """Return the value of a Python literal (Amazon's metadata of 2014 has these).

    Raises ``DataError`` if it is not one.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
            return ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        hint = " One object a line is read, or an array of objects." if line.strip() in "{[" else ""
        raise DataError(
            f"{path}, line {number}: not JSON ({error}): mend the line.{hint}"
        ) from None


def _whole(value: Any) -> Any:
    """Return the value with a question mark for each half of a surrogate pair; texts that were cut have these."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def column(name: str, values: list[Any]) -> pl.Series:
    """Make a column of JSON values: of their type if they have one type, else of objects."""
    values = [None if type(v) is float and not math.isfinite(v) else v for v in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {list}:
        inner = {type(part) for value in values for part in value or () if part is not None}
        return pl.Series(name, values, dtype=pl.List(pl.String) if inner <= {str} else pl.Object)
    # Whole numbers become floats if floats are among them.
    exact = 2**63 if kinds == {int} else 2**53
    small = all(-exact <= value < exact for value in values if type(value) is int)
    if (kinds <= {int, float} and small) or (len(kinds) == 1 and kinds <= {str, bool}):
        return pl.Series(name, values, strict=False)
    return pl.Series(name, values, dtype=pl.Object)
