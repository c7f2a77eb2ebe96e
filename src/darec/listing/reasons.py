"""Reasons for a recommendation: the parts of its score, the nearest items, and words that both texts have."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from darec.ids.idmap import Id
from darec.listing.named import Named
from darec.scoring import Scorer
from darec.tabular import Tabular
from darec.terms import CHARACTERS, terms
from darec.types import FloatArray, IntArray

NEAREST: Final = 5
WORDS: Final = 10
_COMMON: Final = 0.5
"""A word in a larger share of the texts is common, and explains nothing."""
_FEWEST: Final = 5  # a word may be in this number of texts in any case


@dataclass(frozen=True)
class Part:
    """One summand of a score.

    Attributes:
        of: ``item`` for an item that the user has, by an item-item matrix; ``tables`` for the inner product of the
            user's row and the item's; ``popularity`` for the popularity of the item.
        item_id: that item; None for the other two.
        title: the title.
        adds: the value that it adds to the score; may be negative.
        share: share of the score; None if that is 0. Shares of a sum with negative parts may be above 1.
    """

    of: str
    item_id: Id | None
    title: str | None
    adds: float
    share: float | None


@dataclass(frozen=True)
class Near:
    """An item of the user that is close to the recommended one. It is not a part of the score's sum.

    Attributes:
        item_id: the item.
        title: its name on screen.
        cosine: cosine of the two items' rows in the item table.
    """

    item_id: Id
    title: str
    cosine: float


@dataclass(frozen=True)
class Word:
    """A word in the text of the recommended item and in that of an item that the user has.

    Attributes:
        word: the word; of scripts without blanks, a character or two.
        item_id: the item that the user has.
        title: its name on screen.
        cosine: how much the word adds to the cosine of the two texts by TF-IDF.
    """

    word: str
    item_id: Id
    title: str
    cosine: float


@dataclass(frozen=True)
class Reasons(Tabular):
    """Why an item is recommended.

    Attributes:
        item_id: the item.
        title: its name on screen.
        score: its score for the user.
        parts: the parts whose sum is the score, the largest in absolute value first.
        nearest: if the run has an item table, the user's items nearest to it. They are not part of the sum.
        words: words that connect the item's text with those of the user's most important items, the largest first.
    """

    item_id: Id
    title: str
    score: float
    parts: tuple[Part, ...]
    nearest: tuple[Near, ...]
    words: tuple[Word, ...]

    def to_polars(self) -> pl.DataFrame:
        """``kind``, ``item_id``, ``title``, ``word``, ``value`` and ``share``.

        A kind is item, tables, popularity, nearest or word.
        """
        rows: list[tuple[Any, ...]] = [
            (part.of, _text(part.item_id), part.title, None, part.adds, part.share)
            for part in self.parts
        ]
        rows += [
            ("nearest", str(near.item_id), near.title, None, near.cosine, None)
            for near in self.nearest
        ]
        rows += [
            ("word", str(word.item_id), word.title, word.word, word.cosine, None)
            for word in self.words
        ]
        types = dict.fromkeys(("kind", "item_id", "title", "word"), pl.String)
        return pl.DataFrame(rows, {**types, "value": pl.Float64, "share": pl.Float64}, orient="row")


class Words:
    """Weights of the words in the catalogue's texts.

    Args:
        texts: texts of all items; None for a missing one.
    """

    def __init__(self, texts: Sequence[str | None]) -> None:
        self.texts = texts

    @cached_property
    def _counts(self) -> Counter[str]:
        """Number of texts with each word."""
        return Counter(word for text in self.texts if text for word in set(_words(text)))

    @cached_property
    def _n(self) -> int:
        return sum(1 for text in self.texts if text)

    def extended(self, texts: Sequence[str | None]) -> Words:
        """The same with additional texts, without counting the earlier ones again."""
        more = Words([*self.texts, *texts])
        of_new = Counter(word for text in texts if text for word in set(_words(text)))
        more._counts = self._counts + of_new
        return more

    def shared(self, one: int, other: int) -> dict[str, float]:
        """The contribution of each word in the texts of two items to their TF-IDF cosine.

        A word of most texts, such as the name of a field before its values, is left out: it explains nothing. Weights
        are ``(1 + log tf) (1 + log((1 + n) / (1 + df)))``, as in scikit-learn with ``sublinear_tf``.
        """
        left, right = self._weights(one), self._weights(other)
        lengths = math.dist(left.values(), [0.0] * len(left)) * math.dist(
            right.values(), [0.0] * len(right)
        )
        most = max(_COMMON * self._n, _FEWEST)
        return {
            word: left[word] * right[word] / lengths
            for word in left.keys() & right.keys()
            if self._counts[word] <= most
        }

    def _weights(self, item: int) -> dict[str, float]:
        counts = Counter(_words(self.texts[item] or ""))
        return {
            word: (1 + math.log(count)) * (1 + math.log((1 + self._n) / (1 + self._counts[word])))
            for word, count in counts.items()
        }


def reasons(
    named: Named, scorer: Scorer, user: int, item: int, liked: IntArray, words: Words
) -> Reasons:
    """Why an item is recommended to a user.

    Args:
        named: ids and titles.
        scorer: the scorer.
        user: the user's row in it.
        item: the item's row.
        liked: rows of the items that the scorer knows of the user.
        words: words of the catalogue.
    """
    ids, titles = named.items.ids, named.titles
    told = scorer.explain(user, item)
    parts = tuple(
        Part(
            "item" if term.item is not None else term.name,
            None if term.item is None else ids[term.item],
            None if term.item is None else str(titles[term.item]),
            term.value,
            term.value / told.score if told.score else None,
        )
        for term in told.terms
    )
    others = liked[liked != item]
    near = _nearest(scorer.item_vectors(), item, others)
    counting = [term.item for term in told.terms if term.item is not None and term.value > 0]
    connected = list(dict.fromkeys([*counting[:NEAREST], *(row for row, _ in near)]))
    found = [
        Word(word.removeprefix(CHARACTERS), ids[row], str(titles[row]), value)
        for row in connected
        for word, value in words.shared(item, row).items()
    ]
    found.sort(key=lambda word: (-word.cosine, word.word))
    return Reasons(
        ids[item],
        str(titles[item]),
        told.score,
        parts,
        tuple(Near(ids[row], str(titles[row]), cosine) for row, cosine in near),
        tuple(found[:WORDS]),
    )


def _nearest(vectors: FloatArray | None, item: int, liked: IntArray) -> list[tuple[int, float]]:
    """The liked items nearest to an item, with their cosines."""
    if vectors is None or not len(liked):
        return []
    rows, own = vectors[liked].astype(np.float64), vectors[item].astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(own)
    cosines = rows @ own / np.maximum(lengths, np.finfo(np.float64).tiny)
    best = np.argsort(-cosines, kind="stable")[:NEAREST]
    return [(int(liked[at]), float(cosines[at])) for at in best]


def _words(text: str) -> Iterable[str]:
    return terms(text, pairs=False)


def _text(identifier: Id | None) -> str | None:
    return None if identifier is None else str(identifier)
