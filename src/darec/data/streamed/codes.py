"""Ids as numbers, and the rows that hold these numbers."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.ids.idmap import IdType
from darec.types import IntArray

Records = NDArray[np.void]
"""[n] rows with ``user`` and ``item`` (numbers of ids), ``line`` and, if they are known, ``time`` and ``split``."""


class Codes:
    """Gives ids numbers, in the order in which they occur.

    Attributes:
        counts: how many rows each has.
    """

    def __init__(self) -> None:
        self._code: dict[str, int] = {}
        self.counts: IntArray = np.zeros(0, np.int64)
        self.type: IdType | None = None

    def __len__(self) -> int:
        return len(self._code)

    @property
    def texts(self) -> list[str]:
        """The ids in the order of their numbers."""
        return list(self._code)

    def of(self, ids: pl.Series) -> NDArray[np.uint32]:
        """Return the number of each id."""
        if not len(ids):
            return np.zeros(0, np.uint32)
        code = self._code
        distinct = ids.unique(maintain_order=True)
        numbers = [code.setdefault(one, len(code)) for one in distinct.to_list()]
        found = ids.replace_strict(
            distinct, pl.Series(numbers, dtype=pl.UInt32), return_dtype=pl.UInt32
        ).to_numpy()
        counts = np.bincount(found, minlength=len(code))
        counts[: len(self.counts)] += self.counts
        self.counts = counts
        return found
