"""Scores that are computed once, for sums with another scorer in many weights."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from darec.memory import available_memory
from darec.scoring.added import AddedScorer
from darec.scoring.base import Scorer
from darec.scoring.ranking import Fill
from darec.types import IntArray

_MOST_BYTES: Final = 2 << 30  # of scores that are kept; more are computed for each sum


class HeldSum(AddedScorer):
    """``score(u, i) + weight * other(u, i)``, where ``score`` is in memory for some users.

    Args:
        scorer: the first scorer.
        other: the added scorer.
        weight: of ``other``.
        users: [n] rows.
        held: [n, I] scores of the first scorer for these users, from :func:`held_scores`; None computes them.
    """

    def __init__(
        self, scorer: Scorer, other: Scorer, weight: float, users: IntArray, held: Tensor | None
    ) -> None:
        super().__init__([scorer, other], [1.0, weight])
        self._users, self._held = users, held

    def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
        """See :meth:`Scorer.fill`."""
        held, weight = self._held, self.weights[1]
        if held is None or items is not None or not np.array_equal(users, self._users):
            return super().fill(users, items, width)
        fill_other = self.scorers[1].fill(users, items, width)

        def fill(start: int, stop: int, block: Tensor) -> None:
            fill_other(start, stop, block)
            block.mul_(weight)
            block[:, : self.n_items] += held[start:stop]

        return fill


def held_scores(scorer: Scorer, users: IntArray) -> Tensor | None:
    """[n, I] float32 scores of [n] users; None if they would take more than 2 GiB or a quarter of the free memory.

    On a GPU it is always None: it has less memory, and computes them fast enough.
    """
    needed, free = 4 * len(users) * scorer.n_items, available_memory()
    most = _MOST_BYTES if free is None else min(_MOST_BYTES, free / 4)
    if needed > most or scorer.device.type != "cpu":
        return None
    return torch.from_numpy(scorer.score(users))
