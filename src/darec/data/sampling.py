"""Negative sampling and batches: vectorised, and never a training positive among the negatives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from darec.errors import DataError
from darec.types import IntArray, Interactions, RowArray


class Sampler(nn.Module):
    """Draws positives and negatives from the training interactions, on the device it is moved to.

    A user who has every item teaches nothing of what is liked less: no negative can be drawn, and the pairs of such
    users are in no epoch.

    A uniform draw among the items that a user does *not* have needs no rejection: draw the rank r of the negative
    among them, then find by binary search how many of the user's items come before it. In a user's ascending
    items s_0 < s_1 < ..., the number of non-items below s_k is s_k - k, so the wanted item is r + #{k : s_k - k <= r}.
    All users share one sorted array (keys offset by user), so a batch is a single search.

    Args:
        train: the training interactions.

    Attributes:
        full_users: rows of the users who have every item.

    Raises:
        DataError: no interactions, or nobody among their users lacks an item.
    """

    users: Tensor
    items: Tensor
    indptr: Tensor
    item_degree: Tensor
    _kept: Tensor
    _gaps: Tensor
    _slot: Tensor

    def __init__(self, train: Interactions) -> None:
        super().__init__()
        if not len(train):
            raise DataError("the training split is empty: nothing can be learned from it.")
        full = train.user_degree >= train.n_items
        self.full_users: IntArray = np.flatnonzero(full)
        kept = np.flatnonzero(~full[train.users]) if full.any() else None
        if kept is not None and not kept.size:
            raise DataError(
                f"every user has all {train.n_items} items in training, so that nothing tells what they like less: "
                "import more items, or choose a split that leaves some out."
            )
        self.n_items = train.n_items
        arrays = {
            "users": train.users,
            "items": train.items,
            "indptr": train.indptr,
            "item_degree": train.item_degree
            if kept is None
            else np.bincount(train.items[kept], minlength=train.n_items),
            "_kept": np.zeros(0, np.int64) if kept is None else kept,
            "_gaps": _gaps(train),
            "_slot": np.full(train.n_items, -1, np.int64),
        }
        for name, array in arrays.items():
            # What is mapped from the dataset's files stays there.
            own = array if array.flags.writeable else array.copy()
            self.register_buffer(name, torch.from_numpy(own), persistent=False)

    def __len__(self) -> int:
        return len(self._kept) if len(self.full_users) else len(self.users)

    def epoch(self, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Every pair once, in random batches of ([B] users, [B] items), each sorted by user."""
        # Random batch numbers, sorted stably: a batch's rows stand in the order of the data, so that its look-ups walk
        # through memory in one direction.
        device = generator.device
        # On a CPU the draw is the same in half the memory.
        small = device.type == "cpu" and len(self) < 2**31
        kind = torch.int32 if small else torch.int64
        shuffled = torch.randperm(len(self), generator=generator, device=device, dtype=kind)
        rows = shuffled.div_(batch_size, rounding_mode="floor").sort(stable=True).indices
        del shuffled
        if len(self.full_users):
            rows = self._kept.index_select(0, rows)
        users, items = self.users.index_select(0, rows), self.items.index_select(0, rows)
        del rows
        for batch in zip(users.split(batch_size), items.split(batch_size), strict=True):
            yield batch[0].long(), batch[1].long()

    def negatives(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """[B] one item for each user, uniform among those the user does not have in training."""
        start = self.indptr.index_select(0, users)
        free = self.n_items + start - self.indptr.index_select(0, users + 1)
        uniform = torch.rand(
            len(users), dtype=torch.float64, generator=generator, device=generator.device
        )
        rank = (uniform * free).long()
        key = (users * (self.n_items + 1) + rank).to(self._gaps.dtype)
        before = torch.searchsorted(self._gaps, key, right=True)
        return rank + before - start

    def blocked(self, users: Tensor, items: Tensor) -> Tensor:
        """[B, M] bool, True where ``items[m]`` is a training positive of ``users[b]``.

        Costs the degrees of the users, not B x M look-ups.

        Args:
            users: [B].
            items: [M], distinct.
        """
        start, stop = self.indptr[users], self.indptr[users + 1]
        degree = stop - start
        row = torch.repeat_interleave(degree)
        first = torch.cumsum(degree, 0) - degree
        owned = self.items[torch.arange(len(row), device=row.device) + (start - first)[row]]
        self._slot[items] = torch.arange(len(items), device=items.device)
        slot = self._slot[owned.long()]
        self._slot[items] = -1
        hit = slot >= 0
        mask = torch.zeros(len(users), len(items), dtype=torch.bool, device=users.device)
        mask[row[hit], slot[hit]] = True
        return mask


def _gaps(train: Interactions) -> RowArray:
    """[E] ``user * (I + 1) + item - place of the item among the user's``, ascending."""
    width = train.n_items + 1
    # In 32 bits where they fit: half the memory that a search walks through.
    small = train.n_users * width < 2**31
    gaps: RowArray = np.empty(len(train), np.int32 if small else np.int64)
    start = 0
    for _, users, items in train.blocks():
        stop = start + len(users)
        place = np.arange(start, stop) - train.indptr[users]
        gaps[start:stop] = users.astype(np.int64) * width + items - place
        start = stop
    return gaps
