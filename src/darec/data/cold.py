"""Items held out of training altogether: what the split ``cold-items`` leaves in a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from darec.data.cleaning import ordered
from darec.data.dataset import Dataset
from darec.data.idmap import IdMap
from darec.errors import DataError
from darec.types import IntArray, Interactions

COLD_SPLITS = ("valid", "test")


def cold_in_manifest(frame: pl.DataFrame) -> dict[str, Any]:
    """The manifest's entry ``cold``, ids of the items held out for ``valid`` and for ``test``; none without such items.

    Args:
        frame: interactions with ``item`` and ``split``, and ``cold`` where the split held items out.
    """
    if "cold" not in frame.columns:
        return {}
    held = frame.filter(pl.col("cold"))
    return {
        "cold": {name: ordered(held.filter(split=name)["item"].unique()) for name in COLD_SPLITS}
    }


def cold_rows(dataset: Dataset, split: str) -> IntArray:
    """Rows of the items that a dataset holds out for a split, ascending.

    Raises:
        DataError: not ``valid`` or ``test``, or a dataset that holds no items out.
    """
    if split not in COLD_SPLITS:
        raise DataError(f"no cold items for {split!r}: choose valid or test.")
    if "cold" not in dataset.manifest:
        raise DataError(
            f"the dataset {dataset.path or 'in memory'} holds no items out: import it with --split cold-items."
        )
    return np.sort(dataset.items.rows(dataset.manifest["cold"][split]))


def warm_part(dataset: Dataset) -> Dataset:
    """The dataset as if its cold items did not exist yet: same users in the same rows, warm items only.

    A run trained on it has never met the cold items, not even as negatives or as texts.

    Raises:
        DataError: a dataset that holds no items out.
    """
    cold = np.concatenate([cold_rows(dataset, name) for name in COLD_SPLITS])
    warm = np.setdiff1d(np.arange(dataset.n_items), cold)
    new_row = np.full(dataset.n_items, -1, np.int64)
    new_row[warm] = np.arange(len(warm))

    def kept(pairs: Interactions) -> Interactions:
        items = new_row[pairs.items]
        there = items >= 0
        return Interactions.from_pairs(pairs.users[there], items[there], dataset.n_users, len(warm))

    return replace(
        dataset,
        items=IdMap("item", [dataset.items.ids[row] for row in warm]),
        catalogue=dataset.catalogue[warm],
        train=kept(dataset.train),
        valid=kept(dataset.valid),
        test=kept(dataset.test),
        manifest={key: value for key, value in dataset.manifest.items() if key != "cold"},
        path=None,
    )
