"""Recall@20 on the validation split, of scorers, of the best of several, and of sums of two.

Settings and weights are chosen on one half of the users and evaluated on the other, both ways, so that the choice does
not inflate the figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from darec.data.dataset import Dataset
from darec.diagnose.estimate import THIRDS
from darec.diagnose.scorers import ScoreFunction
from darec.errors import DataError
from darec.evaluation.evaluate import Evaluator
from darec.evaluation.metrics import Values
from darec.graph import matrix_of
from darec.scoring import Ranked, select
from darec.types import FloatArray, IntArray, Interactions

K: Final = 20
WEIGHTS: Final = (0.1, 0.2, 0.3, 0.5, 0.7)
"""Candidate weights of text in the sum of standardised scores."""
LEAST_USERS: Final = 50
_BLOCK = 256  # users whose scores of all items are in memory at once


@dataclass(frozen=True)
class Chosen:
    """The best of several candidates, chosen for each half of the users on the other half.

    Attributes:
        names: the choice of the second half for the first, and of the first for the second.
        columns: [4, n] recall of each user: all targets, then those of each third of the items.
    """

    names: tuple[str, str]
    columns: Values


class Recalls:
    """Ranks all items for users with validation items.

    Args:
        dataset: its training pairs are excluded from lists, and its validation pairs are the targets.
        max_users: the most users, which are drawn at random.
        seed: of the draw and the halves.

    Raises:
        DataError: too few users have validation items, or there are no more items than places in a list.
    """

    def __init__(self, dataset: Dataset, max_users: int, seed: int) -> None:
        if not len(dataset.valid):
            raise DataError(
                "the dataset has no validation split, on which recall is measured: import it again with "
                "--split=random, or with a split column that says 'valid' for some interactions."
            )
        if dataset.n_items <= K:
            raise DataError(
                f"{dataset.n_items} items: recall@{K} needs more than {K}. Import more items."
            )
        rng = np.random.default_rng(seed)
        users = rng.permutation(np.flatnonzero(dataset.valid.user_degree))[:max_users]
        if len(users) < LEAST_USERS:
            raise DataError(
                f"{len(users)} users have validation interactions and at least {LEAST_USERS} are needed: import "
                "more data, or with a larger validation split."
            )
        kept = np.isin(dataset.valid.users, users)
        target = Interactions.from_pairs(
            dataset.valid.users[kept], dataset.valid.items[kept], dataset.n_users, dataset.n_items
        )
        self.train = dataset.train
        self.evaluator = Evaluator(
            target, dataset.train, dataset.train, (K,), user_groups=0, item_groups=THIRDS
        )
        self.users = self.evaluator.users
        self.first = rng.permutation(len(self.users)) % 2 == 0
        self._matrix = matrix_of(dataset.train)
        self._ties = dataset.items.tie_order

    def of(self, scorer: ScoreFunction) -> Values:
        """[4, n] recall@20 of each user: all targets, then those of each third of the items; NaN without targets."""
        return self._rank(lambda users: [("it", torch.from_numpy(scorer(users)))])["it"]

    def of_sums(self, one: ScoreFunction, other: ScoreFunction) -> dict[str, Values]:
        """Return the recall of sums of two standardised scores, by the weight of ``other``."""

        def sums(users: IntArray) -> Iterator[tuple[str, Tensor]]:
            first, second = standardised(one(users)), standardised(other(users))
            held = torch.empty_like(first)
            for weight in WEIGHTS:
                yield f"{weight:g}", torch.lerp(first, second, weight, out=held)

        return self._rank(sums)

    def _rank(
        self, scores_of: Callable[[IntArray], Iterable[tuple[str, Tensor]]]
    ) -> dict[str, Values]:
        lists: dict[str, list[Ranked]] = defaultdict(list)
        for start in range(0, len(self.users), _BLOCK):
            users = self.users[start : start + _BLOCK]
            seen = self._matrix[users].tocoo()
            rows, columns = torch.from_numpy(seen.row).long(), torch.from_numpy(seen.col).long()
            for name, scores in scores_of(users):
                scores[rows, columns] = -torch.inf
                lists[name].append(select(scores, K, self._ties))
        return {name: self._columns(blocks) for name, blocks in lists.items()}

    def _columns(self, blocks: list[Ranked]) -> Values:
        lists = Ranked(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))
        found = self.evaluator.judge(lists, ["recall"]).per_user
        names = [f"items/{third + 1}of{THIRDS}/recall@{K}" for third in range(THIRDS)]
        none = np.full(len(self.users), np.nan)  # a third may have no items because of ties
        return np.stack([found[f"recall@{K}"], *(found.get(name, none) for name in names)])

    def at_random(self, like: Values) -> Values:
        """[4, n] exact expectation of a random ranking; NaN where ``like`` is NaN."""
        left = self.train.n_items - self.train.user_degree[self.users]
        return np.where(np.isnan(like), np.nan, np.minimum(K / np.maximum(left, 1), 1))

    def best(self, candidates: Mapping[str, Values]) -> Chosen:
        """Return the candidate of highest recall, chosen on the other half of the users; of equal ones the first."""
        names = []
        for half in (~self.first, self.first):
            names.append(max(candidates, key=lambda name: float(candidates[name][0, half].mean())))
        columns = np.where(self.first, candidates[names[0]], candidates[names[1]])
        return Chosen((names[0], names[1]), columns)


def standardised(scores: FloatArray) -> Tensor:
    """[n, I] scores of each user, standardised over all items; 0 if all are equal."""
    centre = torch.from_numpy(scores)
    centre = centre - centre.mean(1, keepdim=True)
    width = centre.square().mean(1, keepdim=True).sqrt()
    return centre / width.clamp(min=1e-12)
