"""TF-IDF and truncated SVD (latent semantic analysis, Deerwester et al. 1990): no download, seconds on a CPU.

Terms are words and pairs of characters, in any script (:mod:`darec.terms`). They are fitted on the texts of all
items, so that one new text changes every vector. The same texts, settings and version of scikit-learn give the same
vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from darec.errors import TextError
from darec.terms import FEW, share_of_texts_with_common_words, terms
from darec.text.encoders.base import Encoder, EncoderConfig
from darec.types import FloatArray

TERMS: Final = 2
"""Counts the changes to what a term is."""


class TfidfConfig(EncoderConfig):
    """Settings of :class:`TfidfEncoder`."""

    dim: int = Field(128, ge=1)
    """d_L, capped by the number of texts and of distinct terms."""
    max_terms: int = Field(50_000, ge=1)
    """Terms kept, the most frequent ones."""
    min_texts: int = Field(1, ge=1)
    """A term is kept if at least so many texts hold it."""
    pairs: bool = True
    """Whether pairs of neighbouring characters are terms beside the words; scripts without blanks have them anyway."""
    seed: int = Field(0, ge=0)
    """Seeds the randomised SVD."""


class TfidfEncoder(Encoder[TfidfConfig]):
    """Unit rows of the truncated SVD of the items' TF-IDF matrix (sublinear counts, smoothed idf)."""

    incremental: ClassVar[bool] = False

    def __init__(self, config: TfidfConfig, argument: str = "", *, device: str = "cpu") -> None:
        super().__init__(config, argument, device=device)

    @property
    def revision(self) -> str:
        """The version of what a term is, and of scikit-learn."""
        return f"terms {TERMS}, scikit-learn {version('scikit-learn')}"

    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """Fit on ``corpus`` and project ``texts``; zeros where a text holds no term of the corpus.

        Raises:
            TextError: the corpus holds no term at all, or none frequent enough.
        """
        vectorizer, axes = self._fit(texts if corpus is None else corpus)
        vectors = vectorizer.transform(texts) @ axes
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # Below this a row is rounding error of the SVD: scaling it up would make a direction of noise.
        vectors = np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0.0)
        return np.asarray(vectors, np.float32)

    def learned(
        self, corpus: Sequence[str]
    ) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
        """What it learns of a corpus: [T] terms, [T] their inverse document frequencies and [T, d] axes."""
        vectorizer, axes = self._fit(corpus)
        return list(vectorizer.get_feature_names_out()), vectorizer.idf_, axes

    def _fit(self, corpus: Sequence[str]) -> tuple[Any, NDArray[np.float64]]:
        """The vectorizer of scikit-learn and the axes."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        config = self.config
        vectorizer = TfidfVectorizer(
            analyzer=partial(terms, pairs=config.pairs),
            sublinear_tf=True,
            max_features=config.max_terms,
            min_df=min(config.min_texts, len(corpus)),
            dtype=np.float64,
        )
        try:
            counts = vectorizer.fit_transform(corpus)
        except ValueError as error:  # an empty vocabulary; the settings are checked already
            raise TextError(
                f"tfidf finds no term in {len(corpus)} texts (no letters or digits, or none that {config.min_texts} of "
                "them hold): check the texts, or lower min_texts."
            ) from error
        dim = min(config.dim, *counts.shape)
        if dim < config.dim:
            self.notices.append(
                f"{dim} dimensions instead of {config.dim}: there are {counts.shape[0]} texts and "
                f"{counts.shape[1]} distinct terms."
            )
        self._tell_what_texts_share(corpus, counts)
        return vectorizer, _axes(counts, dim, config.seed)

    def _tell_what_texts_share(self, corpus: Sequence[str], counts: sparse.csr_matrix) -> None:
        """Whether the texts can be told apart, and whether any two are alike."""
        with_terms = int((counts.getnnz(axis=1) > 0).sum())
        if with_terms > 1 and (counts.getnnz(axis=0) == with_terms).all():
            self.notices.append(
                f"all {with_terms} texts hold the same terms: their vectors tell no two items apart."
            )
        share = share_of_texts_with_common_words(corpus)
        if len(corpus) > 1 and share < FEW:
            self.notices.append(
                f"only {share:.0%} of the texts share a word with another one: tfidf can tell little of which items "
                "are alike. An encoder that knows what words mean (minilm, sentence-transformers:MODEL) may tell more."
            )


def _axes(counts: sparse.csr_matrix, dim: int, seed: int) -> NDArray[np.float64]:
    """[terms, dim] directions of the truncated SVD."""
    from sklearn.decomposition import TruncatedSVD

    if counts.shape[1] == 1:  # which scikit-learn refuses
        return np.ones((1, 1))
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # shares of a variance that is zero where all texts are equal
        svd = TruncatedSVD(dim, random_state=seed).fit(counts)
    return np.asarray(svd.components_.T, np.float64)
