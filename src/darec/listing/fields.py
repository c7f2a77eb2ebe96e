"""The fields of items, and conditions over them: ``in_stock = true and price < 50``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.errors import ConfigError, DataError, did_you_mean, shown
from darec.files import DAMAGE
from darec.listing.conditions import grows

R = TypeVar("R")
LONGEST: Final = 2000
"""Largest number of characters of a condition. Analysing a chain of a thousand terms takes a minute."""
_OPERATORS: Final = ("=", "<", ">", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "%", "||")
OWN: Final = ("item_id", "title", "text")
"""Fields that every dataset has."""


class ItemFields:
    """Fields of items, in row order. Fields that are not in :data:`OWN` are read at their first use.

    Args:
        catalogue: ``item_id``, ``title`` and ``text`` of each item.
        extra: ``item_id`` and further fields of each item, or None.
        name: name of the dataset or bundle, for messages.
    """

    def __init__(
        self, catalogue: pl.DataFrame, extra: pl.LazyFrame | None = None, name: str = "the dataset"
    ) -> None:
        self._catalogue, self._extra, self.name = catalogue, extra, name
        self._loaded: dict[str, pl.Series] = {}

    @cached_property
    def types(self) -> dict[str, pl.DataType]:
        """Type of each field by its name."""
        extra: dict[str, pl.DataType] = {}
        if self._extra is not None:
            extra = dict(self._read(lambda lazy: lazy.collect_schema()))
        return extra | dict(self._catalogue.schema)

    def columns(self, names: Sequence[str]) -> pl.DataFrame:
        """Some fields, with one row for each item.

        Raises:
            ConfigError: a field does not exist; the error names the nearest one.
            DataError: a file is damaged, or was replaced after the items were read.
        """
        for name in names:
            if name not in self.types:
                raise ConfigError(self._unknown(name))
        known = {*self._catalogue.columns, *self._loaded}
        others = [name for name in names if name not in known]
        if others:
            found = self._read(lambda lazy: lazy.select("item_id", *others).collect())
            if not found["item_id"].equals(self._catalogue["item_id"]):
                raise DataError(
                    f"the items' fields of {self.name} were replaced in the meantime: load it again."
                )
            self._loaded |= {name: found[name] for name in others}
        own = set(self._catalogue.columns)
        return pl.DataFrame(
            [self._catalogue[name] if name in own else self._loaded[name] for name in names]
        )

    def where(self, condition: str) -> NDArray[np.bool_]:
        """[I] whether each item meets a condition. An item without the field does not meet it.

        Args:
            condition: an expression of SQL over the fields, as polars reads it: comparisons, ``and``, ``or``, ``not``,
                ``in``, ``between``, ``like``, ``is null``, arithmetic and functions, ``'RPG' = any(genres)`` for lists.
                A name that is not a plain word needs double quotes, text needs single quotes.

        Raises:
            ConfigError: it is not an expression, uses unknown fields or values of another type, or is not a condition.
        """
        if len(condition) > LONGEST:
            raise ConfigError(
                f"--where has {len(condition):,} characters; at most {LONGEST:,} are allowed: list the "
                "items with --candidates instead."
            )
        try:
            expression = pl.sql_expr(condition)
            names = list(dict.fromkeys(expression.meta.root_names()))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise ConfigError(
                f"--where {shown(condition)} is not a condition ({_why(error, condition)}): write it as in SQL, "
                '"in_stock = true and price < 50".'
            ) from None
        too_large = grows(expression, self.types)
        if too_large is not None:
            raise ConfigError(
                f"--where {shown(condition)} creates text or lists ({too_large}): compare the fields as they are."
            )
        frame = self.columns(names) if names else self._catalogue.select("item_id")
        try:
            met = frame.with_columns(expression.alias("met"))["met"]
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            types = ", ".join(f"{name} is {_called(self.types[name])}" for name in names)
            raise ConfigError(
                f"--where {shown(condition)} does not fit the fields ({_brief(error)}); {types}."
            ) from None
        if met.dtype != pl.Boolean:
            raise ConfigError(
                f"--where {shown(condition)} is {_called(met.dtype)} and not a condition: compare it with a value."
            )
        found: NDArray[np.bool_] = met.fill_null(False).to_numpy()
        return found

    def _read(self, read: Callable[[pl.LazyFrame], R]) -> R:
        assert self._extra is not None
        try:
            return read(self._extra)
        except DAMAGE as error:
            raise DataError(
                f"the items' fields of {self.name} cannot be read ({_brief(error)}): import the sources again."
            ) from error

    def _unknown(self, name: str) -> str:
        others = [field for field in self.types if field not in OWN]
        if not others:
            return (
                f"the items of {self.name} have no field {name!r}, but {', '.join(OWN)} only: import the sources "
                "again, with a file of items that has it."
            )
        return f"the items of {self.name} have no field {name!r}: {did_you_mean(name, self.types)}"


def _brief(error: BaseException) -> str:
    return " ".join(str(error).partition("\n")[0].split())[:200]


def _why(error: BaseException, condition: str) -> str:
    """Describe what is wrong with a condition; an operator is shown as the user wrote it."""
    if re.match(r"(unary )?operator \W?\w+.* is not (currently )?supported", str(error)):
        outside = re.sub(r"'[^']*'|\"[^\"]*\"", " ", condition)
        for sign in re.findall(r"[^\w\s(),.\[\];]+", outside):
            if sign not in _OPERATORS:
                return f"no operator {sign!r} is known here"
        return "one of its operators is not known here"
    return _brief(error)


def _called(kind: pl.DataType) -> str:
    """The name of a type in messages."""
    if kind == pl.Boolean:
        return "true or false"
    if kind.is_numeric():
        return "a number"
    if isinstance(kind, pl.List | pl.Array):
        return "a list"
    return "text" if kind == pl.String else str(kind).lower()
