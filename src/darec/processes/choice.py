"""The layout of several processes, by its name."""

from __future__ import annotations

from typing import Final, Literal, get_args

from darec.errors import ConfigError, did_you_mean
from darec.processes.columns import Columns
from darec.processes.group import Group
from darec.processes.layout import WHOLE, Layout
from darec.processes.partition import Partition
from darec.processes.rows import Rows
from darec.types import Interactions

Shards = Literal["columns", "rows"]
"""The part of every table that each process has: some columns of all rows, or all columns of some rows."""
SHARDS: Final[tuple[Shards, ...]] = get_args(Shards)


def chosen_layout(shards: Shards, group: Group, dim: int, train: Interactions) -> Layout:
    """The layout of a group.

    Args:
        shards: how tables are divided; a single process has all of them.
        group: the processes.
        dim: columns of the id table.
        train: the training interactions.

    Raises:
        ConfigError: there are more processes than columns, users or items.
    """
    if group.size == 1:
        return WHOLE
    if shards == "rows":
        return Rows(group, Partition.balanced(train, group.size))
    return Columns(group, dim)


def known_shards(name: str) -> Shards:
    """The name itself. Raises ``ConfigError`` if there is no such division."""
    for shards in SHARDS:
        if name == shards:
            return shards
    raise ConfigError(f"--shards={name}: {did_you_mean(name, SHARDS)}")
