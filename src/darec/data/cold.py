"""Items held out of training altogether, by the split ``cold-items``.

A dataset does not number them among its items, so no table, graph, text encoder or negative ever contains them. They
are stored in two files of the dataset's folder, those for validation separate from those for test::

    cold-items.parquet          part ("valid" or "test"), item_id, title, text
    cold-interactions.parquet   part, user (row), item (place among the part's items)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from darec.files import write_parquet
from darec.types import Interactions

PARTS: Final = ("valid", "test")
_ITEMS: Final = "cold-items.parquet"
_PAIRS: Final = "cold-interactions.parquet"


@dataclass(frozen=True)
class HeldOut:
    """Cold items of one part.

    Attributes:
        catalogue: one row for each item: ``item_id``, ``title`` and ``text``.
        pairs: all their interactions: [U] users by the items in that order.
    """

    catalogue: pl.DataFrame
    pairs: Interactions


def write_cold(cold: Mapping[str, HeldOut], folder: Path) -> None:
    """Write the two files, or none if nothing is held out."""
    if not cold:
        return
    items = pl.concat(
        part.catalogue.select(pl.lit(name).alias("part"), pl.all()) for name, part in cold.items()
    )
    pairs = pl.concat(
        pl.DataFrame(
            {
                "part": np.full(len(part.pairs), name),
                "user": part.pairs.users.astype(np.uint32),
                "item": part.pairs.items.astype(np.uint32),
            },
            schema={"part": pl.String, "user": pl.UInt32, "item": pl.UInt32},
        )
        for name, part in cold.items()
    )
    write_parquet(folder / _ITEMS, items)
    write_parquet(folder / _PAIRS, pairs)


def read_cold(folder: Path, n_users: int) -> dict[str, HeldOut]:
    """Read what :func:`write_cold` wrote; nothing if there are no such files."""
    if not (folder / _ITEMS).is_file():
        return {}
    items, pairs = pl.read_parquet(folder / _ITEMS), pl.read_parquet(folder / _PAIRS)
    parts = {}
    for name in PARTS:
        catalogue = items.filter(part=name).drop("part")
        rows = pairs.filter(part=name)
        parts[name] = HeldOut(
            catalogue,
            Interactions.from_pairs(
                rows["user"].to_numpy(), rows["item"].to_numpy(), n_users, len(catalogue)
            ),
        )
    return parts
