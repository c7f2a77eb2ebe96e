"""Batches of texts for a model."""

from __future__ import annotations

import numpy as np

from darec.types import IntArray


def token_batches(
    tokens: IntArray, budget: int, most: int, *, padded: bool = False
) -> list[IntArray]:
    """Divide rows into batches, longest texts first, with as few batches as a budget of tokens allows.

    Args:
        tokens: [n] number of tokens of each text, as the model reads it.
        budget: largest number of tokens in a batch, including padding; a longer text gets its own batch.
        most: largest number of texts in a batch.
        padded: whether texts of different lengths may share a batch, padded to the longest.

    Returns:
        one array of rows for each batch; every row is in exactly one of them.
    """
    order = np.argsort(-tokens, kind="stable")
    batches, start = [], 0
    while start < len(order):
        longest = int(tokens[order[start]])
        stop = start + min(most, max(1, budget // max(longest, 1)))
        rows = order[start:stop]
        if not padded:
            rows = rows[tokens[rows] == longest]
        batches.append(rows)
        start += len(rows)
    return batches
