"""Taking cold items out of a dataset, for the split ``cold-items``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from darec.data.cold import PARTS, HeldOut
from darec.data.dataset import Dataset
from darec.ids.idmap import IdMap
from darec.types import IntArray, Interactions


def hold_out(whole: Dataset, cold: Mapping[str, list[str]]) -> Dataset:
    """The dataset without its cold items, which are stored separately.

    Args:
        whole: the dataset with all items; the interactions of cold items are in the split that they are held out for.
        cold: ids of the cold items for ``valid`` and for ``test``.
    """
    parts = {name: np.sort(whole.items.rows(cold[name])) for name in PARTS}
    warm = np.setdiff1d(np.arange(whole.n_items), np.concatenate(list(parts.values())))
    return replace(
        whole,
        items=IdMap("item", [whole.items.texts[row] for row in warm], whole.items.type),
        catalogue=whole.catalogue[warm],
        extra=None if whole.extra is None else whole.extra.collect()[warm].lazy(),
        train=_among(whole.train, warm),
        valid=_among(whole.valid, warm),
        test=_among(whole.test, warm),
        cold={
            name: HeldOut(whole.catalogue[rows], _among(whole.split(name), rows))
            for name, rows in parts.items()
        },
    )


def _among(pairs: Interactions, rows: IntArray) -> Interactions:
    """The pairs of some items, numbered by their position in ``rows``, which are in ascending order."""
    place = np.full(pairs.n_items, -1, pairs.items.dtype)
    place[rows] = np.arange(len(rows))
    users, items = [pairs.users[:0]], [pairs.items[:0]]
    for _, of_users, of_items in pairs.blocks():
        places = place[of_items]
        there = places >= 0
        users.append(of_users[there])
        items.append(places[there])
    return Interactions(np.concatenate(users), np.concatenate(items), pairs.n_users, len(rows))
