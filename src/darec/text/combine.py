"""Combine several sources of text, such as titles, profiles and files, into one E_L.

Each source's table is standardised. The mean of its rows (users and items that have text) is subtracted, and one factor
scales their root mean square length to 1. No source then has more weight because its vectors are longer, and directions
within a source do not change. Then the tables are

- *concatenated*, divided by the root of their number: an inner product is the mean of the sources' inner products;
- or *averaged* over the sources that an entity has, which needs one encoder, and so one space, for all.

An entity that has no text in a source has zeros there, which is the mean of that source.
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
    """Combine several tables into one. A single table is returned unchanged.

    Args:
        tables: one table for each source, with the same users and items.
        combine: ``"concat"`` or ``"mean"``.

    Raises:
        TextError: tables of different widths are to be averaged.
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
