"""Item files: one row an item, with its id."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from darec.data.ingest.columns import plain, stood_twice, usual_columns
from darec.data.ingest.source import LINE, SourceTable
from darec.data.ingest.tabular import read_table
from darec.errors import DataError, did_you_mean
from darec.wording import counted_noun


def read_items(path: Path, id_column: str | None = None) -> pl.DataFrame:
    """Read the items of a file; errors as :func:`read_table` and :func:`table_of_items`."""
    return table_of_items(distinct_items(read_table(path), id_column), id_column)


def distinct_items(table: SourceTable, id_column: str | None = None) -> SourceTable:
    """Return the table without repeated rows, and a notice of these; errors as :func:`table_of_items`."""
    ids = table.ids(_id_column(table, id_column))
    if not ids.is_duplicated().any():
        return table
    columns = [table.frame[name] for name in table.columns]
    # Objects and lists are compared as JSON text.
    written = {
        values.name: pl.Series([_written(value) for value in values.to_list()])
        if values.dtype == pl.Object or values.dtype.is_nested()
        else values
        for values in columns
    }
    rows = pl.DataFrame(written).with_row_index(LINE)
    first = rows.unique(list(written), keep="first", maintain_order=True)[LINE]
    repeats = len(rows) - len(first)
    if not repeats:
        return table
    repeating = counted_noun(repeats, "row that repeats", "rows that repeat")
    told = f"{table.name}: left out {repeating} an item word for word."
    return replace(table, frame=table.frame[first], notices=(*table.notices, told))


def _written(value: Any) -> str:
    try:
        return repr(value)
    except RecursionError:  # equal to nothing else
        return str(id(value))


def table_of_items(table: SourceTable, id_column: str | None = None) -> pl.DataFrame:
    """Return one row an item: ``item_id`` (string) first, then every other field.

    Args:
        table: as read.
        id_column: name of the id's column; None: guess it from the usual names.

    Raises:
        DataError: there is no id column, or an id is blank or occurs twice.
    """
    id_column = _id_column(table, id_column)
    ids = table.ids(id_column)
    twice = ids.is_duplicated().arg_true()
    if len(twice):
        first = ids[twice[0]]
        lines = table.frame[LINE].filter(ids == first)
        earlier = table.at(lines[0]) if table.starts else f"{table.unit} {lines[0]}"
        raise DataError(
            f"{table.at(lines[1])}: item {first!r} is in {earlier} already, with other fields: keep one row an "
            "item."
        )
    others = [name for name in table.columns if name not in (id_column, "item_id")]
    return table.frame.select(ids.alias("item_id"), *others)


def _id_column(table: SourceTable, asked: str | None) -> str:
    names = table.columns
    if asked is not None:
        if asked not in names:
            raise DataError(
                f"{table.name}: no column {asked!r} for the item id: {did_you_mean(asked, names)}"
            )
        name = asked
    else:
        guesses = usual_columns("item", names) + [name for name in names if plain(name) == "id"]
        if not guesses:
            raise DataError(
                f"{table.name}: no column for the item id; it has {', '.join(map(repr, names))}: name it with "
                "--item-id."
            )
        name = guesses[0]
    if name in stood_twice(names):
        raise DataError(f"{table.name}, line 1: column {name!r} occurs twice: rename one.")
    return name
