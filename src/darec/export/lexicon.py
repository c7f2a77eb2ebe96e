"""The fitted state of the encoder ``tfidf``; with it a new text is encoded in milliseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from darec.terms import terms
from darec.types import FloatArray

_NOISE: Final = 1e-6
"""A row that is shorter is rounding error, as in :mod:`darec.text.encoders.tfidf`."""


class Lexicon:
    """Terms, their weights and the axes of their truncated SVD.

    Args:
        words: [T] the terms.
        idf: [T] inverse document frequencies.
        axes: [T, d] directions.
        pairs: whether pairs of characters are terms beside the words.
    """

    def __init__(
        self,
        words: Sequence[str],
        idf: NDArray[np.float64],
        axes: NDArray[np.float64],
        *,
        pairs: bool,
    ) -> None:
        self.words, self.idf, self.axes, self.pairs = words, idf, axes, pairs
        self._column = {word: column for column, word in enumerate(words)}

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """[n, d] unit rows of n texts, the same as the encoder makes; zeros if a text has no known term."""
        counts = [
            {
                self._column[word]: count
                for word, count in Counter(terms(text, pairs=self.pairs)).items()
                if word in self._column
            }
            for text in texts
        ]
        starts = np.cumsum([0, *map(len, counts)])
        columns = np.array([column for row in counts for column in row], np.int64)
        times = np.array([count for row in counts for count in row.values()], np.float64)
        weights = (1 + np.log(times)) * self.idf[columns]
        matrix = sparse.csr_array((weights, columns, starts), (len(texts), len(self.words)))
        squares = np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64)
        rows = (matrix @ self.axes) / np.maximum(np.sqrt(squares), 1e-300)[:, None]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = np.where(lengths > _NOISE, rows / np.maximum(lengths, _NOISE), 0.0)
        return np.asarray(rows, np.float32)
