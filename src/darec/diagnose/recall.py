"""Recall@20 on the validation split of scorers, of the best of several, and of sums of two.

Whatever is chosen, a setting or a weight, is chosen on one half of the users and read on the other, both ways, so that
no figure is flattered by the choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from darec.data.dataset import Dataset
from darec.diagnose.estimate import THIRDS
from darec.diagnose.scorers import Scorer, matrix_of
from darec.errors import DataError
from darec.evaluation.evaluate import Evaluator
from darec.evaluation.metrics import Values
from darec.types import FloatArray, Interactions

K: Final = 20
WEIGHTS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of text in the sum of standardised scores."""
LEAST_USERS: Final = 50
_BLOCK = 256  # users whose scores of all items are held at once


@dataclass(frozen=True)
class Chosen:
    """The best of several, each half of the users by the other.

    Attributes:
        names: what the second half chose for the first, and the first for the second.
        columns: [4, n] recall of each user: all targets, then those of each third of the items.
    """

    names: tuple[str, str]
    columns: Values


class Recalls:
    """Ranks all items for users with validation items.

    Args:
        dataset: training pairs are masked, validation pairs are sought.
        max_users: so many users at most, drawn at random.
        seed: of the draw and the halves.

    Raises:
        DataError: too few users with validation items, or no more items than the list is long.
    """

    def __init__(self, dataset: Dataset, max_users: int, seed: int) -> None:
        if not len(dataset.valid):
            raise DataError(
                "the dataset has no validation split, on which recall is measured: import it again with --split "
                "random, or with a split column that says 'valid' for some interactions."
            )
        if dataset.n_items <= K:
            raise DataError(
                f"{dataset.n_items} items: recall@{K} needs more than {K}. Import more items."
            )
        rng = np.random.default_rng(seed)
        users = rng.permutation(np.flatnonzero(dataset.valid.user_degree))[:max_users]
        if len(users) < LEAST_USERS:
            raise DataError(
                f"{len(users)} users have validation interactions and at least {LEAST_USERS} are needed: import with "
                "a split that has more, or more data."
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

    def of(self, scorer: Scorer) -> Values:
        """[4, n] recall@20 of each user: all targets, then those of each third of the items; NaN without any."""
        lists = []
        for start in range(0, len(self.users), _BLOCK):
            users = self.users[start : start + _BLOCK]
            scores = scorer(users)
            seen = self._matrix[users].tocoo()
            scores[seen.row, seen.col] = -np.inf
            best = torch.from_numpy(scores).topk(K, dim=1)
            lists.append(best.indices.where(best.values > -torch.inf, -1).numpy())
        found = self.evaluator.judge(np.concatenate(lists), ["recall"]).per_user
        names = [f"items/{third + 1}of{THIRDS}/recall@{K}" for third in range(THIRDS)]
        none = np.full(len(self.users), np.nan)  # ties can leave a third without items
        return np.stack([found[f"recall@{K}"], *(found.get(name, none) for name in names)])

    def at_random(self) -> Values:
        """[4, n] the exact expectation of :meth:`of` for a ranking at random."""
        left = self.train.n_items - self.train.user_degree[self.users]
        expected = np.minimum(K / np.maximum(left, 1), 1)
        groups = self.of(lambda users: np.zeros((len(users), self.train.n_items), np.float32))
        return np.where(np.isnan(groups), np.nan, expected)

    def best(self, candidates: Mapping[str, Values]) -> Chosen:
        """The candidate of highest recall, chosen by the other half of the users; the first of equals."""
        names = []
        for half in (~self.first, self.first):
            names.append(max(candidates, key=lambda name: float(candidates[name][0, half].mean())))
        columns = np.where(self.first, candidates[names[0]], candidates[names[1]])
        return Chosen((names[0], names[1]), columns)


def mixed(one: Scorer, other: Scorer, weight: float) -> Scorer:
    """The sum of two scores, each standardised over all items of a user; ``weight`` in 0..1 is that of ``other``."""
    return lambda users: (1 - weight) * _standard(one(users)) + weight * _standard(other(users))


def _standard(scores: FloatArray) -> FloatArray:
    centre = scores - scores.mean(1, keepdims=True)
    width = centre.std(1, keepdims=True)
    return np.asarray(
        np.divide(centre, width, out=np.zeros_like(centre), where=width > 1e-12), np.float32
    )
