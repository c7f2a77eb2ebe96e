"""Metrics against known answers and the laws they obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.evaluation import metrics as m

HITS = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], bool)
RELEVANT = np.array([2, 3, 6])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recall", [1, 0, 3 / 6]),
        ("precision", [2 / 4, 0, 3 / 4]),
        ("hit_rate", [1, 0, 1]),
        ("mrr", [1, 0, 1 / 2]),
        ("map", [(1 + 2 / 3) / 2, 0, (1 / 2 + 2 / 3 + 3 / 4) / 6]),
        (
            "ndcg",
            [
                (1 + 1 / 2) / (1 + 1 / math.log2(3)),
                0,
                (1 / math.log2(3) + 1 / 2 + 1 / math.log2(5))
                / (1 + 1 / math.log2(3) + 1 / 2 + 1 / math.log2(5)),
            ],
        ),
    ],
)
def test_known_answers(name, expected):
    np.testing.assert_allclose(m.ACCURACY[name](HITS, RELEVANT), expected, rtol=1e-12)


@st.composite
def rankings(draw):
    """Hits of up to 6 users at up to 12 places, and numbers of relevant items that allow them."""
    n, k = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    hits = rng.random((n, k)) < draw(st.floats(0, 1))
    return hits, np.maximum(hits.sum(axis=1) + rng.integers(0, 4, n), 1)


@settings(max_examples=60, deadline=None)
@given(rankings())
def test_laws(ranking):
    hits, n_relevant = ranking
    k = hits.shape[1]
    shuffled = np.random.default_rng(0).permutation(len(hits))
    for name, metric in m.ACCURACY.items():
        values = metric(hits, n_relevant)
        assert ((values >= 0) & (values <= 1)).all(), name
        np.testing.assert_array_equal(
            metric(hits[shuffled], n_relevant[shuffled]), values[shuffled]
        )
        if name in ("recall", "hit_rate", "mrr", "map"):
            by_k = np.array([metric(hits[:, :cut], n_relevant) for cut in range(1, k + 1)])
            assert (np.diff(by_k, axis=0) >= -1e-12).all(), name
    # Hits moved to the front never lower a metric that looks at places.
    sorted_hits = np.sort(hits, axis=1)[:, ::-1]
    for name in ("ndcg", "mrr", "map"):
        better, given_order = (m.ACCURACY[name](h, n_relevant) for h in (sorted_hits, hits))
        assert (better >= given_order - 1e-12).all(), name


@settings(max_examples=30, deadline=None)
@given(k=st.integers(1, 30), n_relevant=st.integers(1, 30))
def test_perfect_ranking(k, n_relevant):
    hits = np.arange(k)[None] < n_relevant
    best = {name: metric(hits, np.array([n_relevant]))[0] for name, metric in m.ACCURACY.items()}
    assert best["ndcg"] == pytest.approx(1, abs=1e-12)
    assert best["mrr"] == best["hit_rate"] == 1
    assert best["recall"] == best["map"] == min(k, n_relevant) / n_relevant
    assert best["precision"] == min(k, n_relevant) / k


def test_beyond_accuracy_known_answers():
    items = np.array([[0, 1], [1, -1], [-1, -1]])
    degree = np.array([8, 2, 0, 4])
    np.testing.assert_allclose(m.novelty(items, degree, 8), [(0 + 2) / 2, 2, 0])
    np.testing.assert_allclose(m.popularity(items, degree), [5, 2, 0])
    assert m.coverage(items, 4) == 0.5
    assert m.novelty(np.array([[2]]), degree, 8) == 3  # never trained on: as if by one user
