"""Scores by the inner product of two tables, the result of trained models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional as F

from darec.errors import DataError, RunError
from darec.scoring.base import Arrays, Explanation, Scorer, Term, check_rows
from darec.scoring.folding import Folding, MeanFolding, described, folding_of
from darec.scoring.ranking import Fill
from darec.types import FloatArray, IntArray, Tables

_FOLDING = "folding."  # begins the names of its arrays


class TableScorer(Scorer):
    """``score(u, i) = <users_u, items_i>``.

    Args:
        tables: [U, d] and [I, d], on any device.
        ties: [I], see :class:`~darec.scoring.base.Scorer`.
        folding: how rows of new users are computed from lists of items. None is the mean of the items' unit rows.

    Raises:
        DataError: the tables have different widths.
    """

    kind: ClassVar[str] = "tables"

    def __init__(
        self, tables: Tables, ties: IntArray | None = None, folding: Folding | None = None
    ) -> None:
        super().__init__(len(tables.users), len(tables.items), ties)
        if tables.users.shape[1] != tables.items.shape[1]:
            raise DataError(
                f"the user table has {tables.users.shape[1]} columns and the item table "
                f"{tables.items.shape[1]}: a score needs as many in both."
            )
        self.tables = Tables(tables.users.detach(), tables.items.detach())
        self.folding = folding or MeanFolding()

    @property
    def device(self) -> torch.device:
        """Device of the tables."""
        return self.tables.items.device

    @property
    def width(self) -> int:
        """D."""
        return int(self.tables.items.shape[1])

    def check(self) -> None:
        """Raise ``RunError`` if a table has NaN or infinity, or if scores exceed float32."""
        users, items = self.tables.users, self.tables.items
        check_rows("user", users, self.n_users)
        check_rows("item", items, self.n_items)
        # A score that overflows to minus infinity would be treated as an excluded item.
        largest = [float(table.abs().max()) if table.numel() else 0.0 for table in (users, items)]
        if largest[0] * largest[1] * users.shape[1] > torch.finfo(torch.float32).max:
            raise RunError(
                f"entries of up to {largest[0]:.2g} (users) and {largest[1]:.2g} (items) give scores beyond "
                "float32: training has diverged; lower the learning rate."
            )

    def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
        """See :meth:`Scorer.fill`: one matrix product for each block."""
        left = self.tables.users.float()[torch.from_numpy(users).to(self.device)]
        right = self.tables.items.float()
        if items is not None:
            right = right.index_select(0, torch.from_numpy(items).to(self.device))

        def fill(start: int, stop: int, block: Tensor) -> None:
            torch.mm(left[start:stop], right.T, out=block[:, : len(right)])

        return fill

    def for_histories(self, histories: sparse.csr_array) -> TableScorer:
        """See :mod:`darec.scoring.folding`."""
        rows = torch.from_numpy(self.folding.rows(histories, self.tables.items.cpu().float()))
        tables = Tables(rows.to(self.device), self.tables.items)
        return TableScorer(tables, self.ties, self.folding)

    def of_users(self, users: IntArray) -> TableScorer:
        """The rows of some users, and all items."""
        rows = self.tables.users[torch.from_numpy(users).to(self.device)]
        return TableScorer(Tables(rows, self.tables.items), self.ties, self.folding)

    def explain(self, user: int, item: int) -> Explanation:
        """One term: the inner product."""
        row, column = self.tables.users[user].float(), self.tables.items[item].float()
        score = float(row @ column)
        return Explanation(score, (Term("tables", score),))

    def similarities(self, items: IntArray) -> FloatArray:
        """[n, I] cosines of the items' rows."""
        unit = F.normalize(self.tables.items.float(), dim=1)
        return np.asarray((unit[torch.from_numpy(items).to(self.device)] @ unit.T).cpu().numpy())

    def item_vectors(self) -> FloatArray:
        """The item table."""
        return np.asarray(self.tables.items.float().cpu().numpy())

    def arrays(self) -> dict[str, Tensor]:
        """``users`` [U, d] and ``items`` [I, d], float32, and those of folding in."""
        tables = {"users": self.tables.users, "items": self.tables.items}
        own = {f"{_FOLDING}{name}": array for name, array in self.folding.arrays().items()}
        return {name: table.cpu().float() for name, table in tables.items()} | own

    def about(self) -> dict[str, Any]:
        """The description of the folding."""
        return {"folding": described(self.folding)}

    @classmethod
    def from_arrays(cls, arrays: Arrays, about: Mapping[str, Any], ties: IntArray) -> TableScorer:
        """See :meth:`Scorer.from_arrays`."""
        own = {
            name.removeprefix(_FOLDING): array
            for name, array in arrays.items()
            if name.startswith(_FOLDING)
        }
        folding = folding_of(about.get("folding"), own)
        return cls(Tables(arrays["users"], arrays["items"]), ties, folding)
