"""Exact search for the best items: all items that may be listed are scored."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

from darec.scoring import Ranked, Scorer, select
from darec.types import FloatArray, IntArray, Interactions


class Search:
    """Exact search. :class:`darec.export.search.IndexSearch`, which uses an index, inherits from it."""

    def top_k(
        self,
        scorer: Scorer,
        users: IntArray | None,
        k: int,
        candidates: IntArray | None,
        exclude: Interactions | None,
    ) -> tuple[IntArray, FloatArray]:
        """The ``k`` best items of [n] users; the arguments and the result are those of :meth:`Scorer.top_k`."""
        return scorer.top_k(users, k, candidates=candidates, exclude=exclude)

    def similar(self, scorer: Scorer, item: int, k: int) -> Ranked:
        """The ``k`` items most similar to one item, in the form of lists of one user, [1, k]."""
        similarities = torch.from_numpy(scorer.similarities(np.array([item])))
        similarities[0, item] = -torch.inf
        return select(similarities, k, scorer.ties)


EXACT: Final = Search()
