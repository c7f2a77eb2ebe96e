"""Users with a niche taste: those whose items have few other users.

Popularity added to every user's scores helps most users and takes from the least popular items, which mostly belong to
a few users. Their histories identify them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from darec.types import FloatArray, Interactions

PULL: Final = 5.0
"""Number of items of the usual popularity that are added to every history, so that short histories count little."""


@dataclass(frozen=True)
class Niche:
    """The limit between users with a niche taste and others.

    Attributes:
        usual: mean popularity of the items of all interactions.
        below: a user whose taste is below it has a niche taste.
    """

    usual: float
    below: float

    def spared(self, histories: Interactions, popularity: FloatArray) -> NDArray[np.bool_]:
        """[U] whether each user has a niche taste.

        Args:
            histories: the users' interactions.
            popularity: [I] popularity of the items.
        """
        below: NDArray[np.bool_] = tastes(histories, popularity, self.usual) < self.below
        return below


def tastes(histories: Interactions, popularity: FloatArray, usual: float) -> FloatArray:
    """[U] mean popularity of each user's items, with :data:`PULL` items of the usual popularity in addition.

    Args:
        histories: the users' interactions.
        popularity: [I] popularity of the items.
        usual: mean popularity of the items of all interactions.
    """
    sums = np.zeros(histories.n_users)
    for _, users, items in histories.blocks():
        sums += np.bincount(users, popularity[items], minlength=histories.n_users)
    return np.asarray((sums + PULL * usual) / (histories.user_degree + PULL))


def limits(
    train: Interactions, popularity: FloatArray, shares: Sequence[float]
) -> tuple[FloatArray, dict[float, Niche]]:
    """[U] the tastes of the users, and for each share the limit below which this share of the users is.

    Args:
        train: training interactions. Users without any are not counted.
        popularity: [I] popularity of the items.
        shares: each between 0, which is no user, and 1.
    """
    usual = float(popularity @ train.item_degree) / max(len(train), 1)
    found = tastes(train, popularity, usual)
    known = found[train.user_degree > 0]
    below = np.quantile(known, shares) if len(known) else np.full(len(shares), usual)
    return found, {share: Niche(usual, float(b)) for share, b in zip(shares, below, strict=True)}
