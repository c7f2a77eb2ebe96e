"""Users with a niche taste: who they are, and popularity that leaves their scores alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from darec.errors import DataError
from darec.export.search import Indexable
from darec.scoring import AddedScorer, PopularityScorer, Scorer, TableScorer
from darec.scoring.extending import extended, folded, new_items
from darec.scoring.niche import Niche, limits, tastes
from darec.testing.scorers import ScorerSuite
from darec.types import Interactions, Tables

POPULARITY = np.array([3.0, 2.0, 1.0, 0.0])
PAIRS = Interactions.from_pairs(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 2, 3]), 3, 4)
NICHE = Niche(usual=2.0, below=1.9)
HISTORIES = sparse.csr_array((np.random.default_rng(1).random((7, 12)) < 0.3).astype(np.float32))
W = sparse.csr_array(np.array([[0, 0, 0.5, 0.5]], np.float32))


def scorer() -> PopularityScorer:
    spared = torch.from_numpy(NICHE.spared(PAIRS, POPULARITY))
    return PopularityScorer(3, torch.from_numpy(POPULARITY).float(), None, NICHE, spared)


class TestNichePopularity(ScorerSuite):
    def make(self) -> Scorer:
        popularity = torch.rand(12, generator=torch.Generator().manual_seed(3))
        niche = Niche(usual=0.5, below=0.48)
        everyone = PopularityScorer(7, popularity, None, niche, torch.zeros(7, dtype=torch.bool))
        return everyone.for_histories(HISTORIES)

    def histories(self) -> sparse.csr_array:
        return HISTORIES

    def test_some_users_are_niche(self) -> None:
        made = self.make()
        assert isinstance(made, PopularityScorer) and made.spared is not None
        assert 0 < made.spared.sum() < 7


def test_a_taste_is_the_mean_with_five_usual_items() -> None:
    found = tastes(PAIRS, POPULARITY, 2.0)
    np.testing.assert_allclose(found, [(5 + 10) / 7, (3 + 10) / 8, 2.0])
    assert scorer().spared.tolist() == [False, True, False]  # type: ignore[union-attr]


def test_scores_of_niche_users_have_no_popularity() -> None:
    np.testing.assert_array_equal(
        scorer().score(np.array([2, 1, 0])), [POPULARITY, [0, 0, 0, 0], POPULARITY]
    )
    assert scorer().explain(1, 0).score == 0 and scorer().explain(0, 0).score == 3


def test_new_users_are_known_by_their_histories() -> None:
    histories = sparse.csr_array(np.array([[0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]], np.float32))
    assert scorer().for_histories(histories).spared.tolist() == [True, False, False]  # type: ignore[union-attr]


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    scorer().save(tmp_path / "s.safetensors")
    again = Scorer.load(tmp_path / "s.safetensors")
    assert isinstance(again, PopularityScorer) and again.niche == NICHE
    np.testing.assert_array_equal(again.score(np.arange(3)), scorer().score(np.arange(3)))


def test_new_items_leave_niche_users_alone() -> None:
    for more, width in ((extended, 5), (new_items, 1)):
        found = more(scorer(), None, W, np.arange(width)).score(np.arange(3))
        assert found.shape == (3, width)
        assert (found[1] == 0).all() and found[0, -1] == pytest.approx(0.5)
    liked = sparse.csr_array(np.array([[0, 0, 0, 0, 1], [1, 0, 0, 0, 0]], np.float32))
    users = folded(scorer(), None, W, liked)
    np.testing.assert_array_equal(users.score(np.arange(2)), [[0, 0, 0, 0], POPULARITY])


def test_an_index_searches_with_the_scores() -> None:
    tables = TableScorer(Tables(torch.randn(3, 2), torch.randn(4, 2)))
    both = AddedScorer([tables, scorer()], [1.0, 0.5])
    parts = Indexable.of(both)
    products = np.vstack([parts.user(parts, user) for user in range(3)]) @ parts.items().T
    np.testing.assert_allclose(products, both.score(np.arange(3)), rtol=1e-5, atol=1e-6)


def test_a_niche_needs_to_know_its_users() -> None:
    with pytest.raises(DataError, match="niche"):
        PopularityScorer(3, torch.zeros(4), None, NICHE, torch.zeros(2, dtype=torch.bool))


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_limit_leaves_that_share_below_it(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    train = Interactions.from_pairs(rng.integers(0, 30, 90), rng.integers(0, 12, 90), 32, 12)
    popularity = np.log1p(train.item_degree)
    found, niches = limits(train, popularity, (share,))
    known = train.user_degree > 0
    assert (found < niches[share].below)[known].sum() <= np.ceil(share * known.sum())
    np.testing.assert_array_equal(
        niches[share].spared(train, popularity), found < niches[share].below
    )
