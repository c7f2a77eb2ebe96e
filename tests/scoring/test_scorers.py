"""The three ways to score, against the suite and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from darec.errors import DataError, RunError
from darec.scoring import AddedScorer, MatrixScorer, PopularityScorer, Scorer, TableScorer, Term
from darec.testing.scorers import ScorerSuite
from darec.types import Tables

HISTORIES = sparse.csr_array((np.random.default_rng(1).random((7, 12)) < 0.3).astype(np.float32))


def tables() -> TableScorer:
    generator = torch.Generator().manual_seed(0)
    return TableScorer(
        Tables(torch.randn(7, 3, generator=generator), torch.randn(12, 3, generator=generator))
    )


def matrix(*, dense: bool) -> MatrixScorer:
    rng = np.random.default_rng(2)
    entries = rng.standard_normal((12, 12)) * (rng.random((12, 12)) < 0.5)
    entries = entries.astype(np.float32)
    return MatrixScorer(entries if dense else sparse.csr_array(entries), HISTORIES)


class TestTables(ScorerSuite):
    def make(self) -> Scorer:
        return tables()


class TestSparseMatrix(ScorerSuite):
    def make(self) -> Scorer:
        return matrix(dense=False)

    def histories(self) -> sparse.csr_array:
        return HISTORIES


class TestDenseMatrix(TestSparseMatrix):
    def make(self) -> Scorer:
        return matrix(dense=True)


class TestPopularity(ScorerSuite):
    def make(self) -> Scorer:
        return PopularityScorer(7, torch.rand(12, generator=torch.Generator().manual_seed(3)))


class TestAdded(ScorerSuite):
    def make(self) -> Scorer:
        return AddedScorer([tables(), matrix(dense=False)], [0.7, 0.3])


class TestAddedMatrices(TestSparseMatrix):
    def make(self) -> Scorer:
        return AddedScorer([matrix(dense=True), matrix(dense=False)], [2, -1])


def test_the_score_of_a_matrix_is_history_times_matrix() -> None:
    B = np.array([[0, 2, 3], [2, 0, 5], [7, 1, 0]], np.float32)
    X = sparse.csr_array(np.array([[1, 0, 1], [0, 0, 0]], np.float32))
    for form in (B, sparse.csr_array(B)):
        scorer = MatrixScorer(form, X)
        assert scorer.score(np.array([0, 1])).tolist() == [[7, 3, 3], [0, 0, 0]]
        told = scorer.explain(0, 1)
        assert told.score == 3
        assert told.terms == (Term("history", 2.0, 0), Term("history", 1.0, 2))
        assert scorer.explain(1, 1).terms == ()
        assert scorer.similarities(np.array([2])).tolist() == [[7, 1, 0]]


def test_added_scores_are_weighted_sums() -> None:
    one, other = tables(), matrix(dense=True)
    both = AddedScorer([one, other], [0.5, 2])
    users = np.arange(7)
    np.testing.assert_allclose(
        both.score(users), 0.5 * one.score(users) + 2 * other.score(users), rtol=1e-5, atol=1e-6
    )


def test_a_user_without_history_gets_zeros() -> None:
    nobody = sparse.csr_array((1, 12), dtype=np.float32)
    for scorer in (tables(), matrix(dense=True), matrix(dense=False)):
        assert scorer.score_histories(nobody).tolist() == [[0.0] * 12]


def test_bad_parts_are_refused() -> None:
    with pytest.raises(DataError, match=r"matrix of shape \[3, 3\] and histories over 12 items"):
        MatrixScorer(np.zeros((3, 3), np.float32), HISTORIES)
    with pytest.raises(DataError, match=r"2 scorers .* and 1 weights"):
        AddedScorer([tables(), tables()], [1])
    with pytest.raises(DataError, match="3 places for ties and 12 items"):
        MatrixScorer(np.zeros((12, 12), np.float32), HISTORIES, np.arange(3))
    broken = np.zeros((12, 12), np.float32)
    broken[3, 4] = np.nan
    with pytest.raises(RunError, match="singular; raise the ridge"):
        MatrixScorer(broken, HISTORIES).top_k(k=2)


def test_few_users_of_a_dense_matrix_score_as_all_do() -> None:
    rng = np.random.default_rng(5)
    B = rng.standard_normal((40, 40)).astype(np.float32)
    X = sparse.csr_array((rng.random((30, 40)) < 0.2).astype(np.float32))
    scorer = MatrixScorer(B, X)
    every = scorer.score(np.arange(30))
    np.testing.assert_allclose(every, X @ B, rtol=1e-5, atol=1e-5)
    for user in range(30):
        np.testing.assert_array_equal(scorer.score(np.array([user]))[0], every[user])
