"""Popularity as a score, alone or added to another one: the same for all users, or for all without a niche taste."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from darec.errors import DataError, RunError
from darec.scoring.base import Arrays, Explanation, Scorer, Term
from darec.scoring.niche import Niche
from darec.scoring.ranking import Fill
from darec.types import FloatArray, IntArray, Interactions


class PopularityScorer(Scorer):
    """``score(u, i) = values_i``, or 0 for a user with a niche taste.

    Args:
        n_users: U.
        values: [I] one number for each item.
        ties: [I], see :class:`~darec.scoring.base.Scorer`.
        niche: how users with a niche taste are known by their histories; None if all users have the same scores.
        spared: [U] booleans, the users with a niche taste; needed with ``niche``.

    Raises:
        DataError: the values are not a vector, or there is not one boolean for each user.
    """

    kind: ClassVar[str] = "popularity"

    def __init__(
        self,
        n_users: int,
        values: Tensor,
        ties: IntArray | None = None,
        niche: Niche | None = None,
        spared: Tensor | None = None,
    ) -> None:
        if values.ndim != 1:
            raise DataError(
                f"popularity has shape {list(values.shape)}: give one number for each item."
            )
        if (niche is None) != (spared is None) or (spared is not None and len(spared) != n_users):
            raise DataError(
                f"popularity for {n_users} users: say of each whether its taste is niche."
            )
        super().__init__(n_users, len(values), ties)
        self.values = values.detach()
        self.niche, self.spared = niche, spared

    @property
    def device(self) -> torch.device:
        """Device of the values."""
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
        of_users = torch.from_numpy(users).to(self.device)
        spared = None if self.spared is None else self.spared.to(self.device)[of_users]

        def fill(start: int, stop: int, block: Tensor) -> None:
            block.copy_(padded.expand(stop - start, -1))
            if spared is not None:
                block[spared[start:stop]] = 0

        return fill

    def amount(self, user: int) -> float:
        """How much of popularity a user's scores have: 1, or 0 for a niche taste."""
        return 0.0 if self.spared is not None and bool(self.spared[user]) else 1.0

    def for_histories(self, histories: sparse.csr_array) -> PopularityScorer:
        """The same popularity, without it for the histories of niche taste."""
        spared = None
        if self.niche is not None:
            pairs = histories.tocoo()
            known = Interactions(pairs.row, pairs.col, *histories.shape)
            values = self.values.cpu().double().numpy()
            spared = torch.from_numpy(self.niche.spared(known, values))
        return PopularityScorer(histories.shape[0], self.values, self.ties, self.niche, spared)

    def of_users(self, users: IntArray) -> PopularityScorer:
        """The same values for some of the users."""
        spared = None if self.spared is None else self.spared[torch.from_numpy(users)]
        return PopularityScorer(len(users), self.values, self.ties, self.niche, spared)

    def with_values(self, values: Tensor, ties: IntArray) -> PopularityScorer:
        """The same users with the popularity of other items."""
        return PopularityScorer(self.n_users, values, ties, self.niche, self.spared)

    def explain(self, user: int, item: int) -> Explanation:
        """One term."""
        score = self.amount(user) * float(self.values[item])
        return Explanation(score, (Term("popularity", score),))

    def similarities(self, items: IntArray) -> FloatArray:
        """[n, I] zeros, because popularity has no information about similarity."""
        return np.zeros((len(items), self.n_items), np.float32)

    def arrays(self) -> dict[str, Tensor]:
        """``values`` [I], float32, and ``spared`` [U], if there is a niche."""
        arrays = {"values": self.values.cpu().float()}
        return arrays if self.spared is None else {**arrays, "spared": self.spared.cpu()}

    def about(self) -> dict[str, Any]:
        """The number of users, and the niche if there is one."""
        users: dict[str, Any] = {"users": self.n_users}
        return users if self.niche is None else {**users, "niche": asdict(self.niche)}

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, about: Mapping[str, Any], ties: IntArray
    ) -> PopularityScorer:
        """See :meth:`Scorer.from_arrays`."""
        niche = about.get("niche")
        return cls(
            int(about["users"]),
            arrays["values"],
            ties,
            None if niche is None else Niche(**niche),
            arrays.get("spared"),
        )
