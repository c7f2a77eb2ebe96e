"""Translates conditions over items' fields, such as ``price < 50 and 'RPG' = any(genres)``, for PostgreSQL.

PostgreSQL holds the fields of each item as one JSON object. A condition is split into words. Each word must be a
literal, an operator, one of a few keywords and functions, or the name of a field; everything else is refused. So a
condition can read only fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import polars as pl

from darec.errors import ConfigError, did_you_mean, shown
from darec.listing.fields import LONGEST, OWN

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

_WORD: Final = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")+")
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[^\W\d]\w*)
      | (?P<operator><=|>=|<>|!=|\|\||[=<>+\-*/%(),])
    )""",
    re.VERBOSE,
)
_KEYWORDS: Final = {
    *("and", "or", "not", "in", "between", "like", "ilike", "is", "null", "true", "false", "any"),
    *("case", "when", "then", "else", "end"),
}
_FUNCTIONS: Final = {
    "lower": "lower",
    "upper": "upper",
    "length": "char_length",
    "abs": "abs",
    "round": "round",
    "floor": "floor",
    "ceil": "ceil",
    "coalesce": "coalesce",
    "array_length": "cardinality",
}
"""Their names in PostgreSQL."""


def kind_of(type_: pl.DataType) -> str:
    """Return the name of a field's type in the database's tables."""
    if isinstance(type_, pl.List | pl.Array):
        inner = type_.inner
        assert isinstance(inner, pl.DataType)
        return f"{kind_of(inner)}[]"
    if type_ == pl.Boolean:
        return "boolean"
    if type_.is_integer() or type_.is_decimal():
        return "numeric"
    if type_.is_float():
        return "float8"
    if type_ == pl.Date:
        return "date"
    if isinstance(type_, pl.Datetime):
        return "timestamp" if type_.time_zone is None else "timestamptz"
    return "text"


def postgres_condition(condition: str, kinds: Mapping[str, str]) -> Composed:
    """Return the condition for the table of items, whose column ``fields`` holds the fields.

    Args:
        condition: see :meth:`darec.listing.fields.ItemFields.where`; it may use the functions of this module only.
        kinds: types of the fields (:func:`kind_of`).

    Raises:
        ConfigError: a field is unknown, or a word is not allowed in conditions.
    """
    from psycopg.sql import SQL, Composed, Literal

    if len(condition) > LONGEST:
        raise ConfigError(
            f"--where has {len(condition):,} characters; at most {LONGEST:,} are allowed."
        )
    words: list[Composable] = []
    place, end = 0, len(condition.rstrip())
    while place < end:
        found = _WORD.match(condition, place)
        if found is None or "\0" in found[0]:
            raise ConfigError(
                f"--where {shown(condition)} is not a condition at {shown(condition[place : place + 20].strip())}: "
                'write it as in SQL, "in_stock = true and price < 50".'
            )
        place = found.end()
        word = found[0].strip()
        called = condition[place:].lstrip().startswith("(")
        if found["text"]:
            words.append(Literal(word[1:-1].replace("''", "'")))
        elif found["quoted"]:
            words.append(_field(word[1:-1].replace('""', '"'), kinds))
        elif found["name"] and word.lower() in _KEYWORDS:
            words.append(SQL(word.lower()))
        elif found["name"] and called:
            function = _FUNCTIONS.get(word.lower())
            if function is None:
                raise ConfigError(
                    f"--where {shown(condition)}: the database does not know {word!r}; {did_you_mean(word, _FUNCTIONS)}"
                )
            words.append(SQL(function))
        elif found["name"]:
            words.append(_field(word, kinds))
        else:
            words.append(SQL(word))
    if not words:
        raise ConfigError("--where is empty: write a condition, or leave it out.")
    return Composed(words).join(" ")


def _field(name: str, kinds: Mapping[str, str]) -> Composable:
    """Return a field as a value of its type."""
    from psycopg.sql import SQL, Literal

    if name in OWN:
        return SQL('({} COLLATE "C")').format(SQL(name))
    if name not in kinds:
        raise ConfigError(f"the items have no field {name!r}: {did_you_mean(name, [*OWN, *kinds])}")
    kind, value = kinds[name], Literal(name)
    if kind.endswith("[]"):
        return SQL(
            "(CASE WHEN fields ? {} THEN ARRAY(SELECT one::{} FROM jsonb_array_elements_text(fields -> {}) AS one) END)"
        ).format(value, SQL(kind.removesuffix("[]")), value)
    text = SQL("(fields ->> {})").format(value)
    if kind == "text":
        return SQL('({} COLLATE "C")').format(text)
    return SQL("({}::{})").format(text, SQL(kind))
