"""CSV that is safe to open in a spreadsheet: cells that would be run as formulas are marked as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from darec.terminal import plain

if TYPE_CHECKING:
    import polars as pl

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FORMULA: Final = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""First characters of cells that a spreadsheet runs; the last four are the wide forms of the first ones."""
_PLAIN: Final = r"^([\p{L}\p{N}][\p{L}\p{N}\p{P}\p{S} ]*)?$"
"""Fast test for text that is safe."""


def safe_cell(value: Any) -> Any:
    """A value that no spreadsheet runs and no terminal obeys. Numbers stay numbers, including negative ones.

    Text that begins like a formula gets an apostrophe, which marks text in spreadsheets. Control characters are
    escaped.
    """
    if not isinstance(value, str):
        return value
    if value[:1] in _FORMULA and value and not _NUMBER.fullmatch(value):
        value = f"'{value}"
    return plain(value)


def safe_column(values: pl.Series) -> pl.Series:
    """A column of safe cells."""
    import polars as pl  # printing a cell needs none

    if values.dtype != pl.String:
        return values
    odd = ~values.str.contains(_PLAIN).fill_null(True)
    if not odd.any():
        return values
    made = pl.Series([safe_cell(value) for value in values.filter(odd)], dtype=pl.String)
    return values.scatter(odd.arg_true(), made)
