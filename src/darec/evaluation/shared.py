"""Ranking by several processes: each ranks some of the users, and the leader gets the lists of all.

The leader alone has what is scored. It sends to each other process the part for that process's users, which for two
tables is the item table and the rows of these users.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from darec.processes import Group
from darec.scoring import Ranked, Ranker, Scorer
from darec.types import IntArray, Interactions


class SharedRanking:
    """Ranks the same users over and over; all processes of the group have one.

    Args:
        users: [n] user rows to rank, in ascending order.
        exclude: pairs that are not ranked.
        group: the processes.
    """

    def __init__(self, users: IntArray, exclude: Interactions, group: Group) -> None:
        self.group = group
        cuts = [len(users) * rank // group.size for rank in range(group.size + 1)]
        self.parts = [users[start:stop] for start, stop in pairwise(cuts)]
        own = self.parts[group.rank]
        self._own = Ranker(len(own), exclude.n_items, exclude.of_users(own))
        self._open = False

    @contextmanager
    def open(self) -> Iterator[None]:
        """Share each :meth:`rank` of the leader within the block. The others work for it until it leaves the block."""
        if not self.group.leads:
            while (k := self.group.told(None)) is not None:
                self._rank(Scorer.from_bytes(self.group.handed()), k)
            yield
            return
        self._open = True
        try:
            yield
        finally:
            self._open = False
        self.group.told(None)  # after an error the leader ends, which the others notice

    def rank(self, scorer: Scorer, k: int) -> Ranked | None:
        """The lists of all users, on the leader.

        Returns:
            None if the work is not shared: outside of :meth:`open`, on a GPU, which ranks fast by itself, and for a
            scorer that is not divided by users.

        Raises:
            RunError: scores would be NaN or infinite.
        """
        own = scorer.of_users(self.parts[0]) if self._open else None
        if own is None or scorer.device.type != "cpu":
            return None
        scorer.check()
        self.group.told(k)
        self.group.handed(lambda rank: _part(scorer, self.parts[rank]))
        return self._rank(own, k)

    def _rank(self, scorer: Scorer, k: int) -> Ranked | None:
        """Rank the users of this process, and give the lists of all to the leader."""
        scorer.trusted = True  # the leader has checked the whole
        lists = self._own.rank(scorer, k)._asdict()
        found = self.group.collected(save({name: torch.from_numpy(x) for name, x in lists.items()}))
        if not found:
            return None
        parts: list[dict[str, Any]] = [load(data) for data in found]
        return Ranked(*(np.concatenate([part[name] for part in parts]) for name in Ranked._fields))


def _part(scorer: Scorer, users: IntArray) -> bytes:
    part = scorer.of_users(users)
    assert part is not None  # one part of the users is as another
    return part.to_bytes()
