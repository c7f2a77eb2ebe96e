"""Filters on graphs of items, against dense products and decompositions."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import RobustScaler

from darec.backbones.closed_form import ClosedFormInputs
from darec.backbones.gfcf import GFCF, GFCFConfig
from darec.backbones.mmgf import MMGF, MMGFConfig, refined, text_graph
from darec.backbones.turbocf import TurboCF, TurboCFConfig
from darec.errors import ConfigError
from darec.graph import item_graph
from darec.testing.closed_form import ClosedFormSuite
from darec.types import Interactions, TextTable

RNG = np.random.default_rng(0)
X = (RNG.random((21, 13)) < 0.3).astype(float)
X[3], X[:, 5] = 0, 0  # a user without items, an item without users
BY_USER, BY_ITEM = np.maximum(X.sum(1), 1), np.maximum(X.sum(0), 1)
TEXT = RNG.standard_normal((13, 6)).astype(np.float32)
MASK = np.arange(13) != 7


class TestGFCF(ClosedFormSuite):
    name = "gfcf"
    settings: ClassVar = {"width": 8}


class TestTurboCF(ClosedFormSuite):
    name = "turbocf"


class TestSecondOrder(ClosedFormSuite):
    name = "turbocf"
    settings: ClassVar = {"order": 2}


class TestMMGF(ClosedFormSuite):
    name = "mmgf"


def inputs(text=None):
    users, items = np.nonzero(X)
    train = Interactions.from_pairs(users, items, *X.shape)
    return ClosedFormInputs(train, np.arange(13), text=text)


def texts():
    rows = np.where(MASK[:, None], TEXT, TEXT.mean(0))
    return TextTable(np.zeros((21, 6), np.float32), rows, np.ones(21, bool), MASK, "x")


def graph(users):
    scaled = X / BY_USER[:, None] ** users / BY_ITEM ** (1 - users)
    return scaled.T @ scaled


@pytest.mark.parametrize("users", [0.5, 0.8])
def test_items_are_tied_by_users_who_have_both(users):
    found = item_graph(inputs().train, users, 1 - users)
    np.testing.assert_allclose(found.toarray(), graph(users), atol=1e-6)


def test_gfcf_adds_a_linear_and_an_ideal_filter():
    V = np.linalg.svd(X / np.sqrt(BY_USER)[:, None] / np.sqrt(BY_ITEM))[2][:4].T
    ideal = V @ V.T * np.sqrt(BY_ITEM) / np.sqrt(BY_ITEM)[:, None]
    scorer = GFCF(GFCFConfig(width=4, ideal=0.4)).fit(inputs())
    expected = X @ (graph(0.5) + 0.4 * ideal)
    np.testing.assert_allclose(scorer.score(np.arange(21)), expected, atol=1e-4)
    histories = sparse.csr_array(X.astype(np.float32))
    np.testing.assert_allclose(scorer.score_histories(histories), expected, atol=1e-4)


def test_gfcf_takes_no_more_directions_than_there_are():
    scorer = GFCF(GFCFConfig(width=500)).fit(inputs())
    assert scorer.width == 12 and np.isfinite(scorer.score(np.arange(21))).all()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_turbocf_is_a_polynomial_of_the_graph(order):
    P = graph(0.7) ** 0.6
    by_order = {
        1: P,
        2: 2 * P - P @ P,
        3: P + 0.01 * (-P @ P @ P + 10 * P @ P - 29 * P),
    }
    config = TurboCFConfig(users=0.7, power=0.6, order=order)
    found = TurboCF(config).fit(inputs()).score(np.arange(21))
    np.testing.assert_allclose(found, X @ by_order[order], rtol=1e-4, atol=1e-5)


def test_features_are_refined_as_in_the_paper():
    known = RobustScaler().fit_transform(TEXT[MASK].astype(float))
    known -= known.min()
    known = known / known.sum(1, keepdims=True) ** 0.7 / known.sum(0) ** 0.3
    expected = np.zeros(TEXT.shape)
    expected[MASK] = known
    np.testing.assert_allclose(refined(texts(), 0.7), expected, atol=1e-6)


def test_mmgf_adds_the_graph_of_text():
    features = refined(texts(), 0.7).astype(float)
    near = (features @ features.T) ** 0.6
    near = (near - near.mean()) / near.std()
    P = graph(0.7) ** 0.6
    config = MMGFConfig(users=0.7, power=0.6, text=2.0)
    found = MMGF(config).fit(inputs(texts())).score(np.arange(21))
    np.testing.assert_allclose(found, X @ (P + 2 * P.std() * near), atol=1e-4)
    plain = TurboCF(TurboCFConfig(users=0.7, power=0.6)).fit(inputs()).score(np.arange(21))
    without = MMGF(MMGFConfig(users=0.7, power=0.6, text=0)).fit(inputs(texts()))
    np.testing.assert_allclose(without.score(np.arange(21)), plain, atol=1e-6)


def test_texts_that_all_say_the_same_say_nothing():
    assert not text_graph(np.full((5, 3), 0.3, np.float32), 0.5).any()
    nobody = TextTable(TEXT, TEXT, np.ones(13, bool), np.zeros(13, bool), "x")
    assert not text_graph(refined(nobody, 0.5), 0.5).any()


def test_graphs_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr("darec.memory.available_memory", lambda: 100.0)
    for model, remedy in (
        (GFCF(GFCFConfig()), r"lower backbone\.width"),
        (TurboCF(TurboCFConfig()), "use another backbone"),
        (TurboCF(TurboCFConfig(order=3)), r"set backbone\.order=1"),
        (MMGF(MMGFConfig()), "use backbone 'turbocf'"),
    ):
        with pytest.raises(ConfigError, match=f"graph of .* memory, .*{remedy}"):
            model.fit(inputs(texts()))
