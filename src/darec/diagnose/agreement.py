"""The agreement of neighbours: how many of an item's nearest neighbours in text are also nearest in co-interactions.

Both kinds of neighbours are searched among the items that have text. Co-interaction neighbours are the k items of
largest *positive* cosine of the training columns. An item that shares no user with another has none and is left out.
Cosines of small counts are often equal. If several items tie for the last places, each counts with the share of the
places that are left; this is its chance to be among the k if ties are broken at random. So the order of rows has no
effect.

If texts were assigned to items at random, the text neighbours of an item would be k random ones of the other n - 1
items. An item with m co-interaction neighbours (m <= k) then has an expected agreement of exactly m / (n - 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from darec.diagnose.estimate import THIRDS, ByPopularity, by_popularity
from darec.evaluation.groups import group_by_count
from darec.graph.nearest import find_neighbours
from darec.types import FloatArray, IntArray, Interactions

_BLOCK = 1024  # items whose cosines with all others are in memory at once
_TIE = 1e-9  # cosines that differ by less are equal up to rounding


@dataclass(frozen=True)
class Agreement:
    """Share of text neighbours that are co-interaction neighbours.

    Attributes:
        k: number of neighbours of each kind.
        share: mean over items, overall and by popularity; the intervals are over items.
        chance: exact expected share with texts assigned at random, overall and by popularity.
        reach: the largest possible mean share; below 1 if items have fewer than k co-interaction neighbours.
        items: number of items that are counted.
        left_out: number of items with text that share no user with another such item.
    """

    k: int
    share: ByPopularity
    chance: tuple[float | None, ...]
    reach: float
    items: int
    left_out: int

    @property
    def lift(self) -> float:
        """The overall share as a multiple of chance."""
        return self.share.overall.value / self.chance[0] if self.chance[0] else 0.0


def shuffled_neighbours(unit: FloatArray, k: int, seed: int) -> tuple[IntArray, FloatArray]:
    """[n, k] rows and cosines of the nearest rows.

    Equal ones are in random order, since rows are often sorted by time.
    """
    order = np.random.default_rng(seed).permutation(len(unit))
    near, cosines, _ = find_neighbours(torch.from_numpy(unit[order]), k)
    back = np.argsort(order)
    return order[near.numpy()][back], cosines.numpy()[back]


def agreement(near: IntArray, rows: IntArray, train: Interactions) -> Agreement | None:
    """Compare neighbours in text with neighbours in training interactions.

    Args:
        near: [n, k] places in ``rows`` of the nearest neighbours in text of each item with text.
        rows: [n] the rows of the items that have text.
        train: the training pairs.

    Returns:
        None if no two items with text share a user.
    """
    n, k = near.shape
    share, most = item_agreement(near, rows, train)
    counted = most > 0
    if not counted.any():
        return None
    third = group_by_count(train.item_degree, THIRDS)[rows]
    inside = np.stack([counted, *(counted & (third == group) for group in range(THIRDS))])
    return Agreement(
        k=k,
        share=by_popularity(np.where(inside, share, np.nan)),
        chance=tuple(float(most[i].mean()) / (n - 1) if i.any() else None for i in inside),
        reach=float(most[counted].mean()) / k,
        items=int(counted.sum()),
        left_out=int((~counted).sum()),
    )


def item_agreement(
    near: IntArray, rows: IntArray, train: Interactions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[n] share of each item, and [n] m, its number of co-interaction neighbours (at most k)."""
    n, k = near.shape
    ones = np.ones(len(train))
    matrix = sparse.csc_array((ones, (train.users, train.items)), (train.n_users, train.n_items))
    columns = sparse.csc_array(matrix[:, rows])
    columns = columns @ sparse.diags_array(1 / np.sqrt(np.maximum(train.item_degree[rows], 1)))
    transposed = sparse.csr_array(columns.T)
    share, most = np.zeros(n), np.zeros(n)
    weight = np.zeros(n)
    for start in range(0, n, _BLOCK):
        cosines = sparse.csr_array(transposed[start : start + _BLOCK] @ columns)
        for i in range(cosines.shape[0]):
            part = slice(cosines.indptr[i], cosines.indptr[i + 1])
            others, values = cosines.indices[part], cosines.data[part]
            others, values = others[others != start + i], values[others != start + i]
            weight[others] = _places(values, k)
            most[start + i] = weight[others].sum()
            share[start + i] = weight[near[start + i]].sum() / k
            weight[others] = 0
    return share, most


def _places(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return each value's chance to be among the k largest if ties are broken at random."""
    if len(values) <= k:
        return np.ones(len(values))
    last = np.partition(values, len(values) - k)[len(values) - k]
    above, tied = values > last + _TIE, np.abs(values - last) <= _TIE
    return np.asarray(above + tied * (k - above.sum()) / tied.sum(), np.float64)
