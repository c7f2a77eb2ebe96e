"""Candidates for the prediction of an item: the items that its users have most often, then those nearest in text."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from darec.numerics.gram import Gram
from darec.types import FloatArray, IntArray

_POOL: Final = (
    32_768  # number of items among which neighbours in text are searched, so that time stays linear
)


class Candidates:
    """The candidates of every item.

    Args:
        gram: the number of common users of each two of I items.
        most: largest number of candidates of an item. If all other items fit, all are candidates.
        nearness: two tables [I, r] whose inner products measure nearness in text, or None.
        near: largest number of items added by text, if fewer than ``most`` share a user. Above 32,768 items, only the
            32,768 items with most users are searched, which matter most for predictions.
    """

    def __init__(
        self, gram: Gram, most: int, nearness: tuple[Tensor, Tensor] | None, near: int
    ) -> None:
        self.gram, self.most, self.near = gram, most, near
        self.users = gram.matrix.diagonal()
        self.n = len(self.users)
        self.all = most >= self.n - 1
        self.pool: IntArray = np.sort(np.argsort(-self.users, kind="stable")[:_POOL])
        self._in_pool = np.full(self.n, -1)
        self._in_pool[self.pool] = np.arange(len(self.pool))
        self._nearness = None
        if nearness is not None and near and not self.all:
            self._nearness = nearness[0][torch.from_numpy(self.pool)], nearness[1]

    def of(self, items: range) -> list[tuple[IntArray, FloatArray]]:
        """The candidates of some items, ascending, and the number of users that each shares with the item."""
        together = [self._together(item) for item in items]
        near = self._near(items, [others for others, _ in together])
        found = []
        for (others, counts), new in zip(together, near, strict=True):
            candidates = np.concatenate([others, new])
            order = np.argsort(candidates)
            shared = np.concatenate([counts, np.zeros(len(new), np.float32)])
            found.append((candidates[order], shared[order]))
        return found

    def _together(self, item: int) -> tuple[IntArray, FloatArray]:
        """Items by the number of users that they share with one item; of equal ones, those with fewer users first."""
        others, counts = self.gram.row(item)
        others, counts = others[others != item].astype(np.int64), counts[others != item]
        if self.all:
            shared = np.zeros(self.n, np.float32)
            shared[others] = counts
            found = np.delete(np.arange(self.n), item)
            return found, shared[found]
        if len(others) > self.most:
            kept = np.lexsort((self.users[others], -counts))[: self.most]
            others, counts = others[kept], counts[kept]
        return others, counts

    def _near(self, items: range, known: list[IntArray]) -> list[IntArray]:
        """The items nearest to each in text, without known ones, up to the largest number."""
        if self._nearness is None:
            return [np.zeros(0, np.int64)] * len(items)
        pool, right = self._nearness
        scores = right[items.start : items.stop] @ pool.T
        for at, (item, others) in enumerate(zip(items, known, strict=True)):
            places = self._in_pool[np.append(others, item)]
            scores[at, torch.from_numpy(places[places >= 0])] = -torch.inf
        best = scores.topk(min(len(self.pool), self.near), dim=1)
        found = zip(best.indices.numpy(), best.values.numpy(), known, strict=True)
        return [
            self.pool[places[values > 0]][: self.most - len(others)]
            for places, values, others in found
        ]
