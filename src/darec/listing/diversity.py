"""Diverse lists: dissimilar items are preferred, or the number of items with one value of a field is limited.

Dissimilar items are preferred by maximal marginal relevance (Carbonell & Goldstein 1998): from a pool of the best
items, the next one has the largest ``(1 - d) relevance - d max_chosen cosine``. Relevance is the score, scaled to 0..1
over the user's pool, so that ``d`` means the same for every scorer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from darec.errors import ConfigError
from darec.types import FloatArray, IntArray

POOL: Final = 10
"""A list is chosen from this number times k best items."""
LEAST: Final = 100
"""Least number of items in a pool."""
_BYTES: Final = 32 << 20  # bytes of the pools' vectors in memory at once
NONE: Final = -1


@dataclass(frozen=True)
class Cap:
    """A limit on the number of items in a list that share one value of a field.

    Attributes:
        at_most: the limit.
        codes: [I, C] numbers of each item's values, -1 if there are fewer than C. Items without a value have no limit.
    """

    at_most: int
    codes: IntArray

    @property
    def n_codes(self) -> int:
        """Different values."""
        return int(self.codes.max(initial=NONE)) + 1

    @classmethod
    def of(cls, at_most: int, field: str, values: pl.Series) -> Cap:
        """The cap on a field whose values, or lists of values, are given.

        Raises:
            ConfigError: the number is below 1, or the type of the field cannot name groups.
        """
        if at_most < 1:
            raise ConfigError(f"--at-most={at_most}: must be at least 1.")
        kind = values.dtype
        lists = values if isinstance(kind, pl.List) else None
        if isinstance(kind, pl.Array):
            lists = values.arr.to_list()
        if isinstance(kind, pl.Struct) or (lists is not None and lists.dtype.inner.is_nested()):  # type: ignore[attr-defined]
            raise ConfigError(f"--per {field}: its values are {kind}, which cannot name a group.")
        size = len(values)
        frame = pl.DataFrame({"item": np.arange(size), "value": values if lists is None else lists})
        if lists is not None:
            frame = frame.explode("value").unique(maintain_order=True)
        frame = frame.drop_nulls()
        code = frame["value"].cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
        items = frame["item"].to_numpy()
        counts = np.bincount(items, minlength=size)
        place = np.arange(len(items)) - np.repeat(np.cumsum(counts) - counts, counts)
        codes = np.full((size, max(1, counts.max(initial=0))), NONE)
        codes[items, place] = code
        return cls(at_most, codes)


def pool_size(k: int, size: int) -> int:
    """Size of the pool for a list of ``k`` from ``size`` items."""
    return min(max(POOL * k, LEAST), size)


def choose(
    items: IntArray,
    scores: FloatArray,
    k: int,
    *,
    diversity: float = 0.0,
    vectors: FloatArray | None = None,
    cap: Cap | None = None,
) -> IntArray:
    """Positions in each pool of the items of a list, in the list's order.

    Args:
        items: [n, M] rows of items, best first; -1 where a pool ends early.
        scores: [n, M].
        k: the length of a list.
        diversity: d, from 0 (by score alone) to 1 (by dissimilarity alone).
        vectors: [I, d] whose cosine is the similarity of items; a row of zeros is similar to none. Needed if
            ``diversity`` > 0.
        cap: limit on items that share a value.

    Returns:
        [n, k] positions in 0..M-1, -1 after the end of a shorter list.
    """
    width = 4 * cap.n_codes + 8 * items.shape[1] * cap.codes.shape[1] if cap else 0
    if diversity and vectors is not None:
        width += 4 * items.shape[1] * vectors.shape[1]
    size = max(1, _BYTES // max(width, 1))
    chosen = np.full((len(items), k), NONE)
    for at in range(0, len(items), size):
        some = slice(at, at + size)
        if diversity and vectors is not None:
            chosen[some] = _spread(items[some], scores[some], k, diversity, vectors, cap)
        elif cap is not None:
            chosen[some] = _capped(items[some], k, cap)
        else:
            chosen[some] = _first(items[some], k)
    return chosen


def _first(items: IntArray, k: int) -> IntArray:
    places = np.broadcast_to(np.arange(k), (len(items), k))
    return np.where(items[:, :k] == NONE, NONE, places)


def _capped(items: IntArray, k: int, cap: Cap) -> IntArray:
    """Take items in the order of the pools, without those that exceed the limit."""
    n, size = items.shape
    taken = _Taken(n, cap)
    chosen, length = np.full((n, k), NONE), np.zeros(n, np.int64)
    rows = np.arange(n)
    for place in range(size):
        item = items[:, place]
        fits = (item != NONE) & (length < k) & taken.free(item[:, None])[:, 0]
        who = rows[fits]
        chosen[who, length[who]] = place
        length[who] += 1
        taken.add(who, item[who])
        if (length == k).all():
            break
    return chosen


def _spread(
    items: IntArray,
    scores: FloatArray,
    k: int,
    diversity: float,
    vectors: FloatArray,
    cap: Cap | None,
) -> IntArray:
    n, size = items.shape
    there = items != NONE
    low = np.where(there, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    high = np.where(there, scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    relevance = (scores - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
    gain = (1 - diversity) * torch.from_numpy(np.where(there, relevance, 0).astype(np.float32))
    pools = F.normalize(torch.from_numpy(vectors[np.where(there, items, 0)]).float(), dim=2)
    nearest = torch.zeros(n, size)
    closed = torch.from_numpy(~there)
    taken = _Taken(n, cap) if cap else None
    chosen = np.full((n, k), NONE)
    rows = np.arange(n)
    for place in range(min(k, size)):
        value = (gain - diversity * nearest).masked_fill(closed, -torch.inf)
        if taken is not None:
            value.masked_fill_(torch.from_numpy(~taken.free(items)), -torch.inf)
        best = value.argmax(dim=1)
        open_ = value[rows, best].isfinite().numpy()
        at = best.numpy()
        chosen[open_, place] = at[open_]
        closed[rows[open_], best[open_]] = True
        cosine = torch.bmm(pools, pools[rows, best][:, :, None])[:, :, 0]
        nearest = cosine if place == 0 else torch.maximum(nearest, cosine)
        if taken is not None:
            taken.add(rows[open_], items[rows[open_], at[open_]])
    return chosen


class _Taken:
    """Number of items with each value in each list."""

    def __init__(self, n: int, cap: Cap) -> None:
        self.cap = cap
        self.counts = np.zeros(
            (n, cap.n_codes + 1), np.int32
        )  # the last column is for items without a value

    def free(self, items: IntArray) -> NDArray[np.bool_]:
        """[n, m] whether each list may take each of [n, m] items."""
        codes = self.cap.codes[items]
        counts = self.counts[np.arange(len(items))[:, None, None], codes]
        full: NDArray[np.bool_] = ((counts >= self.cap.at_most) & (codes != NONE)).any(axis=2)
        return ~full

    def add(self, lists: IntArray, items: IntArray) -> None:
        """Add one item to each list."""
        codes = self.cap.codes[items]
        np.add.at(self.counts, (np.repeat(lists, codes.shape[1]), codes.ravel()), 1)
