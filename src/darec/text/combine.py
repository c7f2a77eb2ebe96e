"""Several sources of text side by side: one E_L of tables that come from titles, profiles, files.

Each source's table is standardised: the mean of its rows (users and items that have text) is taken away, and one factor
brings their root mean square length to 1, so that no source counts more for being longer, and directions within a
source stay what they are. Then the tables are

- *concatenated*, divided by the root of their number: an inner product is the mean of the sources' inner products;
- or *averaged* over the sources that an entity has, which needs one encoder, and so one space, for all.

An entity that a source lacks has zeros there, which is that source's mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from darec.errors import TextError
from darec.types import FloatArray, TextTable

Combine = Literal["concat", "mean"]


def combine_tables(tables: Sequence[TextTable], combine: Combine) -> TextTable:
    """One table of several; a single one is given back as it is.

    Args:
        tables: of the same users and items, one a source.
        combine: ``"concat"`` or ``"mean"``.

    Raises:
        TextError: tables of different widths cannot be averaged.
    """
    if len(tables) == 1:
        return tables[0]
    widths = [table.dim for table in tables]
    if combine == "mean" and len(set(widths)) > 1:
        raise TextError(
            f"sources of {', '.join(map(str, widths))} dimensions cannot be averaged: combine them by concat."
        )
    masks = [np.concatenate([table.user_mask, table.item_mask]) for table in tables]
    parts = [
        _standardised(np.concatenate([table.users, table.items]), mask)
        for table, mask in zip(tables, masks, strict=True)
    ]
    if combine == "concat":
        whole = np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))
    else:
        present = np.maximum(np.sum(masks, axis=0), 1).astype(np.float32)
        whole = np.sum(parts, axis=0) / present[:, None]
    mask = np.any(masks, axis=0)
    n_users = len(tables[0].users)
    return TextTable(
        whole[:n_users], whole[n_users:], mask[:n_users], mask[n_users:], tables[0].name
    )


def _standardised(rows: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    known = rows[mask].astype(np.float64)
    centred = known - known.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=1).mean())
    table = np.zeros_like(rows)
    if length > 0:
        table[mask] = centred / length
    return table
