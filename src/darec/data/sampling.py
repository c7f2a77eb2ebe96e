"""Negative sampling and batches: vectorised, and never a training positive among the negatives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from darec.errors import DataError
from darec.processes import WHOLE, Layout
from darec.types import IntArray, Interactions, RowArray


class Sampler(nn.Module):
    """Draws positives and negatives from the training interactions, on its device.

    For a user who has every item no negative can be drawn, so the pairs of such users are in no epoch.

    A uniform draw among the items that a user does *not* have needs no rejection: draw the rank r of the negative
    among them, then find by binary search how many of the user's items come before it. In a user's ascending
    items s_0 < s_1 < ..., the number of non-items below s_k is s_k - k, so the wanted item is r + #{k : s_k - k <= r}.
    All users share one sorted array (keys offset by user), so a batch is a single search.

    Where several processes divide tables by rows, each has only the pairs of its own users. All draw the same numbers
    as one process, each finds what they mean for its users, and they tell each other.

    Args:
        train: the training interactions.
        layout: how tables are divided among processes.

    Attributes:
        full_users: rows of the users who have every item.

    Raises:
        DataError: there are no interactions, or every user has every item.
    """

    users: Tensor
    items: Tensor
    indptr: Tensor
    item_degree: Tensor
    _kept: Tensor
    _gaps: Tensor
    _slot: Tensor

    def __init__(self, train: Interactions, layout: Layout = WHOLE) -> None:
        super().__init__()
        self.layout = layout
        if not len(train):
            raise DataError("the training split is empty, so there is nothing to learn from.")
        full = train.user_degree >= train.n_items
        self.full_users: IntArray = np.flatnonzero(full)
        kept = np.flatnonzero(~full[train.users]) if full.any() else None
        if kept is not None and not kept.size:
            raise DataError(
                f"every user has all {train.n_items} items in training, so there are no negatives: "
                "import more items, or choose a split that leaves some out."
            )
        self.n_items = train.n_items
        self._n = len(train) if kept is None else len(kept)
        degree = train.item_degree
        if kept is not None:
            degree = np.bincount(train.items[kept], minlength=train.n_items)
        own = layout.pairs(train)
        if own is train:
            self._own = slice(0, self._n)
        else:
            users = layout.blocks(train.n_users, train.n_items)[0]
            bounds = train.indptr[[users.start, users.stop]]
            self._own = slice(*(bounds if kept is None else np.searchsorted(kept, bounds)).tolist())
            kept = None if kept is None else kept[self._own] - bounds[0]
        arrays = {
            "users": own.users,
            "items": own.items,
            "indptr": own.indptr,
            "item_degree": degree,
            "_kept": np.zeros(0, np.int64) if kept is None else kept,
            "_gaps": _gaps(own),
            "_slot": np.full(train.n_items, -1, np.int64),
        }
        for name, array in arrays.items():
            # Arrays that are mapped from the dataset's files stay mapped.
            copied = array if array.flags.writeable else array.copy()
            self.register_buffer(name, torch.from_numpy(copied), persistent=False)

    def __len__(self) -> int:
        return self._n

    def epoch(self, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Every pair once, in random batches of ([B] users, [B] items), each sorted by user."""
        # Random batch numbers, sorted stably: a batch's rows have the order of the data, so that its look-ups go
        # through memory in one direction.
        device = generator.device
        # On a CPU this gives the same draw with half the memory.
        small = device.type == "cpu" and len(self) < 2**31
        kind = torch.int32 if small else torch.int64
        shuffled = torch.randperm(len(self), generator=generator, device=device, dtype=kind)
        numbers = shuffled.div_(batch_size, rounding_mode="floor")
        del shuffled
        if self.layout.deals_pairs:
            numbers = numbers[self._own].clone()
        rows = numbers.sort(stable=True).indices
        lengths = self._lengths(numbers, batch_size)
        del numbers
        if len(self.full_users):
            rows = self._kept.index_select(0, rows)
        users, items = self.users.index_select(0, rows), self.items.index_select(0, rows)
        del rows
        mine = batch_size if lengths is None else lengths[self.layout.group.rank]
        for number, own in enumerate(zip(users.split(mine), items.split(mine), strict=True)):
            if lengths is None:
                yield own[0].long(), own[1].long()
                continue
            each = [of_process[number] for of_process in lengths]
            pairs = self.layout.joined(torch.stack(own, dim=1), each).T.long()
            yield pairs[0].contiguous(), pairs[1].contiguous()

    def _lengths(self, numbers: Tensor, batch_size: int) -> list[list[int]] | None:
        """How many pairs of each batch each process has, from the batch of each pair here; None where all are here."""
        if not self.layout.deals_pairs:
            return None
        n = -(-len(self) // batch_size)
        counts = self.layout.joined(numbers.bincount(minlength=n), [n] * self.layout.group.size)
        return counts.view(-1, n).tolist()

    def negatives(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """[B] one item for each user, uniform among those the user does not have in training."""
        uniform = torch.rand(
            len(users), dtype=torch.float64, generator=generator, device=generator.device
        )
        if not self.layout.deals_pairs:
            return self._negatives(users, uniform)
        cuts = self.layout.cuts(users, "users")
        own, drawn = (self.layout.share(x, cuts) for x in (users, uniform))
        lengths = [stop - start for start, stop in pairwise(cuts)]
        return self.layout.joined(self._negatives(own, drawn), lengths)

    def _negatives(self, users: Tensor, uniform: Tensor) -> Tensor:
        """The same for users whose pairs are here, from [B] numbers in [0, 1)."""
        start = self.indptr.index_select(0, users)
        free = self.n_items + start - self.indptr.index_select(0, users + 1)
        rank = (uniform * free).long()
        key = (users * (self.n_items + 1) + rank).to(self._gaps.dtype)
        before = torch.searchsorted(self._gaps, key, right=True)
        return rank + before - start

    def blocked(self, users: Tensor, items: Tensor) -> Tensor:
        """[B, M] bool, True where ``items[m]`` is a training positive of ``users[b]``.

        The cost is the sum of the users' degrees, not B x M look-ups.

        Args:
            users: [B], whose pairs are here.
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
    # In 32 bits if they fit, which halves the memory of a search.
    small = train.n_users * width < 2**31
    gaps: RowArray = np.empty(len(train), np.int32 if small else np.int64)
    start = 0
    for _, users, items in train.blocks():
        stop = start + len(users)
        place = np.arange(start, stop) - train.indptr[users]
        gaps[start:stop] = users.astype(np.int64) * width + items - place
        start = stop
    return gaps
