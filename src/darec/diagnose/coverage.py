"""Which items and users have text, how many texts repeat, and how the embeddings fill their space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from darec.data.dataset import Dataset
from darec.numerics.diagnostics import effective_rank, mean_similarity
from darec.terms import share_of_texts_with_common_words
from darec.types import FloatArray, TextTable

NEAR: Final = 0.98
"""Two texts with a larger cosine count as nearly the same."""
WORD_BINS: Final = (1, 2, 3, 5, 9, 17, 33, 65, 129, 257)
"""The smallest number of words of each bin of the histogram."""


@dataclass(frozen=True)
class Coverage:
    """The texts of a data set.

    Attributes:
        items: number of items I.
        without_text: number of items without an embedding.
        repeated: number of items whose text another item has, word for word.
        near_repeated: number of items that have a cosine above :data:`NEAR` with another one, including repeated ones.
        common_words: share of the items with text that have a word in common with another one; in a script without
            blanks, a character or a pair of characters (:mod:`darec.terms`).
        words: least, median, 95th percentile and most words (parts between spaces) of a text.
        word_counts: [10] number of items in each bin of :data:`WORD_BINS`.
        interactions: share of training interactions whose item has text.
        users_without_text: number of users with training items none of which has text.
        users: number of users with training items.
        user_share: least, 5th percentile and median share of a user's training items that have text.
    """

    items: int
    without_text: int
    repeated: int
    near_repeated: int
    common_words: float
    words: tuple[int, int, int, int]
    word_counts: tuple[int, ...]
    interactions: float
    users_without_text: int
    users: int
    user_share: tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """How the embeddings of the items with text fill their space.

    Attributes:
        dim: d_L.
        effective_rank: of the rows at unit length (Roy & Vetterli 2007), at most d_L.
        effective_rank_centred: the same after the mean row is subtracted, that is without the part that all texts
            share.
        mean_cosine: of two items; near 1, the encoder hardly distinguishes texts.
        spectrum: share of the variance of each principal component, in falling order.
        components_90: number of principal components that hold 90% of the variance.
    """

    dim: int
    effective_rank: float
    effective_rank_centred: float
    mean_cosine: float
    spectrum: tuple[float, ...]
    components_90: int


def coverage(dataset: Dataset, text: TextTable, nearest: FloatArray) -> Coverage:
    """Count texts.

    Args:
        dataset: with training interactions and the items' texts.
        text: E_L; an item without a row of its own counts as without text.
        nearest: [n] cosine of each item with text with its nearest neighbour.
    """
    train, has = dataset.train, text.item_mask
    texts = [t for t, known in zip(dataset.catalogue["text"].to_list(), has, strict=True) if known]
    texts = [t or "" for t in texts]
    _, which, times = np.unique(np.array(texts, object), return_inverse=True, return_counts=True)
    words = np.array([len(t.split()) for t in texts])
    places = np.searchsorted(WORD_BINS, words, side="right") - 1
    known = np.bincount(train.users, has[train.items], minlength=train.n_users)
    active = train.user_degree > 0
    share = known[active] / train.user_degree[active]
    return Coverage(
        items=len(has),
        without_text=int((~has).sum()),
        repeated=int((times[which] > 1).sum()),
        near_repeated=int((nearest > NEAR).sum()),
        common_words=share_of_texts_with_common_words(texts),
        words=tuple(np.quantile(words, [0, 0.5, 0.95, 1], method="lower").tolist()),
        word_counts=tuple(np.bincount(places[places >= 0], minlength=len(WORD_BINS)).tolist()),
        interactions=float(has[train.items].mean()),
        users_without_text=int((share == 0).sum()),
        users=int(active.sum()),
        user_share=tuple(np.quantile(share, [0, 0.05, 0.5]).tolist()),
    )


def shape(unit: FloatArray) -> Shape:
    """Return rank and spectrum of [n, d] rows at unit length."""
    wide = unit.astype(np.float64)
    centred = wide - wide.mean(0)
    variance = np.linalg.eigvalsh(centred.T @ centred)[::-1].clip(min=0)
    spectrum = variance / max(variance.sum(), np.finfo(float).tiny)
    return Shape(
        dim=unit.shape[1],
        effective_rank=effective_rank(torch.from_numpy(wide)),
        effective_rank_centred=effective_rank(torch.from_numpy(centred)),
        mean_cosine=mean_similarity(torch.from_numpy(wide)),
        spectrum=tuple(spectrum.tolist()),
        components_90=min(int(np.searchsorted(spectrum.cumsum(), 0.9 - 1e-9)) + 1, unit.shape[1]),
    )
