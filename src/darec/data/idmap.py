"""A stable two-way map between a user's own ids and table rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from darec.errors import DataError, did_you_mean
from darec.types import IntArray


class IdMap:
    """Ids as strings, in row order.

    Args:
        kind: ``"user"`` or ``"item"``, used in messages.
        ids: distinct ids; the position of each is its row.
    """

    def __init__(self, kind: str, ids: Iterable[str]) -> None:
        self.kind = kind
        self.ids: list[str] = list(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._rows

    @cached_property
    def _rows(self) -> dict[str, int]:
        rows = {identifier: row for row, identifier in enumerate(self.ids)}
        if len(rows) != len(self.ids):
            raise DataError(f"{self.kind} ids repeat: each id must name one row.")
        return rows

    def row(self, identifier: str) -> int:
        """The row of one id. Raises ``DataError`` naming the nearest id if it is unknown."""
        try:
            return self._rows[identifier]
        except KeyError:
            near = did_you_mean(identifier, self.ids) if len(self.ids) <= 100_000 else ""
            near = near if near.startswith("did") else f"ids look like {self.ids[:3]}."
            raise DataError(f"no {self.kind} {identifier!r} in this dataset: {near}") from None

    def rows(self, identifiers: Sequence[str]) -> IntArray:
        """The rows of many ids. Raises ``DataError`` on the first unknown one."""
        return np.array([self.row(identifier) for identifier in identifiers], np.int64)
