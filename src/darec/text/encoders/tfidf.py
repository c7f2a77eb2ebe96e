"""TF-IDF and truncated SVD (latent semantic analysis, Deerwester et al. 1990): no download, seconds on a CPU.

Fitted on the texts of all items, so that one new text changes every vector. The same texts, settings and version of
scikit-learn give the same vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import ClassVar

import numpy as np
from pydantic import Field

from darec.errors import TextError
from darec.text.encoders.base import Encoder, EncoderConfig
from darec.types import FloatArray


class TfidfConfig(EncoderConfig):
    """Settings of :class:`TfidfEncoder`."""

    dim: int = Field(128, ge=1)
    """d_L, capped by the number of texts and of distinct terms."""
    max_terms: int = Field(50_000, ge=1)
    """Terms kept, the most frequent ones."""
    min_texts: int = Field(1, ge=1)
    """A term is kept if at least so many texts hold it."""
    seed: int = Field(0, ge=0)
    """Seeds the randomised SVD."""


class TfidfEncoder(Encoder[TfidfConfig]):
    """Unit rows of the truncated SVD of the items' TF-IDF matrix (sublinear counts, smoothed idf)."""

    incremental: ClassVar[bool] = False

    def __init__(self, config: TfidfConfig, argument: str = "", *, device: str = "cpu") -> None:
        super().__init__(config, argument, device=device)

    @property
    def revision(self) -> str:
        """The version of scikit-learn."""
        return f"scikit-learn {version('scikit-learn')}"

    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """Fit on ``corpus`` and project ``texts``; zeros where a text holds no term of the corpus.

        Raises:
            TextError: the corpus holds no term at all, or none frequent enough.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        corpus = texts if corpus is None else corpus
        config = self.config
        vectorizer = TfidfVectorizer(
            sublinear_tf=True,
            max_features=config.max_terms,
            min_df=min(config.min_texts, len(corpus)),
            dtype=np.float64,
        )
        try:
            counts = vectorizer.fit_transform(corpus)
        except ValueError as error:  # an empty vocabulary; the settings are checked already
            raise TextError(
                f"tfidf finds no term in {len(corpus)} texts (terms have two letters or digits at least, and stand "
                f"in {config.min_texts} texts): check the texts, or lower min_texts."
            ) from error
        dim = min(config.dim, *counts.shape)
        if dim < config.dim:
            self.notices.append(
                f"{dim} dimensions instead of {config.dim}: there are {counts.shape[0]} texts and "
                f"{counts.shape[1]} distinct terms."
            )
        svd = TruncatedSVD(dim, random_state=config.seed).fit(counts)
        vectors = svd.transform(vectorizer.transform(texts))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # Below this a row is rounding error of the SVD: scaling it up would make a direction of noise.
        vectors = np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0.0)
        return np.asarray(vectors, np.float32)
