"""Iterative k-core: keep users and items that have at least k interactions with each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darec.types import IntArray


def k_core(users: IntArray, items: IntArray, k: int) -> NDArray[np.bool_]:
    """Which pairs are in the largest set in which every user and every item has at least ``k`` pairs.

    Args:
        users: [E] user of each pair, distinct pairs.
        items: [E] item of each pair.
        k: the smallest number of pairs; 1 or less keeps all.

    Returns:
        [E] bool; all False if no such set exists.
    """
    kept = np.ones(len(users), bool)
    if not len(users):
        return kept
    while True:
        few_users = np.bincount(users[kept], minlength=users.max() + 1) < k
        few_items = np.bincount(items[kept], minlength=items.max() + 1) < k
        drop = kept & (few_users[users] | few_items[items])
        if not drop.any():
            return kept
        kept &= ~drop
