"""Words that are typical of a cluster, so that a map can call it by a name."""

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
    """A name for each cluster: the words that are most over-represented in it.

    A word's weight is its share of the cluster's texts times the logarithm of that share over its share of all texts,
    so a rare word of one text does not win. A word names one cluster, the one where it weighs most.

    Args:
        texts: [n] the words of each entity.
        clusters: [n] each entity's cluster.
        n_clusters: K.
        most: words in a name.

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
    """The words of the items' titles; those of a user are the words of what the user took in training.

    Args:
        dataset: theirs.
        kind: ``users`` or ``items``.
        rows: [m] of them.
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
