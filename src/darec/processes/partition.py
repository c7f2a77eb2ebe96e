"""Users and items in blocks, one for each process, of nearly equally many training pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from darec.errors import ConfigError
from darec.processes.layout import Kind
from darec.types import IntArray, Interactions


@dataclass(frozen=True)
class Partition:
    """The users and items of each process: consecutive ones, in the order of the processes.

    Attributes:
        users: [P + 1] bounds of the blocks of users.
        items: [P + 1] bounds of the blocks of items.
        pairs: [P + 1] bounds of the training pairs of the blocks of users.
    """

    users: tuple[int, ...]
    items: tuple[int, ...]
    pairs: tuple[int, ...]

    @classmethod
    def balanced(cls, train: Interactions, size: int) -> Partition:
        """Blocks with nearly the same number of training pairs, since users and items are not divided.

        Raises:
            ConfigError: there are fewer users or items than processes.
        """
        require_rows(train, size)
        users, items = (bounds(degree, size) for degree in (train.user_degree, train.item_degree))
        return cls(users, items, tuple(int(train.indptr[user]) for user in users))

    def places(self, of: Kind) -> Places:
        """The process and the position of every row of a kind."""
        if of != "entities":
            starts = self.users if of == "users" else self.items
            return Places.of_blocks(starts, range(len(starts) - 1))
        shifted = [self.users[-1] + item for item in self.items]
        ranks = range(len(self.users) - 1)
        # A process has its users first, then its items.
        before = [stop - start for start, stop in pairwise(self.users)]
        return Places.of_blocks(
            [*self.users[:-1], *shifted], [*ranks, *ranks], [*[0] * len(before), *before]
        )


@dataclass(frozen=True)
class Places:
    """Blocks of consecutive rows: the process that has each, and where in its part of the table.

    Attributes:
        starts: [k + 1] bounds of the blocks.
        owners: [k] the processes.
        offsets: [k] the first row of the block, in the part of its process.
    """

    starts: Tensor
    owners: Tensor
    offsets: Tensor

    @classmethod
    def of_blocks(
        cls, starts: Sequence[int], owners: Sequence[int], offsets: Sequence[int] | None = None
    ) -> Places:
        """The same from lists; the offsets are 0 where there are none."""
        shifts = offsets or [0] * len(owners)
        return cls(*(torch.tensor(list(values)) for values in (starts, owners, shifts)))

    def to(self, device: torch.device) -> Places:
        """The same on another device."""
        return Places(*(x.to(device) for x in (self.starts, self.owners, self.offsets)))

    def find(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The process that has each row, and the row's place in the part of that process."""
        block = torch.searchsorted(self.starts, rows.long(), right=True) - 1
        return self.owners[block], rows - self.starts[block] + self.offsets[block]

    def blocks(self, rank: int) -> list[slice]:
        """The rows that a process has, in the order of its part."""
        return [
            slice(int(self.starts[n]), int(self.starts[n + 1]))
            for n, owner in enumerate(self.owners.tolist())
            if owner == rank
        ]


def require_rows(train: Interactions, size: int) -> None:
    """Raise ``ConfigError`` if there are fewer users or items than processes."""
    for kind, n in (("users", train.n_users), ("items", train.n_items)):
        if n < size:
            raise ConfigError(
                f"--processes={size}, and the dataset has {n} {kind}: with --shards=rows each process holds one at "
                "least. Lower --processes."
            )


def bounds(degree: IntArray, size: int) -> tuple[int, ...]:
    """[P + 1] bounds of blocks of rows, each of one row at least, whose degrees add up to nearly the same.

    Each bound is where the running sum of the degrees is nearest to its share of the total.

    Args:
        degree: [n], n at least ``size``.
        size: P.
    """
    running = np.concatenate([[0], np.cumsum(degree)])
    wanted = running[-1] * np.arange(size + 1) / size
    after = np.clip(np.searchsorted(running, wanted), 1, len(degree))
    found = np.where(wanted - running[after - 1] < running[after] - wanted, after - 1, after)
    found[0], found[-1] = 0, len(degree)
    ranks = np.arange(size + 1)
    found = np.maximum.accumulate(found - ranks) + ranks  # at least one more than the last
    found = np.minimum(found, len(degree) - size + ranks)
    return tuple(int(bound) for bound in found)
