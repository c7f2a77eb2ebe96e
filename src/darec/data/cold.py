"""Items held out of training altogether, by the split ``cold-items``.

A dataset does not number them among its items: no table, graph, text encoder or negative ever meets them. They stand
aside, those for validation and those for test apart, in two files of the dataset's folder::

    cold-items.parquet          part ("valid" or "test"), item_id, title, text
    cold-interactions.parquet   part, user (row), item (place among the part's items)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from darec.data.idmap import IdMap
from darec.types import IntArray, Interactions

if TYPE_CHECKING:
    from darec.data.dataset import Dataset

PARTS: Final = ("valid", "test")
_ITEMS: Final = "cold-items.parquet"
_PAIRS: Final = "cold-interactions.parquet"


@dataclass(frozen=True)
class HeldOut:
    """Cold items of one part.

    Attributes:
        catalogue: one row an item: ``item_id``, ``title`` and ``text``.
        pairs: all their interactions, [U] users by the items in that order.
    """

    catalogue: pl.DataFrame
    pairs: Interactions


def hold_out(whole: Dataset, cold: Mapping[str, list[str]]) -> Dataset:
    """The dataset without its cold items, which stand aside.

    Args:
        whole: with all items, the cold ones' interactions in the split that they are held out for.
        cold: ids of the cold items for ``valid`` and for ``test``.
    """
    parts = {name: whole.items.rows(cold[name]) for name in PARTS}
    warm = np.setdiff1d(np.arange(whole.n_items), np.concatenate(list(parts.values())))
    return replace(
        whole,
        items=IdMap("item", [whole.items.ids[row] for row in warm]),
        catalogue=whole.catalogue[warm],
        train=_among(whole.train, warm),
        valid=_among(whole.valid, warm),
        test=_among(whole.test, warm),
        cold={
            name: HeldOut(whole.catalogue[rows], _among(whole.split(name), rows))
            for name, rows in parts.items()
        },
    )


def write_cold(cold: Mapping[str, HeldOut], folder: Path) -> None:
    """Write the two files; none where nothing is held out."""
    if not cold:
        return
    pl.concat(
        part.catalogue.select(pl.lit(name).alias("part"), pl.all()) for name, part in cold.items()
    ).write_parquet(folder / _ITEMS)
    pl.concat(
        pl.DataFrame(
            {
                "part": np.full(len(part.pairs), name),
                "user": part.pairs.users.astype(np.uint32),
                "item": part.pairs.items.astype(np.uint32),
            },
            schema={"part": pl.String, "user": pl.UInt32, "item": pl.UInt32},
        )
        for name, part in cold.items()
    ).write_parquet(folder / _PAIRS)


def read_cold(folder: Path, n_users: int) -> dict[str, HeldOut]:
    """What :func:`write_cold` wrote; nothing where there are no such files."""
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


def _among(pairs: Interactions, rows: IntArray) -> Interactions:
    """The pairs with some items, numbered by their place in ``rows``."""
    place = np.full(pairs.n_items, -1, np.int64)
    place[rows] = np.arange(len(rows))
    items = place[pairs.items]
    there = items >= 0
    return Interactions.from_pairs(pairs.users[there], items[there], pairs.n_users, len(rows))
