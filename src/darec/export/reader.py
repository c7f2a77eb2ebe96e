"""Reads new texts in a bundle: it makes a vector, a row of the item table, and the weights of similar items.

Two files hold its state, and ``new_text`` in the manifest says how they are read::

    reader.safetensors     the map from text to rows (darec.cold), the warm items, and the fitted state of the encoder
    terms.parquet          the terms of the encoder ``tfidf``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from scipy import sparse

from darec.errors import TextError
from darec.export.lexicon import Lexicon
from darec.scoring.extending import text_weights
from darec.types import FloatArray

READER: Final = "reader.safetensors"
TERMS: Final = "terms.parquet"
TFIDF: Final = "tfidf"
Encode = Callable[[Sequence[str]], FloatArray]


class TextReader:
    """Reads new texts in the same way as the texts of the run.

    Args:
        path: folder of the bundle.
        about: ``new_text`` of its manifest.
        items: [I, d_L] language vectors of its items, zeros if an item has no text.
        encoder: makes vectors of texts, for bundles that do not hold their encoder.

    Attributes:
        source: the part of an item that the run reads, ``text`` or ``titles``.
    """

    def __init__(
        self, path: Path, about: dict[str, Any], items: FloatArray, encoder: Encode | None = None
    ) -> None:
        with safe_open(path / READER, "pt") as file:
            self._arrays = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118
        self.source: str = about["source"]
        self._length: float | None = about["length"]
        self._reduction: dict[str, Any] | None = about["reduction"]
        self._items = items
        self._warm = self._arrays["warm"]
        if about["encoder"] == TFIDF:
            words = pl.read_parquet(path / TERMS)["term"].to_list()
            idf, axes = self._arrays["idf"], self._arrays["axes"]
            encoder = Lexicon(words, idf, axes, pairs=about["options"]["pairs"]).encode
        assert encoder is not None
        self._encoder = encoder

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """[n, d_L] vectors of n texts.

        Raises:
            TextError: the encoder finds no known word in a text.
        """
        made = np.asarray(self._encoder([text or " " for text in texts]), np.float64)
        vectors = np.asarray(self._reduced(made), np.float32)
        empty = np.flatnonzero(~vectors.any(axis=1))
        if len(empty):
            raise TextError(
                f"the encoder finds no known word in {texts[empty[0]]!r}: write words that the catalogue's "
                "texts use."
            )
        return vectors

    def rows(self, vectors: FloatArray) -> FloatArray | None:
        """[n, d] rows of the item table for [n, d_L] vectors; None if the scorer has no tables."""
        coefficients = self._arrays.get("coefficients")
        if coefficients is None:
            return None
        rows = vectors.astype(np.float64) @ coefficients.T + self._arrays["intercept"]
        if self._length is not None:
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            rows = rows * (self._length / np.maximum(lengths, 1e-12))
        return np.asarray(rows, np.float32)

    def weights(self, vectors: FloatArray) -> sparse.csr_array:
        """[n, I] weight of each warm item for each text (:func:`darec.scoring.extending.text_weights`)."""
        warm = torch.from_numpy(self._items[self._warm])
        return text_weights(self._warm, warm, torch.from_numpy(vectors), len(self._items))

    def _reduced(self, made: NDArray[np.float64]) -> NDArray[np.float64]:
        about = self._reduction
        if about is None:
            return made
        if about["kind"] == "pca":
            centred = (made - self._arrays["mean"]) @ self._arrays["kept"]
            return np.where(made.any(axis=1, keepdims=True), centred, 0.0)
        kept = made[:, : about["dim"]]
        lengths, short = (np.linalg.norm(rows, axis=1, keepdims=True) for rows in (made, kept))
        return np.asarray(
            kept * np.divide(lengths, short, out=np.zeros_like(short), where=short > 0)
        )
