"""Item files, and the text that is made of an item's fields."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from darec.data.ingest.source import USUAL, as_ids
from darec.data.ingest.tabular import LINE, read_table
from darec.errors import DataError, did_you_mean

TITLES: Final = ("title", "name", "item_name", "product_name", "product_title", "movie_title")
_NOT_TEXT: Final = re.compile(r"(^|_)(id|ids|url|urls|link|image|images|date|timestamp)$")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")
_URL: Final = re.compile(r"^\s*https?://")


def read_items(
    path: Path, item_column: str | None = None, *, encoding: str = "utf-8"
) -> pl.DataFrame:
    """One row an item: ``item_id`` (string), ``line`` and every other field of the file.

    Raises:
        DataError: as :func:`read_table`; no id column; a blank or repeated id.
    """
    table = read_table(path, encoding).rename({LINE: "line"})
    names = [name for name in table.columns if name != "line"]
    if item_column is None:
        plain = {name: "".join(c for c in name.lower() if c.isalnum()) for name in names}
        usual = [name for known in (*USUAL["item"], "id") for name in names if plain[name] == known]
        if not usual:
            raise DataError(
                f"{path}: no column for the item id among {', '.join(map(repr, names))}: name it with --item-id."
            )
        item_column = usual[0]
    elif item_column not in names:
        raise DataError(f"{path}: no column {item_column!r}: {did_you_mean(item_column, names)}")
    table = table.with_columns(as_ids(table, item_column).alias("item_id"))
    blank = table.filter(pl.col("item_id").is_null() | (pl.col("item_id") == ""))
    if len(blank):
        raise DataError(f"{path}, line {blank['line'][0]}: no item id in column {item_column!r}.")
    twice = table.filter(pl.col("item_id").is_duplicated())
    if len(twice):
        first = twice["item_id"][0]
        lines = twice.filter(pl.col("item_id") == first)["line"].to_list()
        raise DataError(
            f"{path}: item {first!r} stands in lines {lines[0]} and {lines[1]}: keep one row an item."
        )
    return table if item_column == "item_id" else table.drop(item_column)


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
        table: from :func:`read_items` or a reader that brings items.
        fields: the fields to use, in this order.
        template: a format such as ``"{title}. {genres}"``; an empty field leaves nothing behind.
        title: the field that holds the title; guessed from the usual names.

    Raises:
        DataError: a field that no row has, or a template that is none.
    """
    names = [name for name in table.columns if name not in ("item_id", "line")]
    for field in [*(fields or ()), *([title] if title else [])]:
        if field not in names:
            raise DataError(f"the items have no field {field!r}: {did_you_mean(field, names)}")
    title = title or next((name for name in TITLES if name in names), None)
    if template is not None:
        used = _template_fields(template, names)
    else:
        used = list(fields) if fields else [name for name in names if _holds_text(table, name)]
    columns = {name: [_words(value) for value in table[name].to_list()] for name in used}
    texts = []
    for row in range(len(table)):
        values = {name: columns[name][row] for name in used}
        if template is not None:
            text = _clean(template.format_map(values)) if any(values.values()) else ""
        elif len(used) == 1:
            text = values[used[0]]
        else:
            text = "; ".join(f"{name}: {value}" for name, value in values.items() if value)
        texts.append(text or None)
    titles = (
        [_words(value) or None for value in table[title].to_list()]
        if title
        else [None] * len(table)
    )
    frame = pl.DataFrame(
        {"item_id": table["item_id"], "title": titles, "text": texts},
        schema={"item_id": pl.String, "title": pl.String, "text": pl.String},
    )
    return frame, {"text_fields": used, "text_template": template}


def _template_fields(template: str, names: list[str]) -> list[str]:
    try:
        parts = [
            field for _, field, _, _ in string.Formatter().parse(template) if field is not None
        ]
    except ValueError as error:
        raise DataError(f"text template {template!r}: {error}.") from None
    if not parts:
        raise DataError(f"text template {template!r} names no field: write, say, '{{title}}'.")
    for field in parts:
        if field not in names:
            raise DataError(f"text template: no field {field!r}: {did_you_mean(field, names)}")
    return list(dict.fromkeys(parts))


def _holds_text(table: pl.DataFrame, name: str) -> bool:
    if _NOT_TEXT.search(name.lower()):
        return False
    values = table[name]
    if isinstance(values.dtype, pl.List):
        return values.dtype.inner == pl.String
    if values.dtype != pl.String:
        return False
    sample = values.drop_nulls().head(100)
    if not len(sample) or sample.str.contains(_URL.pattern).all():
        return False
    return bool(sample.str.contains(r"\p{L}").any())


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(word for word in map(_words, value) if word)
    return _CONTROL.sub(" ", str(value)).strip()


def _clean(text: str) -> str:
    """What a template leaves around empty fields: doubled punctuation and blanks go."""
    text = re.sub(r"\s+([.,;:])", r"\1", _CONTROL.sub(" ", text))
    return re.sub(r"([.,;:])(\s*[.,;:])+", r"\1", text).strip(" ,;:")
