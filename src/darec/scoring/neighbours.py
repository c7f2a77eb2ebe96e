"""Scores of new items after those of a scorer: weighted means of the scores of items that represent them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from darec.errors import RunError
from darec.scoring.base import Arrays, Explanation, Scorer, Term
from darec.scoring.ranking import Fill
from darec.types import FloatArray, IntArray


class NeighbourScorer(Scorer):
    """``score(u, I + n) = sum_i w_ni score(u, i)``; a history that contains ``I + n`` contains each i with weight w_ni.

    For an item-item matrix B this equals the matrix ``L B L'`` over all items, where L is the identity above W. The
    matrix is not computed.

    Args:
        scorer: of U users and I items.
        weights: W [m, I], sparse.
        ties: [I + m] places of all items.
    """

    kind: ClassVar[str] = "neighbours"

    def __init__(self, scorer: Scorer, weights: sparse.csr_array, ties: IntArray) -> None:
        super().__init__(scorer.n_users, scorer.n_items + weights.shape[0], ties)
        self.scorer, self.weights = scorer, weights.astype(np.float32)
        self.trusted = scorer.trusted

    def check(self) -> None:
        """Check the scorer."""
        self.scorer.check()

    def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
        """See :meth:`Scorer.fill`."""
        n_old = self.scorer.n_items
        asked = np.arange(self.n_items) if items is None else np.asarray(items, np.int64)
        new = asked >= n_old
        weights = self.weights[asked[new] - n_old]
        wanted = None if items is None else np.union1d(asked[~new], weights.indices)
        if wanted is not None:  # columns of the scored items; all if there are none
            weights = weights[:, wanted]
        size = n_old if wanted is None else len(wanted)
        fill = self.scorer.fill(users, wanted, size)
        columns = asked[~new] if wanted is None else np.searchsorted(wanted, asked[~new])
        old, at = torch.from_numpy(np.flatnonzero(~new)), torch.from_numpy(np.flatnonzero(new))

        def filled(start: int, stop: int, block: Tensor) -> None:
            scores = torch.empty(stop - start, size)
            fill(start, stop, scores)
            block[:, old] = scores[:, torch.from_numpy(columns)]
            if len(at):
                block[:, at] = torch.from_numpy((weights @ scores.numpy().T).T)

        return filled

    def fold(self, histories: sparse.csr_array) -> sparse.csr_array:
        """[n, I + m] histories over all items as [n, I] over those of the scorer."""
        n_old = self.scorer.n_items
        rows = sparse.csr_array(histories)
        return sparse.csr_array(rows[:, :n_old] + rows[:, n_old:] @ self.weights)

    def for_histories(self, histories: sparse.csr_array) -> NeighbourScorer:
        """Each new item is replaced by the items that represent it."""
        scorer = self.scorer.for_histories(self.fold(histories))
        scorer.trusted = self.trusted
        return NeighbourScorer(scorer, self.weights, self.ties)

    def explain(self, user: int, item: int) -> Explanation:
        """The weighted sum of the terms of the items that represent it."""
        n_old = self.scorer.n_items
        if item < n_old:
            return self.scorer.explain(user, item)
        row = self.weights[[item - n_old]]
        sums: dict[tuple[str, int | None], float] = {}
        for other, weight in zip(row.indices, row.data, strict=True):
            for term in self.scorer.explain(user, int(other)).terms:
                key = term.name, term.item
                sums[key] = sums.get(key, 0.0) + float(weight) * term.value
        terms = [Term(name, value, source) for (name, source), value in sums.items()]
        terms.sort(key=lambda term: -abs(term.value))
        return Explanation(sum(term.value for term in terms), tuple(terms))

    def similarities(self, items: IntArray) -> FloatArray:
        """[n, I + m] weighted scores of the items that represent each item."""
        left = self._left()[np.asarray(items, np.int64)]
        wanted = np.unique(left.indices).astype(np.int64)
        values = np.asarray(left[:, wanted] @ self.scorer.similarities(wanted))
        return np.concatenate([values, (self.weights @ values.T).T], axis=1).astype(np.float32)

    def item_vectors(self) -> FloatArray | None:
        """The scores of the scorer, and weighted means of them."""
        vectors = self.scorer.item_vectors()
        return None if vectors is None else np.concatenate([vectors, self.weights @ vectors])

    def arrays(self) -> dict[str, Tensor]:
        """Refused: new items become ordinary items by training."""
        raise RunError("a scorer with new items is not saved: save the one without them.")

    @classmethod
    def from_arrays(cls, arrays: Arrays, about: Mapping[str, Any], ties: IntArray) -> Scorer:
        """Refused: no file has such a scorer."""
        raise RunError("no file holds a scorer with new items.")

    def _left(self) -> sparse.csr_array:
        """L [I + m, I]: each new item as the items that represent it, each old item as itself."""
        same = sparse.eye_array(self.scorer.n_items, dtype=np.float32)
        return sparse.csr_array(sparse.vstack([same, self.weights]))
