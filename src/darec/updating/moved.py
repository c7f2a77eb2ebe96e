"""How much an update has changed the lists of earlier users."""

from __future__ import annotations

from typing import Final

import numpy as np

from darec.scoring import Scorer
from darec.types import IntArray, Interactions

K: Final = 10
USERS: Final = 2000
"""Largest number of users to compare."""


def moved(
    before: Scorer, after: Scorer, seen: Interactions, n_users: int, touched: IntArray
) -> dict[str, float]:
    """Mean share of a user's ten best items that are among the ten best afterwards too.

    Args:
        before: scorer of the earlier users and items.
        after: scorer of all users and items.
        seen: the items of all users, which are left out of both lists.
        n_users: number of earlier users.
        touched: rows of users with new interactions; ``quiet`` leaves them out.
    """
    drawn = np.sort(np.random.default_rng(0).permutation(n_users)[:USERS])
    k = min(K, before.n_items)
    had = seen.items < before.n_items
    old = seen.users < before.n_users
    known = Interactions.from_pairs(
        seen.users[had & old], seen.items[had & old], before.n_users, before.n_items
    )
    one, _ = before.top_k(drawn, k, exclude=known)
    other, _ = after.top_k(drawn, k, exclude=seen)
    shares = np.array(
        [
            np.isin(mine[mine >= 0], then).mean() if (mine >= 0).any() else 1.0
            for mine, then in zip(one, other, strict=True)
        ]
    )
    quiet = ~np.isin(drawn, touched)
    found: dict[str, float] = {f"overlap@{K}": float(shares.mean()), "users": len(drawn)}
    if quiet.any():
        found[f"overlap@{K}_quiet"] = float(shares[quiet].mean())
    return found
