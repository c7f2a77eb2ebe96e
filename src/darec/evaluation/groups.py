"""Users by training activity and items by training popularity, in groups of near-equal size.

Each group has its own range of counts: members with equal counts are never separated, so that sizes are as equal as the
ties allow, and nothing depends on the order of rows. With three groups the first is the least popular (or active) third
*of the items* (or users), not of the interactions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from darec.errors import ConfigError
from darec.limits import MOST_GROUPS
from darec.types import IntArray


@dataclass(frozen=True)
class Group:
    """One group, as reported.

    Attributes:
        kind: ``"users"`` or ``"items"``.
        index: from 1, the fewest training pairs first.
        of: number of groups.
        low: fewest training pairs of a member.
        high: most training pairs of a member.
        size: members in the dataset; 0 if the group is empty because of ties (``low`` and ``high`` are then 0).
    """

    kind: str
    index: int
    of: int
    low: int
    high: int
    size: int

    @property
    def name(self) -> str:
        """Prefix of this group's metrics, such as ``items/1of3``."""
        return f"{self.kind}/{self.index}of{self.of}"


def group_by_count(counts: IntArray, n_groups: int) -> IntArray:
    """[n] the group of each member, 0..n_groups-1, by ascending count.

    Each cut between groups falls between two distinct counts, at the place nearest to the even cut.

    Raises:
        ConfigError: fewer than one group, or more than :data:`darec.limits.MOST_GROUPS`.
    """
    if not 1 <= n_groups <= MOST_GROUPS:
        raise ConfigError(f"{n_groups} groups: choose 1 to {MOST_GROUPS}.")
    _, value, sizes = np.unique(counts, return_inverse=True, return_counts=True)
    below = np.concatenate([[0], np.cumsum(sizes)])  # [v] members with a smaller count than value v
    even = len(counts) * np.arange(1, n_groups) / n_groups
    cuts = np.abs(below[None, :] - even[:, None]).argmin(axis=1)
    return np.searchsorted(cuts, value, side="right").astype(np.int64)


def describe(kind: str, counts: IntArray, labels: IntArray, n_groups: int) -> tuple[Group, ...]:
    """The groups that :func:`group_by_count` made, with bounds and sizes."""
    described = []
    for index in range(n_groups):
        members = counts[labels == index]
        low, high = (int(members.min()), int(members.max())) if len(members) else (0, 0)
        described.append(Group(kind, index + 1, n_groups, low, high, len(members)))
    return tuple(described)
