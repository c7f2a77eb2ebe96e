"""TF-IDF and truncated SVD (latent semantic analysis, Deerwester et al. 1990): no download, seconds on a CPU.

Terms are words and pairs of characters, in any script (:mod:`darec.terms`). The encoder is fitted on the texts of all
items, so one new text changes every vector. Equal texts, settings and versions of scikit-learn give equal vectors.
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
"""Version of the definition of a term."""


class TfidfConfig(EncoderConfig):
    """Settings of :class:`TfidfEncoder`."""

    dim: int = Field(128, ge=1)
    """d_L, at most the number of texts and of distinct terms."""
    max_terms: int = Field(50_000, ge=1)
    """Number of terms kept, the most frequent ones."""
    min_texts: int = Field(1, ge=1)
    """A term is kept if at least this many texts have it."""
    pairs: bool = True
    """Whether pairs of neighbouring characters are terms in addition to words. In scripts without blanks they always
    are."""
    seed: int = Field(0, ge=0)
    """Seed of the randomised SVD."""


class TfidfEncoder(Encoder[TfidfConfig]):
    """Unit rows of the truncated SVD of the items' TF-IDF matrix (sublinear counts, smoothed idf)."""

    incremental: ClassVar[bool] = False

    def __init__(self, config: TfidfConfig, argument: str = "", *, device: str = "cpu") -> None:
        super().__init__(config, argument, device=device)

    @property
    def revision(self) -> str:
        """The versions of the definition of a term and of scikit-learn."""
        return f"terms {TERMS}, scikit-learn {version('scikit-learn')}"

    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """Fit on ``corpus`` and project ``texts``; zeros for a text without any term of the corpus.

        Raises:
            TextError: the corpus has no term, or no term that is frequent enough.
        """
        vectorizer, axes = self._fit(texts if corpus is None else corpus)
        vectors = vectorizer.transform(texts) @ axes
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # Below this length a row is a rounding error of the SVD, and scaling it up would make a direction from noise.
        vectors = np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0.0)
        return np.asarray(vectors, np.float32)

    def learned(
        self, corpus: Sequence[str]
    ) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
        """The fitted state: [T] terms, [T] their inverse document frequencies and [T, d] axes."""
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
        except ValueError as error:  # the vocabulary is empty; the settings are already checked
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
        """Warn if all texts are equal, or if almost no two texts are similar."""
        with_terms = int((counts.getnnz(axis=1) > 0).sum())
        if with_terms > 1 and (counts.getnnz(axis=0) == with_terms).all():
            self.notices.append(
                f"all {with_terms} texts have the same terms, so their vectors cannot distinguish items."
            )
        share = share_of_texts_with_common_words(corpus)
        if len(corpus) > 1 and share < FEW:
            self.notices.append(
                f"only {share:.0%} of the texts share a word with another one, so tfidf finds few similar items. "
                "An encoder that knows the meaning of words (minilm, sentence-transformers:MODEL) may find more."
            )


def _axes(counts: sparse.csr_matrix, dim: int, seed: int) -> NDArray[np.float64]:
    """[terms, dim] directions of the truncated SVD."""
    from sklearn.decomposition import TruncatedSVD

    if counts.shape[1] == 1:  # which scikit-learn refuses
        return np.ones((1, 1))
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # shares of a variance that is zero if all texts are equal
        svd = TruncatedSVD(dim, random_state=seed).fit(counts)
    return np.asarray(svd.components_.T, np.float64)
