"""The order of ids in a dataset, which defines their rows."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from darec.types import IntArray


def ordered(ids: Iterable[str]) -> list[str]:
    """Ids in an order that does not depend on the files: numbers by value, otherwise alphabetical."""
    ids = list(ids)
    if not are_numbers(ids):
        return sorted(ids)
    numbers = {identifier: identifier.lstrip("0") for identifier in ids}
    return sorted(ids, key=lambda one: (len(numbers[one]), numbers[one], one))


def are_numbers(ids: Iterable[str]) -> bool:
    """Whether :func:`ordered` puts ids in order by their value."""
    return all(identifier.isascii() and identifier.isdecimal() for identifier in ids)


def rows_of(ids: pl.Series, order: list[str]) -> IntArray:
    """The place of each id in ``order``."""
    rows = pl.Series(range(len(order)), dtype=pl.Int64)
    names = pl.Series(order, dtype=pl.String)
    return ids.replace_strict(names, rows, return_dtype=pl.Int64).to_numpy()
