"""Scores a user's words like the text of a liked item."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from darec.export.reader import TextReader
from darec.scoring import Scorer
from darec.scoring.extending import folded
from darec.types import FloatArray, IntArray


def for_words(scorer: Scorer, reader: TextReader, liked: IntArray, words: FloatArray) -> Scorer:
    """Return a scorer of one user, who likes some items and one more with the words as its text, over the same items.

    Args:
        scorer: of all users.
        reader: of the bundle.
        liked: rows of items.
        words: [1, d_L] vector of the words.
    """
    n_items = scorer.n_items
    weights = reader.weights(words)  # these are over the bundle's items; new items may follow them
    weights = sparse.csr_array((weights.data, weights.indices, weights.indptr), (1, n_items))
    columns = np.append(liked, n_items)
    history = sparse.csr_array(
        (np.ones(len(columns), np.float32), (np.zeros_like(columns), columns)), (1, n_items + 1)
    )
    user = folded(scorer, reader.rows(words), weights, history)
    user.trusted = scorer.trusted
    return user
