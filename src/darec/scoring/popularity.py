"""Popularity, which is the same score for every user. It is used alone, or added to another scorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from darec.errors import DataError, RunError
from darec.scoring.base import Arrays, Explanation, Scorer, Term
from darec.scoring.ranking import Fill
from darec.types import FloatArray, IntArray


class PopularityScorer(Scorer):
    """``score(u, i) = values_i``.

    Args:
        n_users: U.
        values: [I] one number for each item.
        ties: [I], see :class:`~darec.scoring.base.Scorer`.

    Raises:
        DataError: the values are not a vector.
    """

    kind: ClassVar[str] = "popularity"

    def __init__(self, n_users: int, values: Tensor, ties: IntArray | None = None) -> None:
        if values.ndim != 1:
            raise DataError(
                f"popularity has shape {list(values.shape)}: give one number for each item."
            )
        super().__init__(n_users, len(values), ties)
        self.values = values.detach()

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        return self.values.device

    @property
    def width(self) -> int:
        """One column."""
        return 1

    def check(self) -> None:
        """Raise ``RunError`` on NaN or infinity."""
        if not bool(self.values.isfinite().all()):
            raise RunError("popularity has NaN or infinity: count it again.")

    def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
        """See :meth:`Scorer.fill`."""
        row = self.values.float()
        if items is not None:
            row = row[torch.from_numpy(items).to(self.device)]
        padded = torch.nn.functional.pad(row, (0, width - len(row)))

        def fill(start: int, stop: int, block: Tensor) -> None:
            block.copy_(padded.expand(stop - start, -1))

        return fill

    def for_histories(self, histories: sparse.csr_array) -> PopularityScorer:
        """The same scorer for any users."""
        return PopularityScorer(histories.shape[0], self.values, self.ties)

    def explain(self, user: int, item: int) -> Explanation:
        """One term."""
        score = float(self.values[item])
        return Explanation(score, (Term("popularity", score),))

    def similarities(self, items: IntArray) -> FloatArray:
        """[n, I] zeros, because popularity has no information about similarity."""
        return np.zeros((len(items), self.n_items), np.float32)

    def arrays(self) -> dict[str, Tensor]:
        """``values`` [I], float32."""
        return {"values": self.values.cpu().float()}

    def about(self) -> dict[str, Any]:
        """The number of users."""
        return {"users": self.n_users}

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, about: Mapping[str, Any], ties: IntArray
    ) -> PopularityScorer:
        """See :meth:`Scorer.from_arrays`."""
        return cls(int(about["users"]), arrays["values"], ties)
