"""Tables in memory, from any library, as frames of polars.

pandas is not needed and not imported: its frames are recognised by the module of their class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa
import scipy.sparse as sp

from darec.data.ingest.jsonl import column
from darec.errors import DataError

INTERACTIONS: Final = ("user", "item", "rating", "timestamp")
ITEMS: Final = ("item_id", "text")


def to_frame(source: Any, name: str, columns: Sequence[str]) -> pl.DataFrame:
    """Convert a table to a frame of polars.

    Args:
        source: a frame of polars or pandas, a table of pyarrow or of any library with Arrow's stream interface, a
            ``scipy.sparse`` matrix (rows are users, columns are items; zeros are left out), a mapping from names to
            columns, an array of two dimensions, or rows: tuples in the order of ``columns``, or dicts.
        name: of the table, for messages.
        columns: names for columns that have none, by position.

    Raises:
        DataError: ``source`` is anything else, or its rows have different lengths.
    """
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if sp.issparse(source):
        return _of_matrix(source, name)
    if type(source).__module__.partition(".")[0] == "pandas":
        return _of_pandas(source, name)
    if isinstance(source, pa.RecordBatch | pa.Table) or hasattr(source, "__arrow_c_stream__"):
        return _of_arrow(pa.table(source))
    if hasattr(source, "__array__"):
        source = np.asarray(source)
        if source.dtype.names:
            source = {field: source[field] for field in source.dtype.names}
        elif source.ndim == 2:
            source = dict(zip(_named(columns, source.shape[1], name), source.T, strict=True))
    if isinstance(source, Mapping):
        return _of_columns(source, name)
    if isinstance(source, Iterable) and not isinstance(source, str | bytes):
        return _of_rows(list(source), name, columns)
    raise _unknown(source, name)


def to_items(source: Any, name: str) -> pl.DataFrame:
    """Convert items to a frame: all that :func:`to_frame` takes, or a mapping or pandas series from item id to text.

    The values of a mapping may also be dicts of fields.
    """
    if type(source).__module__.partition(".")[0] == "pandas" and not hasattr(source, "columns"):
        source = source.to_dict()
    if isinstance(source, Mapping):
        kinds = {type(about) for about in source.values() if about is not None}
        if kinds <= {str}:
            source = list(source.items())
        elif kinds == {dict}:
            source = [{**about, "item_id": key} for key, about in source.items()]
    return to_frame(source, name, ITEMS)


def _of_matrix(matrix: Any, name: str) -> pl.DataFrame:
    if matrix.ndim != 2:
        raise DataError(f"{name} has {matrix.ndim} dimension: pass a matrix of users by items.")
    entries = sp.coo_array(matrix)
    entries.sum_duplicates()
    entries.eliminate_zeros()
    rows, items = entries.coords
    order = np.lexsort((items, rows))
    values = entries.data[order].astype(np.float64)
    named = zip(INTERACTIONS, (rows[order], items[order], values), strict=False)
    return pl.DataFrame({field: np.ascontiguousarray(part) for field, part in named})


def _of_pandas(frame: Any, name: str) -> pl.DataFrame:
    if not hasattr(frame, "columns"):
        raise DataError(
            f"{name} is a series of pandas: pass a frame with a column for users and one for items."
        )
    index = {part for part in frame.index.names if part is not None}
    if index and not index & set(frame.columns):  # an index with a name is a column
        frame = frame.reset_index()
    names = [str(column) for column in frame.columns]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise DataError(f"{name}: column {twice!r} occurs twice: rename one.")
    parts = []
    for place, named in enumerate(names):
        values = frame.iloc[:, place]
        if values.dtype == object:
            there = values.notna().tolist()
            cells = zip(values.tolist(), there, strict=True)
            parts.append(_column(named, [value if known else None for value, known in cells]))
        else:
            parts.append(pl.Series(named, pl.from_pandas(values, nan_to_null=True)))
    return pl.DataFrame(parts)


def _of_arrow(table: pa.Table) -> pl.DataFrame:
    """Convert a table of pyarrow. Extension types that polars does not know (UUIDs) go through Python."""
    parts = [
        _column(name, values.to_pylist())
        if isinstance(values.type, pa.BaseExtensionType)
        else pl.Series(name, pl.from_arrow(values))
        for name, values in zip(table.column_names, table.columns, strict=True)
    ]
    return pl.DataFrame(parts)


def _of_columns(columns: Mapping[Any, Any], name: str) -> pl.DataFrame:
    parts = []
    for key, values in columns.items():
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise DataError(
                f"{name}: {key!r} holds {values!r}, which is not a column: pass a list."
            )
        listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
        parts.append(_column(str(key), listed))
    lengths = {len(part): part.name for part in parts}
    if len(lengths) > 1:
        (one, first), (other, second) = list(lengths.items())[:2]
        raise DataError(
            f"{name}: column {first!r} has {one} values and {second!r} has {other}: pass columns of one length."
        )
    return pl.DataFrame(parts)


def _of_rows(rows: list[Any], name: str, columns: Sequence[str]) -> pl.DataFrame:
    if not rows:
        raise DataError(f"{name} holds no rows.")
    for number, row in enumerate(rows, 1):
        if isinstance(row, str) or not isinstance(row, Mapping | Sequence | np.ndarray):
            raise DataError(
                f"{name}, row {number}: {row!r} is not a row: pass tuples ({', '.join(columns[:2])}) or dicts."
            )
        if isinstance(row, Mapping) != isinstance(rows[0], Mapping):
            raise DataError(f"{name}, row {number}: dicts and tuples are mixed: pass one kind.")
        if not isinstance(row, Mapping) and len(row) != len(rows[0]):
            raise DataError(
                f"{name}, row {number}: {len(row)} values where {len(rows[0])} were expected."
            )
    if isinstance(rows[0], Mapping):
        keys = dict.fromkeys(key for row in rows for key in row)
        return pl.DataFrame([_column(str(key), [row.get(key) for row in rows]) for key in keys])
    named = getattr(rows[0], "_fields", None) or _named(columns, len(rows[0]), name)
    cells = zip(*rows, strict=True)
    return pl.DataFrame([_column(key, list(cell)) for key, cell in zip(named, cells, strict=True)])


def _named(columns: Sequence[str], width: int, name: str) -> Sequence[str]:
    if not 2 <= width <= len(columns):
        raise DataError(
            f"{name} has {width} values a row: pass {' and '.join(columns[:2])}"
            + (f", and then {' and '.join(columns[2:])}" if columns[2:] else "")
            + ", or a frame with named columns."
        )
    return columns[:width]


def _column(name: str, values: list[Any]) -> pl.Series:
    """Make a column of Python values. UUIDs stay objects, and numbers of numpy become Python's."""
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    values = [None if value != value else value for value in values] if _has_nan(values) else values
    kinds = {type(value) for value in values if value is not None}
    if kinds == {UUID}:
        return pl.Series(name, values, dtype=pl.Object)
    if UUID in kinds:
        values = [str(value) if isinstance(value, UUID) else value for value in values]
    return column(name, values)


def _has_nan(values: list[Any]) -> bool:
    return any(isinstance(value, float) and value != value for value in values)


def _unknown(source: Any, name: str) -> DataError:
    return DataError(
        f"{name}: {type(source).__name__} is not a table that darec knows: pass a path, a frame of pandas or polars, a "
        "table of pyarrow, a scipy.sparse matrix or rows such as [('u1', 'i1'), ('u1', 'i2')]."
    )
