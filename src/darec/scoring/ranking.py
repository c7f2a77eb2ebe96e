"""Full ranking: the K best items of every user, by any scorer.

The scores of a block of users are written into a reused buffer, in which excluded items are set to minus infinity by
flat index. With ``torch.topk`` alone, selecting the best items from the buffer costs more than filling it. So the
selection has two exact stages: first the maxima of strided groups of items, then only the members of the best groups
(:func:`select`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darec.errors import ConfigError, DataError
from darec.types import FloatArray, IntArray, Interactions

Fill = Callable[[int, int, Tensor], None]
"""Writes the scores of users ``start`` to ``stop`` into the leading columns of a block."""


class ScoreSource(Protocol):
    """The part of a :class:`~darec.scoring.base.Scorer` that ranking needs."""

    n_users: int
    n_items: int
    ties: IntArray
    trusted: bool

    @property
    def device(self) -> torch.device:
        """The device on which scores are computed."""

    def check(self) -> None:
        """Raise ``RunError`` if a score would be NaN or infinite."""

    def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
        """Prepare the scores of users for items, to be written block by block."""


_ROUNDING = 2.0**-20  # eight units in the last place of float32
# Bytes of the score buffer where no batch size is given: a CPU wants it to stay in its cache, a GPU wants
# enough work for each kernel.
_BUFFER_BYTES = {"cpu": 2 << 20, "cuda": 256 << 20}
_LEAST_USERS = 16  # the least number of users that are scored at once: the item table is read once for all of them


class Ranked(NamedTuple):
    """The best items of n users, best first.

    Attributes:
        items: [n, k] int64 rows; -1 if a user has fewer candidates.
        scores: [n, k] float32; minus infinity if a user has fewer candidates.
        next_scores: [n] float32, the best score that is not listed; minus infinity if all candidates are listed.
    """

    items: IntArray
    scores: FloatArray
    next_scores: FloatArray

    def tied(self, k: int) -> NDArray[np.bool_]:
        """[n] whether the first ``k`` end inside a tie, so that the order of equal scores decides what is listed."""
        after = self.scores[:, k] if k < self.scores.shape[1] else self.next_scores
        last, first = (torch.from_numpy(self.scores[:, place]) for place in (k - 1, 0))
        tied: NDArray[np.bool_] = _equal(last, torch.from_numpy(after), first).numpy()
        return tied


class Ranker:
    """Ranks the same users over the same candidates repeatedly, for a scorer that changes.

    Args:
        n_users: U.
        n_items: I.
        exclude: pairs that are not ranked, or None.
        users: [n] user rows to rank, in any order; None for all U.
        candidates: [m] item rows that may be ranked; None for all I. Repeats are dropped.
        batch_size: number of users scored at once. None fits a buffer of 2 MiB (CPU) or 256 MiB (GPU), but takes at
            least 16
        users: 64 MB for a million items.

    Raises:
        ConfigError: the batch size is below 1.
        DataError: ``exclude`` has another shape, or a user or candidate is out of range.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        exclude: Interactions | None,
        *,
        users: IntArray | None = None,
        candidates: IntArray | None = None,
        batch_size: int | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ConfigError(f"batch size {batch_size}: give at least 1.")
        if exclude is not None and (exclude.n_users, exclude.n_items) != (n_users, n_items):
            raise DataError(
                f"the pairs to exclude are over {exclude.n_users} users x {exclude.n_items} items, "
                f"the ranking is over {n_users} x {n_items}: take both from one dataset."
            )
        self.n_users, self.n_items, self.batch_size = n_users, n_items, batch_size
        self.users = _rows("user", users, n_users)
        self.candidates = (
            None if candidates is None else _distinct(_rows("candidate item", candidates, n_items))
        )
        self._rows, self._columns, self._starts = self._excluded(exclude)

    def _excluded(self, exclude: Interactions | None) -> tuple[Tensor, Tensor, IntArray]:
        """Coordinates of the masked pairs: row in ``users``, column in the candidates, starts by row."""
        if exclude is None:
            none = torch.zeros(0, dtype=torch.long)
            return none, none, np.zeros(len(self.users) + 1, np.int64)
        counts = exclude.user_degree[self.users]
        rows = np.repeat(np.arange(len(self.users)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        columns = exclude.items[exclude.indptr[self.users][rows] + within].astype(np.int64)
        if self.candidates is not None:
            column_of = np.full(self.n_items, -1, np.int64)
            column_of[self.candidates] = np.arange(len(self.candidates))
            columns = column_of[columns]
            rows, columns = rows[columns >= 0], columns[columns >= 0]
        starts = np.searchsorted(rows, np.arange(len(self.users) + 1))
        return torch.from_numpy(rows), torch.from_numpy(columns), starts

    @torch.no_grad()
    def rank(self, scorer: ScoreSource, k: int) -> Ranked:
        """The ``k`` best candidates of every user, on the scorer's device.

        Scores are float32. Scores that differ only by rounding are equal, and are ordered by :attr:`Scorer.ties` on
        every device.

        Raises:
            ConfigError: ``k`` is below 1 or above the number of candidates.
            DataError: the scorer has other users or items.
            RunError: scores would be NaN or infinite.
        """
        shape = scorer.n_users, scorer.n_items
        if shape != (self.n_users, self.n_items):
            raise DataError(
                f"the scorer is over {shape[0]} users x {shape[1]} items, the ranking over {self.n_users} x "
                f"{self.n_items}: take both from one dataset."
            )
        if not scorer.trusted:
            scorer.check()
        size = self.n_items if self.candidates is None else len(self.candidates)
        check_k(k, size, "catalogue" if self.candidates is None else "list of candidates")
        device = scorer.device
        ties = scorer.ties if self.candidates is None else scorer.ties[self.candidates]

        groups = _n_groups(size, k)
        width = -(-size // groups) * groups
        places = torch.nn.functional.pad(torch.from_numpy(ties), (0, width - size)).to(device)
        excluded = self._rows.to(device) * width + self._columns.to(device)
        n = len(self.users)
        fitting = _BUFFER_BYTES.get(device.type, 2 << 20) // (4 * width)
        batch_size = self.batch_size or max(fitting, _LEAST_USERS)
        batch_size = max(1, min(batch_size, n))
        buffer = torch.empty(batch_size, width, device=device)
        best_items = torch.empty(n, k, dtype=torch.long, device=device)
        best_scores = torch.empty(n, k, device=device)
        next_scores = torch.empty(n, device=device)
        fill = scorer.fill(self.users, self.candidates, width)
        for start in range(0, n, batch_size):
            stop = min(start + batch_size, n)
            block = buffer[: stop - start]
            fill(start, stop, block)
            block[:, size:] = -math.inf
            flat = excluded[self._starts[start] : self._starts[stop]] - start * width
            block.view(-1).index_fill_(0, flat, -math.inf)
            best_scores[start:stop], best_items[start:stop], next_scores[start:stop] = _select(
                block, k, groups, places
            )

        scores, columns = best_scores.cpu().numpy(), best_items.cpu().numpy()
        ranked = columns if self.candidates is None else self.candidates[columns % size]
        return Ranked(np.where(np.isneginf(scores), -1, ranked), scores, next_scores.cpu().numpy())


def select(scores: Tensor, k: int, ties: IntArray) -> Ranked:
    """The ``k`` best items by given scores.

    Args:
        scores: [n, I] float32; minus infinity for an item that may not be listed.
        k: at most I.
        ties: [I] of the scorer.
    """
    best, columns, after = _select(
        scores, k, scores.shape[1], torch.from_numpy(ties).to(scores.device)
    )
    values = best.cpu().numpy()
    return Ranked(
        np.where(np.isneginf(values), -1, columns.cpu().numpy()), values, after.cpu().numpy()
    )


def check_k(k: int, size: int, what: str = "catalogue") -> None:
    """Raise ``ConfigError`` unless 1 <= ``k`` <= ``size``."""
    if k < 1:
        raise ConfigError(f"K = {k}: give at least 1.")
    if k > size:
        raise ConfigError(f"K = {k} is larger than the {what}, which has {size} items: lower K.")


def _rows(kind: str, rows: IntArray | None, size: int) -> IntArray:
    rows = np.arange(size) if rows is None else np.asarray(rows, np.int64)
    outside = (rows < 0) | (rows >= size)
    if outside.any():
        raise DataError(f"{kind} row {rows[outside][0]} is outside 0..{size - 1}.")
    return rows


def _distinct(rows: IntArray) -> IntArray:
    """The rows in ascending order, each once. Most inputs are sorted already, and sorting takes longer than ranking."""
    return rows if (np.diff(rows) > 0).all() else np.unique(rows)


def _n_groups(size: int, k: int) -> int:
    """The number of groups that :func:`_select` makes; ``size`` if a search in two stages saves nothing.

    The two stages would be balanced with about as many maxima as members of the best groups. But torch.topk on a CPU
    uses its fast algorithm (a heap) only for rows of at least 64 k entries. Rows of a multiple of 16 floats keep the
    matrix product fast.
    """
    members = min(math.isqrt(size // (k + 1)), size // (64 * (k + 1)))
    if members < 2:
        return size
    return -(-size // (16 * members)) * 16


def _select(block: Tensor, k: int, groups: int, ties: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores and columns of the ``k`` largest entries of each row, equal ones by ``ties``, and the score after them.

    Column c is in group ``c % groups``. The k + 1 largest entries of a row are in the k + 1 groups with the largest
    maxima, so only those groups are searched. One entry more than ``k`` shows whether the k-th place is tied; rows with
    a tie are ranked again by :func:`_select_tied`.
    """
    width = block.shape[1]
    more = min(k + 1, width)
    if groups == width:
        scores, columns = torch.topk(block, more)
    else:
        best = torch.topk(
            block.view(len(block), -1, groups).amax(dim=1), more, sorted=False
        ).indices
        member = torch.arange(0, width, groups, device=block.device)
        pool = (best[:, None, :] + member[None, :, None]).flatten(1)
        scores, chosen = torch.topk(block.gather(1, pool), more)
        columns = pool.gather(1, chosen)
    tied = _equal(scores[:, :-1], scores[:, 1:], scores[:, :1])
    after = scores[:, k] if more > k else torch.full_like(scores[:, 0], -math.inf)
    scores, columns = scores[:, :k], columns[:, :k]
    rows = tied.any(dim=1).nonzero().squeeze(1)
    if len(rows):
        scores[rows], columns[rows], after[rows] = _select_tied(block[rows], k, ties)
    return scores, columns, after


def _equal(higher: Tensor, lower: Tensor, best: Tensor) -> Tensor:
    """Whether scores differ only by rounding: by 2^-20 of the larger of the best score and their own size.

    Two items with the same row have the same score in real numbers. But a matrix product adds up the columns at its
    edges in another order, so their scores may differ in the last bits, depending on their position.
    """
    size = torch.maximum(best.abs(), lower.abs())
    return (higher - lower <= _ROUNDING * size) & ~lower.isneginf()


def _select_tied(block: Tensor, k: int, ties: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The result of :func:`_select` for rows with ties: by runs of equal scores, and by ``ties`` within a run."""
    width = block.shape[1]
    reach = min(width, max(4 * k, 64))
    scores, columns = torch.topk(block, reach)
    equal = _equal(scores[:, :-1], scores[:, 1:], scores[:, :1])
    if reach < width and bool(
        equal[:, k - 1 :].all(dim=1).any()
    ):  # the run of equal scores may continue
        scores, columns = torch.sort(block, dim=1, descending=True)
        equal = _equal(scores[:, :-1], scores[:, 1:], scores[:, :1])
    run = torch.nn.functional.pad((~equal).cumsum(dim=1), (1, 0))
    order = ((run << 32) + ties[columns]).argsort(dim=1)
    scores, columns = scores.gather(1, order), columns.gather(1, order)
    after = scores[:, k] if width > k else torch.full_like(scores[:, 0], -math.inf)
    return scores[:, :k], columns[:, :k], after
