"""Users who are only lists of items: one ridge step, whose penalty validation chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

import darec
from darec.data.dataset import Dataset
from darec.evaluation.evaluate import evaluate_scorer
from darec.graph.filters import matrix_of
from darec.run import Run
from darec.scoring import RidgeFolding, Scorer, TableScorer
from darec.testing.worlds import tiny_dataset
from darec.training.fold_in import CHOSEN, RIDGES, UNOBSERVED, ridge_step
from darec.types import Tables

SETTINGS: dict[str, Any] = {
    "backbone.dim": 8,
    "train.lr": 0.02,
    "train.epochs": 6,
    "train.monitor": "recall@5",
    "evaluation.ks": [5],
    "options.threads": 1,
}


@pytest.mark.parametrize("n", [1, 3, 6, 9])
def test_few_and_many_items_solve_the_same_equations(n: int) -> None:
    rng = np.random.default_rng(n)
    Y, weights = rng.standard_normal((9, 4)), np.zeros(9)
    weights[rng.permutation(9)[:n]] = rng.uniform(0.5, 2, n)
    folding = RidgeFolding(0.3, 0.1, 0.7, scale=2.0)
    penalty = 0.1 * (weights.sum() + 0.3 * 9) ** 0.7
    system = 0.3 * Y.T @ Y + Y.T @ (weights[:, None] * Y) + penalty * np.eye(4)
    found = folding.rows(sparse.csr_array(weights[None]), torch.from_numpy(Y).float())[0]
    np.testing.assert_allclose(
        found, 2 * np.linalg.solve(system, Y.T @ weights), rtol=1e-4, atol=1e-6
    )


@pytest.fixture(scope="module")
def run() -> Run:
    return darec.fit(tiny_dataset(), backbone="lightgcn", settings=SETTINGS, progress=False)


def folding(run: Run) -> RidgeFolding:
    assert isinstance(run.scorer, TableScorer) and isinstance(run.scorer.folding, RidgeFolding)
    return run.scorer.folding


def test_it_is_the_brute_force_solution_of_the_weighted_ridge_regression(run: Run) -> None:
    Y = run.tables.items.double().numpy()
    found, liked = folding(run), [3, 7, 11]
    penalty = run.metrics[f"diagnostics/{CHOSEN}"] * UNOBSERVED * (Y**2).sum() / Y.shape[1]
    # Every item is asked to score 0, those that are liked to score 1 as well.
    W, targets = UNOBSERVED * np.ones(len(Y)), np.zeros(len(Y))
    W[liked] += 1
    targets[liked] = 1 / W[liked]
    root = np.sqrt(W)[:, None]
    rows = np.concatenate([root * Y, np.sqrt(penalty) * np.eye(Y.shape[1])])
    wanted = np.concatenate([root[:, 0] * targets, np.zeros(Y.shape[1])])
    x = found.scale * np.linalg.lstsq(rows, wanted, rcond=None)[0]
    history = np.zeros((1, len(Y)), np.float32)
    history[0, liked] = 1
    np.testing.assert_allclose(
        run.scorer.score_histories(sparse.csr_array(history))[0], Y @ x, rtol=1e-4, atol=1e-5
    )
    listed = [
        run.dataset.items.row(item)
        for item in run.recommend_for([f"i{i}" for i in liked], 5).to_polars()["item_id"]
    ]
    best = [item for item in np.argsort(-(Y @ x)) if item not in liked][:5]
    assert listed == best


def recall(run: Run, scorer: Scorer) -> float:
    data = run.dataset
    return evaluate_scorer(
        scorer,
        target=data.valid,
        exclude=data.train,
        train=data.train,
        ks=(5,),
        user_groups=0,
        item_groups=0,
    ).summary()["recall@5"]


def test_validation_chooses_the_penalty(run: Run) -> None:
    histories, tables = matrix_of(run.dataset.train), TableScorer(run.tables, run.scorer.ties)
    by_hand = {
        ridge: recall(
            run,
            TableScorer(run.tables, run.scorer.ties, ridge_step(tables, ridge)).for_histories(
                histories
            ),
        )
        for ridge in RIDGES
    }
    for ridge, value in by_hand.items():
        assert run.metrics[f"diagnostics/fold_in/valid@{ridge:g}"] == pytest.approx(value)
    assert by_hand[run.metrics[f"diagnostics/{CHOSEN}"]] == max(by_hand.values())


def test_scores_are_spread_as_those_of_trained_users(run: Run) -> None:
    folded = run.scorer.score_histories(matrix_of(run.dataset.train)).std(axis=1).mean()
    own = run.scorer.score(np.arange(run.dataset.n_users)).std(axis=1).mean()
    assert folded == pytest.approx(own, rel=1e-3)


def test_neither_scale_nor_width_of_a_table_matters() -> None:
    Y = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    history = sparse.csr_array(np.eye(12, dtype=np.float32)[:4])

    def lists(items: torch.Tensor) -> Any:
        scorer = TableScorer(Tables(torch.zeros(4, items.shape[1]), items))
        scorer.folding = ridge_step(scorer, 3.0)
        return scorer.score_histories(history)

    rotated = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1))).Q
    np.testing.assert_allclose(lists(100 * Y), lists(Y), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(lists(Y @ rotated), lists(Y), rtol=1e-4, atol=1e-6)


def test_a_given_penalty_is_kept_and_a_refit_keeps_what_was_chosen(run: Run) -> None:
    given = darec.fit(
        run.dataset,
        backbone="lightgcn",
        settings={**SETTINGS, "train.fold_ridge": 2.5},
        progress=False,
    )
    assert given.metrics[f"diagnostics/{CHOSEN}"] == 2.5
    assert not [name for name in given.metrics if name.startswith("diagnostics/fold_in/valid")]
    np.testing.assert_array_equal(given.tables.items, run.tables.items)
    again = darec.refit(run, progress=False)
    assert again.metrics[f"diagnostics/{CHOSEN}"] == run.metrics[f"diagnostics/{CHOSEN}"]
    assert again.config.train.fold_ridge == run.metrics[f"diagnostics/{CHOSEN}"]


def test_it_is_saved_and_travels_in_a_bundle(run: Run, tmp_path: Any) -> None:
    run.save(tmp_path / "run")
    bundle = darec.export_bundle(tmp_path / "run", tmp_path / "bundle")
    for one in (darec.load_run(tmp_path / "run"), bundle):
        here, there = (two.recommend_for(["i1", "i2"], 4).to_polars() for two in (one, run))
        assert here["item_id"].to_list() == there["item_id"].to_list()
        # Where an array lies in memory moves the last digits.
        np.testing.assert_allclose(here["score"], there["score"], rtol=1e-5)


def test_a_user_without_items_scores_everything_zero(run: Run) -> None:
    nothing = sparse.csr_array(np.zeros((2, run.dataset.n_items), np.float32))
    assert not run.scorer.score_histories(nothing).any()


def test_users_who_have_nothing_to_validate_on_stop_no_training() -> None:
    data: Dataset = tiny_dataset()
    merged = darec.refit(
        darec.fit(data, backbone="mf", settings=SETTINGS, progress=False), progress=False
    )
    assert np.isfinite(merged.scorer.score_histories(matrix_of(merged.dataset.train))).all()
