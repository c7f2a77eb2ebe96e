"""Evaluation of a scorer against held-out pairs: metrics per user, overall and by group.

:class:`Evaluator` stores what does not change between calls, so that training can call it every few epochs.
:class:`Evaluation` has a value for each user, so that two runs can be compared user by user.

Names of values: ``recall@20`` over all users; ``users/1of3/recall@20`` over the third of the users with the
fewest training items; ``items/1of3/recall@20`` counts only targets among the third of the items with the fewest
training users, over the users who have such targets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, did_you_mean
from darec.evaluation import metrics as m
from darec.evaluation.groups import describe, group_by_count
from darec.evaluation.result import GROUP_METRICS, Evaluation
from darec.evaluation.shared import SharedRanking
from darec.scoring import Ranked, Ranker, Scorer, TableScorer, check_k
from darec.types import IntArray, Interactions, Tables

KS: Final = (5, 10, 20)
MASKS: Final = ("train", "train+valid")
JUDGES: Final = 50_000
"""Default of the largest number of users on whom a model is validated during training."""


class Evaluator:
    """Evaluates any scorer on one problem, which consists of the pairs to find and the pairs that are not ranked.

    Only users with a target are counted. Every item of the catalogue is ranked, except the user's excluded ones.

    Args:
        target: the pairs to find.
        exclude: pairs never ranked; see :func:`exclusion`.
        train: the training pairs, from which popularity and activity are counted.
        ks: the cut-offs K.
        user_groups: number of groups of users by activity; 0 for none.
        item_groups: number of groups of items by popularity; 0 for none.
        batch_size: number of users scored at once; None is a number that suits the device.

    Attributes:
        sharing: processes that take part in ranking, within its block; None ranks in this process.

    Raises:
        ConfigError: there is no K, a K is below 1 or above the number of items, or a number of groups is negative.
        DataError: there is no target, a target is excluded, or the pairs have different users and items.
    """

    def __init__(
        self,
        target: Interactions,
        exclude: Interactions,
        train: Interactions,
        ks: Sequence[int] = KS,
        *,
        user_groups: int = 3,
        item_groups: int = 3,
        batch_size: int | None = None,
    ) -> None:
        shapes = {(pairs.n_users, pairs.n_items) for pairs in (target, exclude, train)}
        if len(shapes) > 1:
            raise DataError(
                "target, exclusion and training pairs are over different users or items "
                f"({', '.join(f'{u} x {i}' for u, i in sorted(shapes))}): take them from one dataset."
            )
        if not len(target):
            raise DataError("nothing to evaluate on: the split has no interactions.")
        if not ks:
            raise ConfigError("no K to evaluate at: name at least one.")
        for k in ks:
            check_k(k, target.n_items)
        masked = exclude.contains(target.users, target.items)
        if masked.any():
            first = int(masked.argmax())
            raise DataError(
                f"{masked.sum()} of {len(target)} pairs to find are excluded from the ranking (first: user row "
                f"{target.users[first]}, item row {target.items[first]}): the splits overlap."
            )
        self.target, self.train = target, train
        self.ks = tuple(sorted(set(ks)))
        self.users = np.flatnonzero(target.user_degree)
        self.n_relevant = target.user_degree[self.users]
        self.problem = _digest(target, exclude)
        self.sharing: SharedRanking | None = None
        self._ranker = Ranker(
            target.n_users, target.n_items, exclude, users=self.users, batch_size=batch_size
        )
        self._user_labels = (
            group_by_count(train.user_degree, user_groups)
            if user_groups
            else np.zeros(target.n_users, np.int64)
        )
        self._item_labels = (
            group_by_count(train.item_degree, item_groups)
            if item_groups
            else np.zeros(target.n_items, np.int64)
        )
        self.groups = (
            *describe("users", train.user_degree, self._user_labels, user_groups),
            *describe("items", train.item_degree, self._item_labels, item_groups),
        )

    def evaluate(self, scorer: Scorer | Tables, metrics: Sequence[str] = m.METRICS) -> Evaluation:
        """Rank all items for every user with a target and judge the lists.

        Args:
            scorer: a scorer of U users and I items, or two tables for a :class:`~darec.scoring.TableScorer`.
            metrics: names from :data:`darec.evaluation.metrics.METRICS`.

        Raises:
            ConfigError: a metric is unknown.
            DataError: the scorer does not fit the dataset.
            RunError: scores would be NaN or infinite.
        """
        _check(metrics)
        if isinstance(scorer, Tables):
            scorer = TableScorer(scorer)
        lists = self.sharing.rank(scorer, self.ks[-1]) if self.sharing else None
        return self.judge(lists or self._ranker.rank(scorer, self.ks[-1]), metrics)

    def judge(self, lists: Ranked, metrics: Sequence[str] = m.METRICS) -> Evaluation:
        """Evaluate given lists, for scores that do not come from a scorer.

        Args:
            lists: the largest K items of each of ``self.users``; see :func:`darec.scoring.select`.
            metrics: names from :data:`darec.evaluation.metrics.METRICS`.

        Raises:
            ConfigError: an unknown metric.
            DataError: lists for other users or of another length.
        """
        _check(metrics)
        items = lists.items
        if items.shape != (len(self.users), self.ks[-1]):
            raise DataError(
                f"lists of shape {list(items.shape)}: {len(self.users)} users with {self.ks[-1]} items each are judged."
            )
        hits = self.target.contains(self.users[:, None], items) & (items >= 0)
        per_user: dict[str, m.Values] = {}
        overall: dict[str, float] = {}
        for name in metrics:
            for k in self.ks:
                key, listed = f"{name}@{k}", items[:, :k]
                if name in m.ACCURACY:
                    per_user[key] = m.ACCURACY[name](hits[:, :k], self.n_relevant)
                elif name == "novelty":
                    n_trained = int((self.train.user_degree > 0).sum())
                    per_user[key] = m.novelty(listed, self.train.item_degree, n_trained)
                elif name == "popularity":
                    per_user[key] = m.popularity(listed, self.train.item_degree)
                elif name == "tied":
                    overall[key] = float(lists.tied(k).mean())
                else:
                    overall[key] = m.coverage(listed, self.target.n_items)
        per_user |= self._by_item_group(items, hits, [n for n in GROUP_METRICS if n in metrics])
        labels = self._user_labels[self.users]
        return Evaluation(self.users, per_user, overall, labels, self.groups, self.problem)

    def _by_item_group(
        self, items: IntArray, hits: m.Hits, names: list[str]
    ) -> dict[str, m.Values]:
        """``names`` with the targets of one item group alone; NaN for users without such a target."""
        values = {}
        groups = [group for group in self.groups if group.kind == "items" and group.size]
        for group in groups if names else []:
            inside = self._item_labels == group.index - 1
            n_relevant = np.bincount(
                self.target.users[inside[self.target.items]], minlength=self.target.n_users
            )[self.users]
            counted = n_relevant > 0
            group_hits = (hits & inside[items])[counted]
            for name in names:
                for k in self.ks:
                    column = np.full(len(self.users), np.nan)
                    column[counted] = m.ACCURACY[name](group_hits[:, :k], n_relevant[counted])
                    values[f"{group.name}/{name}@{k}"] = column
        return values


def evaluate_scorer(
    scorer: Scorer | Tables,
    *,
    target: Interactions,
    exclude: Interactions,
    train: Interactions,
    ks: Sequence[int] = KS,
    batch_size: int | None = None,
    metrics: Sequence[str] = m.METRICS,
    user_groups: int = 3,
    item_groups: int = 3,
) -> Evaluation:
    """Evaluate once; see :class:`Evaluator` for the arguments and errors."""
    evaluator = Evaluator(
        target,
        exclude,
        train,
        ks,
        user_groups=user_groups,
        item_groups=item_groups,
        batch_size=batch_size,
    )
    return evaluator.evaluate(scorer, metrics)


def exclusion(dataset: Dataset, split: str, mask: str = "train") -> Interactions:
    """The pairs that are left out of the ranking when ``split`` is evaluated.

    Args:
        dataset: the dataset.
        split: ``"valid"`` or ``"test"``.
        mask: ``"train"`` is the protocol of the RLMRec code and the papers that follow it: at test time the validation
            items remain candidates. None of them is a target, so they take places from test items. ``"train+valid"``
            removes them too. On ``"valid"`` both mean the training pairs.

    Raises:
        ConfigError: another split or mask.
    """
    if split not in ("valid", "test"):
        raise ConfigError(f"cannot evaluate on {split!r}: choose valid or test.")
    if mask not in MASKS:
        raise ConfigError(f"unknown mask {mask!r}: {did_you_mean(mask, MASKS)}")
    if mask == "train" or split == "valid":
        return dataset.train
    return dataset.train.union(dataset.valid)


def validator(
    dataset: Dataset, k: int, users: IntArray | None = None, item_groups: int = 0
) -> Evaluator:
    """The evaluator on the validation split during training, with one cut-off.

    Args:
        dataset: the dataset with the split.
        k: the cut-off.
        users: rows of the users to evaluate; None is all.
        item_groups: number of groups of items by popularity; 0 for none.
    """
    train, valid = dataset.train, dataset.valid
    if users is not None:
        kept = np.isin(valid.users, users)
        valid = Interactions.from_pairs(
            valid.users[kept], valid.items[kept], valid.n_users, valid.n_items
        )
    return Evaluator(valid, train, train, (k,), user_groups=0, item_groups=item_groups)


def judges(dataset: Dataset, most: int | None = None) -> IntArray | None:
    """Rows of the validation users on whom a model is evaluated during training; None is all of them.

    Args:
        dataset: with the split.
        most: largest number; None is :data:`JUDGES`. If there are more, a sample is drawn with seed 0, independent of
            the seed of a run, so that all runs on a dataset are evaluated on the same users.
    """
    users = np.flatnonzero(dataset.valid.user_degree)
    most = JUDGES if most is None else most
    if len(users) <= most:
        return None
    return np.sort(np.random.default_rng(0).permutation(users)[:most])


def _check(metrics: Sequence[str]) -> None:
    for name in metrics:
        if name not in m.METRICS:
            raise ConfigError(f"unknown metric {name!r}: {did_you_mean(name, m.METRICS)}")


def _digest(target: Interactions, exclude: Interactions) -> str:
    """Digest that is equal exactly if two evaluations have the same targets and the same mask."""
    digest = hashlib.sha256(f"{target.n_users} {target.n_items} {len(target)}".encode())
    for pairs in (target, exclude):
        for keys, _, _ in pairs.blocks():
            digest.update(keys.data)
    return digest.hexdigest()[:16]
