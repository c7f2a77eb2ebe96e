"""Ranking metrics with binary relevance, with one value for each user.

Accuracy metrics take ``hits`` [n, K], True if the item at that position (best first) is relevant, and ``n_relevant``
[n], the number of relevant items of the user, at least one. K is the width of ``hits``: cut it for a smaller K. All
return [n] float64 in 0..1. Definitions follow trec_eval and ranx; Recall and NDCG are those of the RLMRec code and so
of the papers compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from darec.types import IntArray

Hits = NDArray[np.bool_]
Values = NDArray[np.float64]


def recall(hits: Hits, n_relevant: IntArray) -> Values:
    """Recall@K = hits / n_relevant."""
    values: Values = hits.sum(axis=1) / n_relevant
    return values


def precision(hits: Hits, n_relevant: IntArray) -> Values:
    """Precision@K = hits / K, also if the list is shorter than K."""
    values: Values = hits.sum(axis=1) / hits.shape[1]
    return values


def hit_rate(hits: Hits, n_relevant: IntArray) -> Values:
    """HitRate@K = 1 if there is a hit, else 0."""
    return np.asarray(hits.any(axis=1), np.float64)


def ndcg(hits: Hits, n_relevant: IntArray) -> Values:
    """NDCG@K = DCG / ideal DCG (Järvelin & Kekäläinen, 2002).

    DCG sums 1 / log2(1 + place) over the hits, places from 1; the ideal list has its first min(K, n_relevant) places
    hit.
    """
    k = hits.shape[1]
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(n_relevant, k) - 1]
    # The ratio of equal sums that are added in different orders may exceed 1 by an ulp.
    values: Values = np.minimum((hits * discount).sum(axis=1) / ideal, 1.0)
    return values


def mrr(hits: Hits, n_relevant: IntArray) -> Values:
    """MRR@K = 1 / place of the first hit, 0 without a hit."""
    return np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0.0)


def average_precision(hits: Hits, n_relevant: IntArray) -> Values:
    """MAP@K: precision at each hit's place, summed and divided by n_relevant.

    Divided by n_relevant and not by min(K, n_relevant), as ranx and trec_eval do: a user with more than K
    relevant items cannot reach 1.
    """
    places = np.arange(1, hits.shape[1] + 1)
    values: Values = (np.cumsum(hits, axis=1) * hits / places).sum(axis=1) / n_relevant
    return values


def novelty(items: IntArray, item_degree: IntArray, n_users: int) -> Values:
    """Novelty@K: mean self-information of the recommended items, in bits (Zhou et al., 2010).

    -log2(share), share = training users of the item / training users. An item without training users counts as having
    one, so that the value stays finite.

    Args:
        items: [n, K] recommended item rows, -1 after the end of a shorter list (left out of the mean).
        item_degree: [I] training users of each item.
        n_users: users with at least one training item.

    Returns:
        [n], 0 for an empty list.
    """
    return _mean_over_list(items, -np.log2(np.maximum(item_degree, 1) / max(n_users, 1)))


def popularity(items: IntArray, item_degree: IntArray) -> Values:
    """Average popularity@K: mean number of training users of the recommended items. Args as novelty."""
    return _mean_over_list(items, item_degree.astype(np.float64))


def coverage(items: IntArray, n_items: int) -> float:
    """Catalogue coverage@K: share of the I items that are in at least one user's list."""
    seen = np.zeros(n_items, bool)
    seen[items[items >= 0]] = True
    return float(seen.mean())


def _mean_over_list(items: IntArray, value: Values) -> Values:
    listed = items >= 0
    total = np.where(listed, value[items], 0.0).sum(axis=1)
    values: Values = total / np.maximum(listed.sum(axis=1), 1)
    return values


ACCURACY: Final[dict[str, Callable[[Hits, IntArray], Values]]] = {
    "recall": recall,
    "ndcg": ndcg,
    "precision": precision,
    "hit_rate": hit_rate,
    "mrr": mrr,
    "map": average_precision,
}
BEYOND_ACCURACY: Final = ("coverage", "novelty", "popularity", "tied")
"""``tied``: share of the users whose list ends inside a tie, so that the order of equal scores decides part of it."""
METRICS: Final = (*ACCURACY, *BEYOND_ACCURACY)
