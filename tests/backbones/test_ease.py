"""EASE and what language may tell it, against regressions column by column on small matrices."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy import sparse

import darec
from darec.backbones.ease import largest, solve
from darec.config import resolve_config
from darec.errors import ConfigError, SingularError
from darec.numerics.structure import Structure, item_matrix
from darec.testing.closed_form import ClosedFormSuite
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.training.closed_form import ClosedFormTrainer

MONITOR = {"train.monitor": "recall@5", "evaluation.ks": [5]}
RNG = np.random.default_rng(0)
X = (RNG.random((30, 11)) < 0.3).astype(float)
FEATURES = torch.from_numpy(RNG.standard_normal((11, 4)))


class TestEASE(ClosedFormSuite):
    name = "ease"


class TestSparsifiedEASE(ClosedFormSuite):
    name = "ease"
    settings: ClassVar = {"entries": 5}


def by_column(gram, moments, penalty, target, lean):
    """Each column by a regression on all other items, drawn to the target's column."""
    n = len(gram)
    B = np.zeros((n, n))
    for item in range(n):
        others = np.delete(np.arange(n), item)
        left = gram[np.ix_(others, others)] + np.diag(penalty + lean[others])
        B[others, item] = np.linalg.solve(
            left, moments[others, item] + lean[others] * target[others, item]
        )
    return B


def test_ease_is_a_ridge_regression_of_each_item_on_all_others():
    expected = by_column(X.T @ X, X.T @ X, 3.0, np.zeros((11, 11)), np.zeros(11))
    np.testing.assert_allclose(solve(sparse.csr_array(X), Structure(), 3.0), expected, atol=1e-6)


def test_ease_is_the_closed_form_of_the_paper():
    P = np.linalg.inv(X.T @ X + 3.0 * np.eye(11))  # Steck 2019, eq. 8
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0)
    np.testing.assert_allclose(solve(sparse.csr_array(X), Structure(), 3.0), B, atol=1e-6)


@pytest.mark.parametrize("ridge", [3.0, -1.5])
def test_a_leaning_matrix_is_a_regression_drawn_to_the_text(ridge):
    text = item_matrix(FEATURES, 0.5)
    lean = RNG.uniform(2, 9, 11)
    found = solve(sparse.csr_array(X), Structure(target=text, lean=torch.from_numpy(lean)), ridge)
    gram = X.T @ X
    expected = by_column(gram, gram, ridge, text.dense().numpy(), lean)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_stacked_rows_count_as_users():
    rows = FEATURES * 2
    found = solve(sparse.csr_array(X), Structure(rows=rows), 3.0)
    stacked = sparse.csr_array(np.vstack([X, rows.numpy().T]))
    np.testing.assert_allclose(found, solve(stacked, Structure(), 3.0), atol=1e-6)


def test_heavy_rows_do_not_make_the_system_ill_conditioned_in_float32():
    rng = np.random.default_rng(0)
    X = (rng.random((400, 300)) < 0.03).astype(float)
    # all texts are alike, so one direction has nearly all the weight
    texts = 3 + rng.standard_normal((300, 6))
    rows = 1e4 * texts / np.linalg.norm(texts, axis=1, keepdims=True)
    gram = X.T @ X + rows @ rows.T
    expected = by_column(gram, gram, 0.5, np.zeros((300, 300)), np.zeros(300))
    found = solve(sparse.csr_array(X), Structure(rows=torch.from_numpy(rows)), 0.5, torch.float32)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_rows_beyond_the_precision_are_refused_in_one_line():
    rows = FEATURES * 1e200
    with pytest.raises(SingularError, match=r"lower alignment\.weight, or raise backbone\.ridge"):
        solve(sparse.csr_array(X), Structure(rows=rows), 3.0)


def test_an_added_matrix_is_mixed_in():
    text = item_matrix(FEATURES, 0.5)
    plain = solve(sparse.csr_array(X), Structure(), 3.0)
    found = solve(sparse.csr_array(X), Structure(added=text, share=0.25), 3.0)
    np.testing.assert_allclose(found, 0.75 * plain + 0.25 * text.dense().numpy(), atol=1e-6)


