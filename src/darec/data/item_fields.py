"""The fields of items that a dataset stores besides their texts, in the types that filters need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from darec.data.ingest.values import scalar, words
from darec.listing.fields import OWN

_WHOLE: Final = r"^[+-]?(0|[1-9]\d{0,17})$"
_NUMBER: Final = r"^[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"


def item_fields(table: pl.DataFrame) -> pl.DataFrame:
    """``item_id`` and every field that a file can hold, with values of one type each.

    CSV has no types. So a field of text becomes numbers if all of its values are numbers, and booleans if all are true
    or false. With leading zeros, as in ``007``, it remains text. A field with values of several types holds text, or
    lists of text if one of the values is a list. NaN is missing. The dataset's own ``title`` and ``text`` replace
    fields of those names.

    Args:
        table: ``item_id`` and the fields of the file.
    """
    columns = [table["item_id"]]
    for name in table.columns:
        values = None if name in OWN else _storable(table[name])
        if values is not None:
            columns.append(values.alias(name))
    return pl.DataFrame(columns)


def _storable(values: pl.Series) -> pl.Series | None:
    kind = values.dtype
    if kind == pl.Object:
        return _of_one_type(values.to_list())
    if kind in (pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    if kind in (pl.Null, pl.Binary, pl.Unknown):
        return None
    if isinstance(kind, pl.Decimal):
        return values.cast(pl.Float64)
    if kind.is_float():
        return values.fill_nan(None)
    return _told(values) if kind == pl.String else values


def _of_one_type(values: list[Any]) -> pl.Series:
    if not any(isinstance(value, list | tuple) for value in values):
        return _told(pl.Series(list(map(_text, values)), dtype=pl.String))
    lists = [
        None
        if value is None
        else [_text(one) for one in (value if isinstance(value, list | tuple) else [value])]
        for value in values
    ]
    return pl.Series(lists, dtype=pl.List(pl.String))


def _text(value: Any) -> str | None:
    return words(value) if isinstance(value, Mapping | list | tuple) else scalar(value)


def _told(values: pl.Series) -> pl.Series:
    """Return text as numbers or booleans if all values are such, else as text."""
    plain = values.str.strip_chars().replace("", None)
    there = plain.drop_nulls()
    if not len(there):
        return values
    if there.str.contains(_WHOLE).all():
        return plain.str.strip_prefix("+").cast(pl.Int64)
    if there.str.contains(_NUMBER).all():
        return plain.cast(pl.Float64)
    truth = plain.str.to_lowercase()
    if truth.drop_nulls().is_in(["true", "false"]).all():
        return truth == "true"
    return values
