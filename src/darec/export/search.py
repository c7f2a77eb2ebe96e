"""Makes lists with an index: the index proposes items, and the scorer decides scores, order and ties.

The index holds the inner product of the tables, and popularity as one more column. An added item-item matrix changes
the scores of few items, and these are candidates too. If a list may be incomplete, all items are scored.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as F

from darec.errors import ConfigError
from darec.export.index import ItemIndex
from darec.listing.search import EXACT, Search
from darec.scoring import (
    AddedScorer,
    MatrixScorer,
    PopularityScorer,
    Ranked,
    Ranker,
    Scorer,
    TableScorer,
    select,
)
from darec.types import FloatArray, IntArray, Interactions

_LEAST: Final = 10  # items that are searched beyond those asked for
_POPULARITY: Final = 2.0
"""A user's entry for popularity, relative to the entry with which it counts as much between two items as between a user
and an item. ``python -m benchmarks.index --entries`` measures other values (docs/production.md)."""
_ROWS: Final = 1_000  # number of rows that measure the spread of inner products
_MOST: Final = 0.25
"""The largest share of items that matrices may change; beyond it, scoring all items is as fast."""
_ROUNDING: Final = 1e-5  # largest difference between faiss' products and those that are ranked


@dataclass(frozen=True)
class Indexable:
    """The parts of a scorer that an index can search: an inner product, and matrices that change few items of a user.

    Attributes:
        inner: tables and popularity, each with its weight; together they are one inner product.
        matrices: that are added to it.
        made_by: the ``scale`` of an existing index; None: there is no index yet.
    """

    inner: tuple[tuple[TableScorer | PopularityScorer, float], ...]
    matrices: tuple[MatrixScorer, ...]
    made_by: float | None = None

    @classmethod
    def of(cls, scorer: Scorer, made_by: float | None = None) -> Indexable:
        """Split a scorer into its parts. Raises ``ConfigError`` with the name of a scorer that has no inner product."""
        parts: tuple[Scorer, ...] = (scorer,)
        weights: tuple[float, ...] = (1.0,)
        if isinstance(scorer, AddedScorer):
            parts, weights = scorer.scorers, scorer.weights
        inner, matrices = [], []
        for one, weight in zip(parts, weights, strict=True):
            if isinstance(one, TableScorer | PopularityScorer):
                inner.append((one, weight))
            elif isinstance(one, MatrixScorer) and sparse.issparse(one.matrix):
                matrices.append(one)
            else:
                what = "a dense item-item matrix" if isinstance(one, MatrixScorer) else one.kind
                raise _no_index(what)
        if not any(isinstance(one, TableScorer) for one, _ in inner):
            raise _no_index("an item-item matrix" if matrices else "popularity")
        return cls(tuple(inner), tuple(matrices), made_by)

    @cached_property
    def scale(self) -> float:
        """A user's entry for popularity; an item's entry is its popularity divided by this value.

        Every value gives the same scores. The value decides how much popularity counts between two items of an index:
        it adds ``p_i p_j / scale^2`` to the product of their rows. If that is large, all items have the same few
        popular neighbours and are not found from one another. If it is small, neighbours do not lead to popular items.
        So the value is set relative to the products.
        """
        if self.made_by is not None:
            return self.made_by
        tables = [
            (one.tables, weight) for one, weight in self.inner if isinstance(one, TableScorer)
        ]
        popularity = [
            weight * one.values for one, weight in self.inner if isinstance(one, PopularityScorer)
        ]
        if not popularity or not len(tables[0][0].users) or not len(tables[0][0].items):
            return 1.0
        users = torch.cat([weight * _some(one.users) for one, weight in tables], dim=1)
        items = torch.cat([_some(one.items) for one, _ in tables], dim=1)
        of_users, of_items = (float((rows @ items.T).std(correction=0)) for rows in (users, items))
        mean = float(torch.stack(popularity).sum(0).float().mean())
        scale = _POPULARITY * (abs(mean) * of_users / of_items) ** 0.5 if of_items else 0.0
        return scale or 1.0

    def items(self, start: int = 0) -> FloatArray:
        """[I - start, d] vectors of the items from a row on."""
        columns = [
            one.tables.items[start:]
            if isinstance(one, TableScorer)
            else weight * one.values[start:, None] / self.scale
            for one, weight in self.inner
        ]
        return np.ascontiguousarray(
            torch.cat([part.float() for part in columns], dim=1).cpu().numpy()
        )

    def user(self, scorer: Indexable, user: int) -> FloatArray:
        """[1, d] vector of a user of another scorer over the same items."""
        parts = [
            weight * one.tables.users[user].float()
            if isinstance(one, TableScorer)
            else torch.tensor([self.scale * one.amount(user)])
            for one, weight in scorer.inner
        ]
        return np.asarray(torch.cat([part.cpu() for part in parts]).numpy())[None]

    def same_items(self, other: Indexable) -> bool:
        """Whether another scorer has the same rows of items in memory."""
        ours, theirs = (
            [
                (
                    one.kind,
                    (one.tables.items if isinstance(one, TableScorer) else one.values).data_ptr(),
                )
                for one, _ in of.inner
            ]
            for of in (self, other)
        )
        return ours == theirs

    def moved(self, user: int) -> IntArray:
        """Return the items whose scores are not the inner product alone."""
        moved = [(one.histories[[user]] @ one.matrix).nonzero()[1] for one in self.matrices]
        return np.unique(np.concatenate(moved)) if moved else np.zeros(0, np.int64)


def _some(table: torch.Tensor) -> torch.Tensor:
    """Return evenly spaced rows that are enough to measure the spread of products."""
    return table[:: max(1, len(table) // _ROWS)].float()


def _no_index(what: str) -> ConfigError:
    return ConfigError(
        f"its scores have {what} in them, which no index can search: leave the index out, and lists are ranked exactly."
    )


class IndexSearch(Search):
    """Searches a bundle's indexes if that is faster than scoring the items that may be listed.

    Args:
        parts: of the bundle's scorer.
        items: index of the items.
        alike: index of the rows at unit length, for items like one; None: these are found exactly.
        always: search the indexes even if that is slower, to measure them.
    """

    def __init__(
        self,
        parts: Indexable,
        items: ItemIndex,
        alike: ItemIndex | None = None,
        *,
        always: bool = False,
    ) -> None:
        self.parts, self.items, self.alike, self.always = parts, items, alike, always

    def top_k(
        self,
        scorer: Scorer,
        users: IntArray | None,
        k: int,
        candidates: IntArray | None,
        exclude: Interactions | None,
    ) -> tuple[IntArray, FloatArray]:
        """See :meth:`Search.top_k`."""
        rows = np.arange(scorer.n_users) if users is None else users
        items = np.empty((len(rows), k), np.int64)
        scores = np.empty((len(rows), k), np.float32)
        exact = []
        parts = Indexable.of(scorer)
        if not self.parts.same_items(parts):
            return super().top_k(scorer, users, k, candidates, exclude)
        for place, user in enumerate(rows):
            seen = exclude.of_user(user) if exclude is not None else np.zeros(0, np.int64)
            found = self._found(scorer, parts, int(user), k, candidates, seen)
            if found is None:
                exact.append(place)
            else:
                items[place], scores[place] = found
        if exact:
            ranked = super().top_k(scorer, rows[exact], k, candidates, exclude)
            items[exact], scores[exact] = ranked
        return items, scores

    def _found(
        self,
        scorer: Scorer,
        parts: Indexable,
        user: int,
        k: int,
        candidates: IntArray | None,
        seen: IntArray,
    ) -> tuple[IntArray, FloatArray] | None:
        """Return one user's list; None if all items must be scored."""
        depth = self.depth(k) + len(seen)
        if not self.pays(self.items, depth, None if candidates is None else len(candidates)):
            return None
        near, products = self.items.search(self.parts.user(parts, user), depth, candidates)
        moved = parts.moved(user)
        if near[0, -1] < 0 or len(moved) > _MOST * scorer.n_items:
            return None
        if candidates is not None:
            moved = moved[np.isin(moved, candidates)]
        pool = np.setdiff1d(np.union1d(near[0], moved), seen)
        if len(pool) < k:
            return None
        ranker = Ranker(
            scorer.n_users, scorer.n_items, None, users=np.array([user]), candidates=pool
        )
        ranked = ranker.rank(scorer, k)
        # Items that were not found score no higher than the last that was found, but may score the same.
        if not _above(ranked.scores[0], products[0, -1]):
            return None
        return ranked.items[0], ranked.scores[0]

    def similar(self, scorer: Scorer, item: int, k: int) -> Ranked:
        """See :meth:`Search.similar`; it searches the index of unit rows if the scorer is two tables."""
        found = self._alike(scorer, item, k) if isinstance(scorer, TableScorer) else None
        return super().similar(scorer, item, k) if found is None else found

    def extended(self, scorer: Scorer) -> Search:
        """Return a search over a scorer with added items, which are its last rows; exact if it must be."""
        try:
            parts = Indexable.of(scorer, self.parts.scale)
        except ConfigError:
            return EXACT
        old, size = len(self.items), scorer.n_items
        items, alike = copy(self.items), copy(self.alike)
        items.add(range(old, size), parts.items(old))
        if alike is not None and isinstance(scorer, TableScorer):
            unit = F.normalize(scorer.tables.items[old:].float(), dim=1)
            alike.add(range(old, size), unit.cpu().numpy())
        return IndexSearch(parts, items, alike, always=self.always)

    def _alike(self, scorer: TableScorer, item: int, k: int) -> Ranked | None:
        depth = self.depth(k) + 1
        if self.alike is None or not self.pays(self.alike, depth):
            return None
        table = scorer.tables.items
        row = F.normalize(table[[item]].float(), dim=1)
        near, products = self.alike.search(np.asarray(row.cpu().numpy()), depth)
        pool = np.setdiff1d(near[0], [item])
        if near[0, -1] < 0 or len(pool) < k:
            return None
        unit = F.normalize(table[torch.from_numpy(pool).to(table.device)].float(), dim=1)
        ranked = select((row @ unit.T).cpu(), k, scorer.ties[pool])
        if not _above(ranked.scores[0], products[0, -1]):
            return None
        return Ranked(pool[ranked.items], ranked.scores, ranked.next_scores)

    @staticmethod
    def depth(k: int) -> int:
        """Return the number of items to request from an index for a list of ``k``."""
        return 2 * k + _LEAST

    def pays(self, index: ItemIndex, depth: int, admitted: int | None = None) -> bool:
        """Whether a search of this depth is faster than scoring ``admitted`` items; None: all items."""
        size = len(index)
        admitted = size if admitted is None else admitted
        return depth < admitted and (self.always or index.work(depth, admitted / size) < admitted)


def _above(scores: FloatArray, last: float) -> bool:
    """Whether the lowest score of a list is above another score by more than rounding."""
    return bool(scores[-1] - last > _ROUNDING * max(abs(scores[0]), abs(last)))
