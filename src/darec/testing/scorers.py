"""A test class to inherit for every kind of scorer.

In a test file::

    class TestMine(ScorerSuite):
        def make(self):
            return MyScorer(...)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from darec.errors import DataError, RunError
from darec.scoring import Scorer
from darec.types import Interactions


class ScorerSuite:
    """Inherit with :meth:`make` and, if users are only histories, :meth:`histories`."""

    def make(self) -> Scorer:
        """A scorer of at least five users and eight items, the same at every call."""
        raise AssertionError("define make()")

    def histories(self) -> sparse.csr_array | None:
        """[U, I] the histories of the users of :meth:`make`; None if users are more than their histories."""
        return None

    def test_scores_have_a_row_a_user_and_repeat(self) -> None:
        """[n, I] float32, finite, in the order of the users asked for."""
        scorer = self.make()
        scores = scorer.score(np.array([3, 0]))
        assert scores.shape == (2, scorer.n_items) and scores.dtype == np.float32
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(scores, scorer.score(np.array([3, 0])))
        every = scorer.score(np.arange(scorer.n_users))
        np.testing.assert_allclose(scores, every[[3, 0]], rtol=1e-5, atol=1e-6)
        assert scorer.score(np.zeros(0, np.int64)).shape == (0, scorer.n_items)

    @pytest.mark.parametrize("batch_size", [1, 2, None])
    def test_top_k_equals_a_sort(self, batch_size: int | None) -> None:
        """By score, equal ones by place; excluded items and items that are no candidates left out."""
        scorer = self.make()
        rng = np.random.default_rng(0)
        users, items = np.nonzero(rng.random((scorer.n_users, scorer.n_items)) < 0.3)
        exclude = Interactions.from_pairs(users, items, scorer.n_users, scorer.n_items)
        candidates = rng.permutation(scorer.n_items)[: scorer.n_items - 2]
        asked = np.array([4, 1, 2])
        found, values = scorer.top_k(asked, 4, candidates, exclude, batch_size)
        for user, listed, scores in zip(asked, found, values, strict=True):
            row = scorer.score(np.array([user]))[0]
            allowed = np.setdiff1d(candidates, exclude.of_user(user)).tolist()
            best = sorted(allowed, key=lambda item: (-row[item], scorer.ties[item]))[:4]
            assert [item for item in listed.tolist() if item >= 0] == best
            np.testing.assert_allclose(scores[: len(best)], row[best], rtol=1e-5, atol=1e-6)

    def test_an_explanation_adds_up_to_the_score(self) -> None:
        """Its terms sum to it, the largest first."""
        scorer = self.make()
        scores = scorer.score(np.arange(scorer.n_users))
        for user in range(5):
            for item in range(8):
                told = scorer.explain(user, item)
                values = [term.value for term in told.terms]
                assert told.score == pytest.approx(float(scores[user, item]), rel=1e-4, abs=1e-5)
                assert sum(values) == pytest.approx(told.score, rel=1e-6, abs=1e-7)
                assert [abs(value) for value in values] == sorted(map(abs, values), reverse=True)

    def test_histories_are_scored_alone_and_together(self) -> None:
        """A user's scores do not depend on who else is asked for; what is liked most counts, not its order."""
        scorer = self.make()
        weights = np.zeros((3, scorer.n_items), np.float32)
        weights[0, [1, 5]] = weights[1, 2] = weights[2, [2, 3, 4]] = 1
        histories = sparse.csr_array(weights)
        together = scorer.score_histories(histories)
        assert together.shape == (3, scorer.n_items) and np.isfinite(together).all()
        for row in range(3):
            alone = scorer.score_histories(sparse.csr_array(weights[row : row + 1]))
            np.testing.assert_allclose(together[[row]], alone, rtol=1e-5, atol=1e-6)

    def test_known_users_are_scored_as_their_histories(self) -> None:
        """Where users are nothing but histories."""
        histories = self.histories()
        if histories is None:
            pytest.skip("users of this scorer are more than their histories")
        scorer = self.make()
        np.testing.assert_allclose(
            scorer.score_histories(histories),
            scorer.score(np.arange(scorer.n_users)),
            rtol=1e-5,
            atol=1e-6,
        )

    def test_similarities_have_a_row_an_item(self) -> None:
        """[n, I], finite."""
        scorer = self.make()
        values = scorer.similarities(np.array([6, 0]))
        assert values.shape == (2, scorer.n_items) and np.isfinite(values).all()
        np.testing.assert_allclose(
            values[1], scorer.similarities(np.array([0]))[0], rtol=1e-5, atol=1e-6
        )

    def test_saved_scorers_are_the_same(self, tmp_path: Path) -> None:
        """Scores, order of ties and explanations survive a file."""
        scorer, path = self.make(), tmp_path / "scorer.safetensors"
        scorer.save(path)
        loaded = Scorer.load(path)
        assert type(loaded) is type(scorer)
        users = np.arange(scorer.n_users)
        np.testing.assert_array_equal(loaded.score(users), scorer.score(users))
        np.testing.assert_array_equal(loaded.ties, scorer.ties)
        assert loaded.explain(0, 1) == scorer.explain(0, 1)

    def test_damaged_files_are_refused(self, tmp_path: Path) -> None:
        """In one line that names the file."""
        path = tmp_path / "scorer.safetensors"
        self.make().save(path)
        path.write_bytes(path.read_bytes()[:60])
        with pytest.raises(RunError, match=r"scorer\.safetensors has no scorer"):
            Scorer.load(path)

    def test_pairs_of_another_dataset_are_refused(self) -> None:
        """Before anything is scored."""
        scorer = self.make()
        other = Interactions.from_pairs(np.zeros(1, int), np.zeros(1, int), 1, scorer.n_items)
        with pytest.raises(DataError, match="take both from one dataset"):
            scorer.top_k(k=1, exclude=other)
