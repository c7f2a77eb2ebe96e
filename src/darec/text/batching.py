"""Which texts a model reads at once."""

from __future__ import annotations

import numpy as np

from darec.types import IntArray


def token_batches(
    tokens: IntArray, budget: int, most: int, *, padded: bool = False
) -> list[IntArray]:
    """Rows to read at once, longest first, as few batches as a budget of tokens allows.

    Args:
        tokens: [n] tokens of each text, as the model reads it.
        budget: tokens in a batch, padding included; a longer text goes by itself.
        most: texts in a batch.
        padded: whether texts of different lengths may share one, padded to its longest.

    Returns:
        arrays of rows, each row in one of them.
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
