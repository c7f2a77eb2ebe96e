"""Builds indexes of a bundle and measures them against exact lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from torch.nn import functional as F

from darec.export.bundle import Bundle
from darec.export.index import EFFORTS, ItemIndex
from darec.export.search import Indexable, IndexSearch
from darec.listing.search import EXACT, Search
from darec.numerics.vector_index import Kind
from darec.progress import OnStage
from darec.scoring import TableScorer
from darec.types import IntArray

K: Final = 20
"""Length of the lists that measure an index."""
SAMPLE: Final = 300
"""Number of users, and of items, whose lists are compared."""


@dataclass(frozen=True)
class Measured:
    """An index and its measurements.

    Attributes:
        index: with the least effort that reaches the requested recall; if none does, with the most effort.
        recall: share of the exact lists that it finds, at :data:`K`; None if there is no user to measure it on.
        pays: whether a search is faster than scoring all items.
    """

    index: ItemIndex
    recall: float | None
    pays: bool

    def reaches(self, recall: float) -> bool:
        """Whether the measured recall reaches a value."""
        return self.recall is not None and self.recall >= recall

    def said(self, recall: float) -> str:
        """Describe the measurement in words."""
        if self.recall is None:
            return "no user to measure it on"
        found = f"recall@{K} {self.recall:.4f} at effort {self.index.effort}"
        if not self.reaches(recall):
            return f"{found}, below {recall}"
        return found if self.pays else f"{found}, and takes longer than scoring all items"

    def about(self, recall: float) -> dict[str, Any]:
        """Return the manifest's entry on the measurement."""
        found = None if self.recall is None else round(self.recall, 4)
        return {
            "kind": self.index.kind,
            "recall": found,
            "effort": self.index.effort,
            "pays": self.pays,
            "said": self.said(recall),
        }


class Trials:
    """Builds and measures indexes of one bundle, on one sample of users and one of items.

    Args:
        bundle: opened without an index.
        parts: of its scorer.
        recall: that an index must reach.
        seed: of the samples, and of ``ivf``.
        on_stage: is called with the name of each stage.
    """

    def __init__(
        self, bundle: Bundle, parts: Indexable, recall: float, seed: int, on_stage: OnStage
    ) -> None:
        self.bundle, self.parts, self.recall = bundle, parts, recall
        self.seed, self.on_stage = seed, on_stage
        self.k = min(K, len(bundle.items))
        draw = np.random.default_rng(seed)
        self._users = draw.permutation(np.flatnonzero(bundle.seen.user_degree))[:SAMPLE]
        self._items = draw.permutation(len(bundle.items))[:SAMPLE]

    def of_users(self, kind: Kind) -> Measured:
        """Build an index by the scores, measured on users' lists."""
        bundle, vectors = self.bundle, self.parts.items()
        self.on_stage(f"building an index of {len(vectors):,} items ({kind})")
        index = ItemIndex.build(vectors, kind, seed=self.seed)

        def lists(search: Search) -> IntArray:
            return search.top_k(bundle.scorer, self._users, self.k, None, bundle.seen)[0]

        return self._measured(index, lambda one: IndexSearch(self.parts, one, always=True), lists)

    def alike(self, kind: Kind, items: ItemIndex) -> Measured | None:
        """Build an index by cosine, measured on lists of items like one; None if the scorer has no rows of items.

        Args:
            kind: of the index.
            items: the index by the scores.
        """
        scorer = self.bundle.scorer
        if not isinstance(scorer, TableScorer) or len(self.bundle.items) < 2:
            return None
        self.on_stage(f"building an index of items like one ({kind})")
        unit = F.normalize(scorer.tables.items.float(), dim=1).cpu().numpy()
        index = ItemIndex.build(unit, kind, seed=self.seed)

        def lists(search: Search) -> IntArray:
            found = [search.similar(scorer, int(item), self.k).items for item in self._items]
            return np.concatenate(found)

        return self._measured(
            index, lambda one: IndexSearch(self.parts, items, one, always=True), lists
        )

    def _measured(
        self,
        index: ItemIndex,
        search: Callable[[ItemIndex], IndexSearch],
        lists: Callable[[Search], IntArray],
    ) -> Measured:
        """Raise the effort of an index until its lists have the recall."""
        self.on_stage("comparing its lists with exact ones")
        exact, found = lists(EXACT), None
        for effort in EFFORTS[index.kind] if len(exact) else ():
            index.effort = effort
            found = _overlap(exact, lists(search(index)))
            if found >= self.recall:
                break
        searching = search(index)
        searching.always = False
        return Measured(index, found, searching.pays(index, searching.depth(self.k)))


def _overlap(exact: IntArray, found: IntArray) -> float:
    """Mean share of the items of each list of [n, k] that are in the other list too."""
    shares = [
        np.isin(one[one >= 0], other).mean()
        for one, other in zip(exact, found, strict=True)
        if (one >= 0).any()
    ]
    return float(np.mean(shares)) if shares else 1.0
