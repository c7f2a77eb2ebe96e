"""Mix the similarity of texts with learned scores."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from darec.scoring.added import AddedScorer
from darec.scoring.base import Explanation, Scorer, Term
from darec.scoring.tables import TableScorer
from darec.types import FloatArray, IntArray, Tables

WORDS: Final = 0.7
"""Weight of the text for a user known by words alone: the smallest weight with which lists match the words no worse
than by text alone, on toys and on steam (docs/studies/about.md)."""
_TINY = 1e-12


class TextScorer(TableScorer):
    """Cosine of each item's language vector with one vector, the same for every user."""

    def explain(self, user: int, item: int) -> Explanation:
        """One term: the cosine."""
        told = super().explain(user, item)
        return Explanation(told.score, (Term("text", told.score),))


def unit(vectors: FloatArray) -> FloatArray:
    """Rows at unit length. A table that already has unit rows is not copied, so that a mapped table stays mapped."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if np.all((np.abs(lengths - 1) < 1e-3) | (lengths == 0)):
        return vectors
    return np.asarray(vectors / np.maximum(lengths, _TINY), np.float32)


def mixed(
    scorer: Scorer,
    row: int,
    items: FloatArray,
    liked: IntArray,
    words: FloatArray | None,
    weight: float,
) -> Scorer:
    """``(1 - w) s + w c``: s is the score, c the cosine of an item's text with the user's liked texts.

    c is scaled to the spread of s over the catalogue, so that w has the same meaning for every scorer.

    Args:
        scorer: that scores the user.
        row: of the user in the scorer.
        items: [I, d_L] unit vectors of the items.
        liked: rows of the items that the user likes.
        words: [1, d_L] vector of the user's words.
        weight: w, from 0 to 1.
    """
    known = [items[liked], *([unit(words)] if words is not None else [])]
    towards = torch.from_numpy(np.concatenate(known).astype(np.float64).sum(axis=0)).float()
    table = F.normalize(towards, dim=0).expand(scorer.n_users, -1)
    text = TextScorer(Tables(table, torch.from_numpy(items)), scorer.ties)
    users = np.array([row])
    spread = float(scorer.score(users).std()) / max(float(text.score(users).std()), _TINY)
    added = AddedScorer([scorer, text], [1 - weight, weight * (spread or 1.0)])
    added.trusted = scorer.trusted
    return added
