"""Item files, and the title and text that are made of an item's fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from darec.data.ingest.source import LINE, USUAL, SourceTable, plain
from darec.data.ingest.tabular import read_table
from darec.data.ingest.template import parse_template, words
from darec.errors import DataError, did_you_mean

TITLES: Final = ("title", "name", "item_name", "product_name", "product_title", "movie_title")
CATALOGUE: Final = {"item_id": pl.String, "title": pl.String, "text": pl.String}
_NOT_TEXT: Final = re.compile(
    r"(^|_)(id|ids|asin|isbn|sku|uuid|url|urls|link|links|image|images|date|time|timestamp)$"
)
_URL: Final = r"^\s*(https?:)?//\S+\s*$"


def read_items(
    path: Path, id_column: str | None = None, *, encoding: str = "utf-8"
) -> pl.DataFrame:
    """The items of a file; errors as :func:`read_table` and :func:`table_of_items`."""
    return table_of_items(read_table(path, encoding), id_column)


def table_of_items(table: SourceTable, id_column: str | None = None) -> pl.DataFrame:
    """One row an item: ``item_id`` (string) first, then every other field.

    Args:
        table: as read.
        id_column: name of the id's column; None: guess from the usual names.

    Raises:
        DataError: no id column; a blank or repeated id.
    """
    names = table.columns
    if id_column is None:
        guesses = [
            name for usual in (*USUAL["item"], "id") for name in names if plain(name) == usual
        ]
        if not guesses:
            raise DataError(
                f"{table.name}: no column for the item id; it has {', '.join(map(repr, names))}: name it with "
                "--item-id."
            )
        id_column = guesses[0]
    elif id_column not in names:
        raise DataError(
            f"{table.name}: no column {id_column!r} for the item id: {did_you_mean(id_column, names)}"
        )
    ids = table.ids(id_column)
    twice = ids.is_duplicated().arg_true()
    if len(twice):
        first = ids[twice[0]]
        lines = table.frame[LINE].filter(ids == first)
        raise DataError(
            f"{table.at(lines[1])}: item {first!r} stands in {table.unit} {lines[0]} already: keep one row an item."
        )
    others = [name for name in names if name not in (id_column, "item_id")]
    return table.frame.select(ids.alias("item_id"), *others)


def describe_items(
    table: pl.DataFrame,
    *,
    fields: Sequence[str] | None = None,
    template: str | None = None,
    title: str | None = None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """``item_id``, ``title`` and ``text`` of every row, and how the text was made.

    By default the text is every field that holds words or lists of words, each behind its name, as in
    ``title: Cast-iron skillet; tags: camping, cooking``; ids, addresses and dates are left out. With a single field
    its name is left out too. Control characters and runs of blanks become one blank.

    Args:
        table: from :func:`table_of_items`.
        fields: the fields to use, in this order.
        template: a format such as ``"{title}. {genres}"``; see :func:`parse_template`.
        title: the field that holds the title; guessed from the usual names.

    Raises:
        DataError: a field that no row has, or a template that is none.
    """
    names = [name for name in table.columns if name != "item_id"]
    for field in [*(fields or ()), *([title] if title else [])]:
        _check_field(field, names)
    title = title or next(
        (name for usual in TITLES for name in names if name.lower() == usual), None
    )
    parsed = None
    if template is not None:
        parsed = parse_template(template)
        used = list(dict.fromkeys(parsed.fields))
        for field in used:
            _check_field(field, names)
    else:
        used = list(fields) if fields else [name for name in names if _holds_text(table, name)]
    columns = {name: [words(value) for value in table[name].to_list()] for name in used}
    texts = []
    for row in range(len(table)):
        values = {name: column[row] for name, column in columns.items() if column[row]}
        if parsed is not None:
            text = parsed.render(values)
        elif len(used) == 1:
            text = values.get(used[0], "")
        else:
            text = "; ".join(f"{name}: {value}" for name, value in values.items())
        texts.append(text or None)
    titles = (
        [words(value) or None for value in table[title].to_list()] if title else [None] * len(table)
    )
    frame = pl.DataFrame({"item_id": table["item_id"], "title": titles, "text": texts}, CATALOGUE)
    return frame, {"text_fields": used, "text_template": template, "title": title}


def _check_field(field: str, names: list[str]) -> None:
    if field not in names:
        raise DataError(f"the items have no field {field!r}: {did_you_mean(field, names)}")


def _holds_text(table: pl.DataFrame, name: str) -> bool:
    if _NOT_TEXT.search(name.lower()):
        return False
    values = table[name]
    if values.dtype == pl.List(pl.String):
        values = values.explode()
    elif values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    elif values.dtype != pl.String:
        return False
    values = values.drop_nulls()
    return bool(values.str.contains(r"\p{L}").any() and not values.str.contains(_URL).all())
