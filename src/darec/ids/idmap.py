"""A stable two-way map between a user's own ids and table rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final, Literal, TypeGuard, get_args
from uuid import UUID

import numpy as np
import polars as pl

from darec.errors import DataError, did_you_mean
from darec.scoring.ties import tie_order
from darec.types import IntArray

Id = str | int | UUID
IdType = Literal["string", "int64", "uuid"]
ID_TYPES: Final[tuple[IdType, ...]] = get_args(IdType)
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,38}")  # a number in the form of str()
_UUID: Final = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


class IdMap:
    """The ids of users or items in row order.

    Files and stores hold ids as text, and ids are compared as text: 7 and ``"7"`` name the same row. Callers get them
    in their original type.

    Args:
        kind: ``"user"`` or ``"item"``, used in messages.
        ids: distinct ids; the position of each is its row.
        type: original type of the ids. An id that is not of that type stays text.

    Attributes:
        texts: the ids as text, in row order.
    """

    def __init__(self, kind: str, ids: Iterable[Id], type: IdType = "string") -> None:
        self.kind, self.type = kind, type
        self.texts: list[str] = [str(identifier) for identifier in ids]

    def __len__(self) -> int:
        return len(self.texts)

    def __contains__(self, identifier: object) -> bool:
        return str(identifier) in self._rows

    @cached_property
    def ids(self) -> list[Any]:
        """The ids in their original type, in row order."""
        return typed(self.texts, self.type)

    @cached_property
    def tie_order(self) -> IntArray:
        """[n] place of each id among equal scores; see :func:`darec.scoring.ties.tie_order`."""
        return tie_order(self.ids)

    @cached_property
    def _rows(self) -> dict[str, int]:
        rows = {identifier: row for row, identifier in enumerate(self.texts)}
        if len(rows) != len(self.texts):
            raise DataError(f"{self.kind} ids are repeated: each id must name one row.")
        return rows

    def row(self, identifier: Id) -> int:
        """Return the row of one id. Raises ``DataError`` that names the nearest id if it is unknown."""
        text = str(identifier)
        try:
            return self._rows[text]
        except KeyError:
            near = did_you_mean(text, self.texts) if len(self) <= 100_000 else ""
            near = near if near.startswith("did") else f"ids look like {self.texts[:3]}."
            raise DataError(f"no {self.kind} {text!r} in this dataset: {near}") from None

    def rows(self, identifiers: Iterable[Id]) -> IntArray:
        """Return the rows of many ids. Raises ``DataError`` on the first unknown one."""
        return np.array([self.row(identifier) for identifier in identifiers], np.int64)

    def find(self, texts: pl.Series) -> IntArray:
        """[n] rows of ids that are given as text, -1 for an unknown id; for long columns."""
        known = pl.DataFrame(
            {"id": self.texts, "row": np.arange(len(self))}, {"id": pl.String, "row": pl.Int64}
        )
        asked = pl.DataFrame({"id": texts.cast(pl.String)})
        rows = asked.join(known, on="id", how="left", maintain_order="left")["row"]
        return np.asarray(rows.fill_null(-1).to_numpy(), np.int64)

    def column(self, rows: IntArray, name: str | None = None) -> pl.Series:
        """Return the ids of rows as a column: whole numbers if all ids are, else text (polars has no UUIDs)."""
        return self.series.gather(rows).alias(name or f"{self.kind}_id")

    @cached_property
    def series(self) -> pl.Series:
        """[n] the ids as a column."""
        whole = self.type == "int64" and all(isinstance(one, int) for one in self.ids)
        return pl.Series(f"{self.kind}_id", self.ids if whole else self.texts)


def is_id(value: object) -> TypeGuard[Id]:
    """Whether a value is one id, and not several of them."""
    return isinstance(value, (*get_args(Id), np.generic)) or not isinstance(value, Iterable)


def typed(texts: Iterable[str], type: IdType) -> list[Any]:
    """Return ids of a type from their texts; a text that is not of that type is not changed."""
    if type == "int64":
        return [int(text) if _WHOLE.fullmatch(text) else text for text in texts]
    if type == "uuid":
        return [UUID(text) if _UUID.fullmatch(text) else text for text in texts]
    return list(texts)
