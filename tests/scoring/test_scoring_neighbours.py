"""New items scored by those that stand for them, against the product of matrices written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from darec.errors import RunError
from darec.scoring import (
    AddedScorer,
    LinearFolding,
    MatrixScorer,
    PopularityScorer,
    Scorer,
    TableScorer,
)
from darec.scoring.extending import extended, folded, new_items
from darec.scoring.neighbours import NeighbourScorer
from darec.types import Tables

rng = np.random.default_rng(0)
B = (rng.standard_normal((6, 6)) * (rng.random((6, 6)) < 0.6)).astype(np.float32)
X = sparse.csr_array((rng.random((4, 6)) < 0.4).astype(np.float32))
W = sparse.csr_array(np.array([[0.5, 0.5, 0, 0, 0, 0], [0, 0, 0.2, 0, 0.8, 0]], np.float32))
LEFT = np.vstack([np.eye(6), W.toarray()])
WHOLE = LEFT @ B @ LEFT.T


@pytest.fixture(params=[B, sparse.csr_array(B)], ids=["dense", "sparse"])
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return extended(MatrixScorer(request.param, X), None, W, np.arange(8))


def test_scores_are_those_of_the_whole_matrix(scorer: Scorer) -> None:
    expected = X.toarray() @ WHOLE[:6]
    np.testing.assert_allclose(scorer.score(np.arange(4)), expected, atol=1e-5)
    liked = sparse.csr_array((rng.random((3, 8)) < 0.5).astype(np.float32))
    np.testing.assert_allclose(scorer.score_histories(liked), liked @ WHOLE, atol=1e-5)
    np.testing.assert_allclose(
        scorer.similarities(np.array([7, 2, 6])), WHOLE[[7, 2, 6]], atol=1e-5
    )


@pytest.mark.parametrize("candidates", [[7], [6, 7], [1, 4], [5, 6, 0], list(range(8))])
def test_candidates_of_either_kind_are_ranked(scorer: Scorer, candidates: list[int]) -> None:
    expected = (X.toarray() @ WHOLE[:6])[:, candidates]
    items, scores = scorer.top_k(k=len(candidates), candidates=np.array(candidates))
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1), atol=1e-5)
    assert {*items.ravel()} == {*candidates}


def test_explanations_add_up(scorer: Scorer) -> None:
    scores = scorer.score(np.arange(4))
    for user in range(4):
        for item in range(8):
            told = scorer.explain(user, item)
            assert told.score == pytest.approx(float(scores[user, item]), abs=1e-5)
            own = {term.item: term.value for term in told.terms}
            for other, value in own.items():
                assert X.toarray()[user, other] and value == pytest.approx(
                    WHOLE[other, item], abs=1e-5
                )


def test_users_with_new_items_fold_in_for_the_old_ones() -> None:
    """By a matrix as those that stand for them, by tables with a row of their own, by both as the sum."""
    rows = rng.standard_normal((2, 3)).astype(np.float32)
    table = torch.from_numpy(rng.standard_normal((6, 3)).astype(np.float32))
    users = torch.from_numpy(rng.standard_normal((4, 3)).astype(np.float32))
    liked = sparse.csr_array(
        np.array([[1, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 1]], np.float32)
    )
    matrix = MatrixScorer(B, X)
    by_matrix = folded(matrix, None, W, liked).score(np.arange(2))
    np.testing.assert_allclose(by_matrix, (liked @ WHOLE)[:, :6], atol=1e-5)
    second = torch.from_numpy(rng.standard_normal((6, 3)).astype(np.float32))
    tables = TableScorer(Tables(users, table), folding=LinearFolding(second))
    by_tables = folded(tables, rows, W, liked).score(np.arange(2))
    expected = (liked @ (LEFT @ second.numpy())) @ table.numpy().T
    np.testing.assert_allclose(by_tables, expected, atol=1e-5)
    both = AddedScorer([tables, matrix], [0.3, 2])
    np.testing.assert_allclose(
        folded(both, rows, W, liked).score(np.arange(2)), 0.3 * by_tables + 2 * by_matrix, atol=1e-5
    )


def test_it_is_not_saved(scorer: Scorer) -> None:
    assert isinstance(scorer, NeighbourScorer)
    with pytest.raises(RunError, match="not saved"):
        scorer.arrays()


def test_a_new_item_is_as_popular_as_those_that_stand_for_it() -> None:
    popularity = PopularityScorer(4, torch.tensor([1.0, 3, 5, 0, 10, 2]))
    whole = extended(popularity, None, W, np.arange(8)).score(np.array([2]))
    np.testing.assert_allclose(whole, [[1, 3, 5, 0, 10, 2, 2, 9]])
    alone = new_items(popularity, None, W, np.arange(2)).score(np.array([0]))
    np.testing.assert_allclose(alone, [[2, 9]])
    liked = sparse.csr_array(np.ones((3, 8), np.float32))
    np.testing.assert_allclose(
        folded(popularity, None, W, liked).score(np.array([2])), [[1, 3, 5, 0, 10, 2]]
    )