def test_float32_is_close_to_float64():
    exact = solve(sparse.csr_array(X), Structure(), 3.0)
    single = solve(sparse.csr_array(X), Structure(), 3.0, torch.float32)
    np.testing.assert_allclose(single, exact, atol=1e-5)


def test_the_largest_entries_of_each_column_are_kept():
    matrix = np.array([[0, 5, -1], [-4, 0, 2], [3, 1, 0]], np.float32)
    kept = largest(matrix, 1).toarray()
    assert kept.tolist() == [[0, 5, 0], [-4, 0, 2], [0, 0, 0]]


def test_a_singular_system_is_refused_in_one_line():
    data = tiny_dataset()
    with pytest.raises(ConfigError, match=r"ridge 0 leaves a penalty of 0.*raise backbone\.ridge"):
        darec.fit(data, backbone="ease", settings={"backbone.ridge": 0}, progress=False)
    settings = {"backbone.ridge": -100.5, "alignment.lean": 100}
    with pytest.raises(ConfigError, match=r"leaves a penalty of -0\.5"):
        darec.fit(
            data, backbone="ease", alignment="l3ae", settings=settings, text=tiny_text(data),
            progress=False,
        )  # fmt: skip


def test_what_does_not_fit_into_memory_is_refused_with_the_figure(monkeypatch):
    monkeypatch.setattr("darec.memory.available_memory", lambda: 1000.0)
    with pytest.raises(
        ConfigError, match=r"item-item matrix .* memory.*use backbone 'ease_sparse'"
    ):
        darec.fit(tiny_dataset(), backbone="ease", progress=False)


def test_pairs_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="'contrastive' needs training, but backbone 'ease'"):
        darec.fit(tiny_dataset(), backbone="ease", alignment="contrastive")
    with pytest.raises(ConfigError, match=r"'l3ae' shapes an item-item matrix .* 'lightgcn' is tr"):
        darec.fit(tiny_dataset(), backbone="lightgcn", alignment="l3ae")
    with pytest.raises(ConfigError, match=r"'l3ae' shapes .* backbone 'popular' has none"):
        darec.fit(tiny_dataset(), backbone="popular", alignment="l3ae")


def test_a_run_is_kept_and_found_again(tmp_path):
    data = tiny_dataset()
    run = darec.fit(data, backbone="ease", out=tmp_path / "run", progress=False)
    again = darec.load_run(tmp_path / "run", dataset=data)
    assert again.recommend("u3", 4) == run.recommend("u3", 4)
    assert again.recommend_for(["i2", "i5"], 4) == run.recommend_for(["i2", "i5"], 4)
    assert len(again.similar("i2", 3)) == 3
    assert (run.metrics["epochs"], run.metrics["table_dim"]) == (1, 0)
    assert run.metrics["parameters"] == data.n_items**2


def test_null_settings_go_through_their_values_together_and_the_best_is_kept():
    data, text = tiny_dataset(), tiny_text(tiny_dataset())
    config = resolve_config({"backbone": "ease", "alignment": "l3ae", **MONITOR})
    trainer = ClosedFormTrainer(config, data, text)
    tried = [(c.backbone.ridge, c.alignment.lean) for c in trainer.candidates()]
    assert tried == [(100, 100), (1000, 300)]
    given = resolve_config(
        {"backbone": "ease", "alignment": "l3ae", "backbone.ridge": 7, **MONITOR}
    )
    tried = [
        (c.backbone.ridge, c.alignment.lean)
        for c in ClosedFormTrainer(given, data, text).candidates()
    ]
    assert tried == [(7, 100), (7, 300)]
    found = {}
    for ridge, lean in ((100, 100), (1000, 300)):
        settings = {"backbone.ridge": ridge, "alignment.lean": lean, **MONITOR}
        run = darec.fit(
            data, backbone="ease", alignment="l3ae", settings=settings, text=text, progress=False
        )
        found[ridge] = run.metrics["valid/recall@5"]
    assert trainer.fit().best_value == max(found.values())
    assert trainer.state.diagnostics["chosen/backbone.ridge"] == max(found, key=found.__getitem__)
