"""Accuracy on cold items: each user's held-out cold items are ranked among all cold items of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from darec.data.cold import PARTS, HeldOut
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError
from darec.evaluation.evaluate import KS, evaluate_scorer
from darec.evaluation.metrics import ACCURACY
from darec.evaluation.result import Evaluation
from darec.scoring import Scorer
from darec.types import Interactions


def cold_part(dataset: Dataset, split: str) -> HeldOut:
    """The cold items of ``valid`` or ``test``.

    Raises:
        ConfigError: the split is neither of them.
        DataError: the dataset has no held-out items.
    """
    if split not in PARTS:
        raise ConfigError(f"no cold items for {split!r}: choose valid or test.")
    if split not in dataset.cold:
        raise DataError(
            f"the dataset {dataset.path or 'in memory'} has no cold items: import it with --split=cold-items."
        )
    return dataset.cold[split]


def evaluate_cold(scorer: Scorer, part: HeldOut, ks: Sequence[int] = KS) -> Evaluation:
    """Accuracy over the users who have one of the cold items. All cold items are candidates.

    Args:
        scorer: scorer of all users for these items.
        part: the cold items and the users who have them.
        ks: cut-offs.
    """
    nothing = np.zeros(0, np.int64)
    none = Interactions.from_pairs(nothing, nothing, part.pairs.n_users, part.pairs.n_items)
    return evaluate_scorer(
        scorer,
        target=part.pairs,
        exclude=none,
        train=none,
        ks=ks,
        metrics=tuple(ACCURACY),
        user_groups=0,
        item_groups=0,
    )
