"""Typical words of a cluster, which name it on a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from darec.data.dataset import Dataset
from darec.terms import CHARACTERS, terms
from darec.types import IntArray


def typical_words(
    texts: Sequence[set[str]], clusters: IntArray, n_clusters: int, most: int = 3
) -> tuple[str, ...]:
    """Return a name for each cluster: the words that are most over-represented in it.

    The weight of a word is its share p of the cluster's texts times log(p / q), with q its share of all texts; so a
    rare word of a single text has a small weight. A word names only the cluster in which its weight is largest.

    Args:
        texts: [n] the words of each entity.
        clusters: [n] cluster of each entity.
        n_clusters: number of clusters K.
        most: number of words in a name.

    Returns:
        [K] words between commas; empty for a cluster without words.
    """
    overall = Counter(word for text in texts for word in text)
    weights: dict[str, tuple[float, int]] = {}
    for cluster in range(n_clusters):
        members = np.flatnonzero(clusters == cluster).tolist()
        found = Counter(word for row in members for word in texts[row])
        for word, count in found.items():
            share, base = count / len(members), overall[word] / len(texts)
            weight = share * float(np.log(share / base))
            if weight > weights.get(word, (0.0, 0))[0]:
                weights[word] = (weight, cluster)
    named: list[list[str]] = [[] for _ in range(n_clusters)]
    for word, (_, cluster) in sorted(weights.items(), key=lambda item: (-item[1][0], item[0])):
        if len(named[cluster]) < most:
            named[cluster].append(word)
    return tuple(", ".join(words) for words in named)


def words_of(dataset: Dataset, kind: str, rows: IntArray) -> list[set[str]]:
    """Return the words of the items' titles; for a user the words of the titles of the training items.

    Args:
        dataset: of the run.
        kind: ``users`` or ``items``.
        rows: [m] users or items.
    """
    titles, train = dataset.titles, dataset.train

    def of_item(item: int) -> set[str]:
        return {word for word in terms(titles[item], pairs=False) if _tells(word)}

    if kind == "items":
        return [of_item(int(row)) for row in rows]
    ends = train.indptr
    return [
        set[str]().union(*(of_item(int(item)) for item in train.items[ends[row] : ends[row + 1]]))
        for row in rows
    ]


def _tells(word: str) -> bool:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    short = len(word) < 3 and word.isascii()
    return not (
        short or word.startswith(CHARACTERS) or word.isdigit() or word in ENGLISH_STOP_WORDS
    )
