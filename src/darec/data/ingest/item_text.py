"""Makes an item's title and text from its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl

from darec.data.ingest.template import parse_template
from darec.data.ingest.values import words
from darec.errors import DataError, did_you_mean

TITLES: Final = ("title", "name", "item_name", "product_name", "product_title", "movie_title")
CATALOGUE: Final = {"item_id": pl.String, "title": pl.String, "text": pl.String}
_NOT_TEXT: Final = re.compile(
    r"(^|_)(id|ids|asin|isbn|sku|uuid|url|urls|link|links|image|images|date|time|timestamp)$"
)
_URL: Final = r"^\s*(https?:)?//\S+\s*$"


def describe_items(
    table: pl.DataFrame,
    *,
    fields: Sequence[str] | None = None,
    template: str | None = None,
    title: str | None = None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return ``item_id``, ``title`` and ``text`` of every row, and how the text was made.

    By default the text is the title and every field that holds words or lists of words, each after its name, as in
    ``title: Cast-iron skillet; tags: camping, cooking``. Ids, addresses and dates are left out. A single field stands
    without its name. Control characters and runs of blanks become one blank, and HTML is removed.

    Args:
        table: from :func:`table_of_items`.
        fields: the fields to use, in this order.
        template: a format such as ``"{title}. {genres}"``; see :func:`parse_template`.
        title: the field that holds the title; guessed from the usual names.

    Raises:
        DataError: no row has the field, or the template is not valid.
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
        used = (
            list(fields)
            if fields
            else [name for name in names if name == title or _holds_text(table[name])]
        )
    columns = {name: words_of(table, name) for name in used}
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
    titles = [line or None for line in words_of(table, title)] if title else [None] * len(table)
    frame = pl.DataFrame({"item_id": table["item_id"], "title": titles, "text": texts}, CATALOGUE)
    return frame, {"text_fields": used, "text_template": template, "title": title}


def words_of(table: pl.DataFrame, name: str) -> list[str]:
    """Return a field of each item as text, empty where there is none.

    Raises ``DataError`` if it is nested too deeply.
    """
    lines = []
    for identifier, value in zip(table["item_id"], table[name].to_list(), strict=True):
        try:
            lines.append(words(value))
        except RecursionError:
            raise DataError(
                f"item {identifier!r}: field {name!r} is nested too deeply to be text: leave it out with "
                f"--ignore-column={name}."
            ) from None
    return lines


def _check_field(field: str, names: list[str]) -> None:
    if field not in names:
        raise DataError(f"the items have no field {field!r}: {did_you_mean(field, names)}")


def text_notices(
    table: pl.DataFrame, described: pl.DataFrame, about: Mapping[str, Any]
) -> list[str]:
    """Return notices about the items' texts: which fields of objects they leave out, and whether all are empty.

    Args:
        table: from :func:`table_of_items`.
        described: from :func:`describe_items`.
        about: from :func:`describe_items`.
    """
    told = []
    objects = [
        name
        for name in table.columns
        if name not in about["text_fields"]
        and _mappings(table[name])
        and not _NOT_TEXT.search(name.lower())
    ]
    if objects:
        told.append(
            f"the items' fields {', '.join(map(repr, objects))} hold objects and are not in the text: to have a "
            "field in the text, name it with --text-fields."
        )
    if described["text"].null_count() == len(described):
        fields = ", ".join(map(repr, table.columns[1:])) or "none beside the id"
        told.append(
            f"no item has text: none of the items' fields ({fields}) holds words. To take fields all the "
            "same, name them with --text-fields."
        )
    return told


def _mappings(values: pl.Series) -> bool:
    """Whether most values are mappings or lists of mappings."""
    if values.dtype != pl.Object:
        return isinstance(values.dtype, pl.Struct) or values.dtype == pl.List(pl.Struct)
    found = [value for value in values.to_list() if value is not None]
    inner = [value[0] if isinstance(value, list) and value else value for value in found]
    return 2 * sum(isinstance(value, dict) for value in inner) > len(found)


def _holds_text(values: pl.Series) -> bool:
    """Whether a field holds words: strings or lists of strings that have letters and are not all addresses."""
    if _NOT_TEXT.search(values.name.lower()) or _mappings(values):
        return False
    if values.dtype == pl.Object or values.dtype == pl.List(pl.List):
        values = pl.Series(list(_strings(values.to_list())), dtype=pl.String)
    elif values.dtype == pl.List(pl.String):
        values = values.explode()
    elif values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    elif values.dtype != pl.String:
        return False
    values = values.drop_nulls()
    return bool(values.str.contains(r"\p{L}").any() and not values.str.contains(_URL).all())


def _strings(values: list[Any]) -> Iterator[str]:
    """Return the strings in lists of any depth."""
    left = [*values]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple):
            left.extend(value)
