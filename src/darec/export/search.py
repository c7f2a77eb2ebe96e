"""Lists by an index: it proposes items, and the scorer settles scores, order and ties.

The index knows the inner product of the tables alone. An item-item matrix beside them moves few items, and those are
candidates as well. Where a list is not certain to be what the index was asked for, all items are scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as F

from darec.errors import ConfigError
from darec.export.index import ItemIndex
from darec.listing.search import Search
from darec.scoring import AddedScorer, MatrixScorer, Ranked, Ranker, Scorer, TableScorer, select
from darec.types import FloatArray, IntArray, Interactions

_LEAST: Final = 10  # items that are found beyond those asked for
_ROUNDING: Final = 1e-5  # by which faiss' products may differ from those that are ranked


@dataclass(frozen=True)
class Indexable:
    """What an index can stand for: an inner product, and matrices that move few items of each user.

    Attributes:
        tables: the inner product.
        weight: its weight in the score.
        matrices: what is added to it.
    """

    tables: TableScorer
    weight: float = 1.0
    matrices: tuple[MatrixScorer, ...] = ()

    @classmethod
    def of(cls, scorer: Scorer) -> Indexable:
        """Take a scorer apart. Raises ``ConfigError`` by the name of one that has no inner product to index."""
        if isinstance(scorer, TableScorer):
            return cls(scorer)
        if isinstance(scorer, AddedScorer):
            tables = [
                cls(one, weight)
                for one, weight in zip(scorer.scorers, scorer.weights, strict=True)
                if isinstance(one, TableScorer)
            ]
            rest = tuple(one for one in scorer.scorers if isinstance(one, MatrixScorer))
            few = all(sparse.issparse(one.matrix) for one in rest)
            if len(tables) == 1 and len(rest) == len(scorer.scorers) - 1 and few:
                return cls(tables[0].tables, tables[0].weight, rest)
            what = "tables beside a dense item-item matrix" if not few else "several scorers added"
        else:
            what = "an item-item matrix"
        raise ConfigError(
            f"it scores by {what}, which is no inner product that an index could search: leave the index out, and "
            "lists are ranked exactly."
        )

    def vector(self, user: int) -> FloatArray:
        """[1, d] whose inner products with the items' rows are the first part of the scores."""
        row = self.weight * self.tables.tables.users[user].float()
        return np.asarray(row.cpu().numpy())[None]

    def moved(self, user: int) -> IntArray:
        """Items whose scores are not the inner product alone."""
        moved = [(one.histories[[user]] @ one.matrix).nonzero()[1] for one in self.matrices]
        return np.unique(np.concatenate(moved)) if moved else np.zeros(0, np.int64)


class IndexSearch(Search):
    """Searches a bundle's indexes where that is quicker than scoring the items that may be listed.

    Args:
        items: of the item table.
        alike: of its rows at unit length, for items like one; None: those are found exactly.
        always: search them although it is slower, to measure them.
    """

    def __init__(
        self, items: ItemIndex, alike: ItemIndex | None = None, *, always: bool = False
    ) -> None:
        self.items, self.alike, self.always = items, alike, always

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
        """One user's list; None where all items are to be scored."""
        depth = 2 * k + _LEAST + len(seen)
        if not self.pays(self.items, depth, None if candidates is None else len(candidates)):
            return None
        near, products = self.items.search(parts.vector(user), depth, candidates)
        if near[0, -1] < 0:  # fewer were found than asked for
            return None
        moved = parts.moved(user)
        if candidates is not None:
            moved = moved[np.isin(moved, candidates)]
        pool = np.setdiff1d(np.union1d(near[0], moved), seen)
        if len(pool) < k:
            return None
        ranker = Ranker(
            scorer.n_users, scorer.n_items, None, users=np.array([user]), candidates=pool
        )
        ranked = ranker.rank(scorer, k)
        # Whatever was not found has no higher score than the last that was, but may have the same.
        if not _above(ranked.scores[0], products[0, -1]):
            return None
        return ranked.items[0], ranked.scores[0]

    def similar(self, scorer: Scorer, item: int, k: int) -> Ranked:
        """See :meth:`Search.similar`: by the index of unit rows, where the scorer is two tables."""
        found = self._alike(scorer, item, k) if isinstance(scorer, TableScorer) else None
        return super().similar(scorer, item, k) if found is None else found

    def _alike(self, scorer: TableScorer, item: int, k: int) -> Ranked | None:
        depth = 2 * k + _LEAST + 1
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

    def pays(self, index: ItemIndex, depth: int, admitted: int | None = None) -> bool:
        """Whether a search so deep is quicker than to score what may be listed, ``admitted`` items or all."""
        size = len(index)
        admitted = size if admitted is None else admitted
        return depth < admitted and (self.always or index.work(depth, admitted / size) < admitted)


def _above(scores: FloatArray, last: float) -> bool:
    """Whether the lowest of a list's scores is higher than another by more than rounding."""
    return bool(scores[-1] - last > _ROUNDING * max(abs(scores[0]), abs(last)))
