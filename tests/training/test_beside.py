"""A matrix beside trained tables: the sum, its weight, and what is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import darec
from darec.config import resolve_config
from darec.errors import ConfigError
from darec.scoring import AddedScorer, TableScorer
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.training.beside import OF_MATRIX, WEIGHTS, BesideTrainer
from darec.training.weighing import spread
from darec.types import Interactions

SETTINGS: dict[str, Any] = {
    "backbone.name": "lightgcn",
    "backbone.dim": 4,
    "train.epochs": 3,
    "train.monitor": "recall@5",
    "evaluation.ks": [5],
}


def fit(data: Any = None, **more: Any) -> Any:
    data = data or tiny_dataset()
    settings = {**SETTINGS, **more.pop("settings", {})}
    more = {"text": tiny_text(data), **more}
    return darec.fit(data, settings=settings, progress=False, **more)


def test_scores_are_the_tables_and_the_matrix_in_the_given_share() -> None:
    data = tiny_dataset()
    settings = {
        "beside.popularity": 0,
        "beside.weight": 0.25,
        "beside.alignment": "none",
        "beside.backbone.ridge": 100,
    }
    run = fit(data, settings=settings)
    alone = fit(data)
    matrix = darec.fit(
        data,
        backbone="ease",
        settings={
            "backbone.entries": 50,
            "backbone.ridge": 100,
            "train.monitor": "recall@5",
            "evaluation.ks": [5],
        },
        progress=False,
    )
    assert isinstance(run.scorer, AddedScorer)
    users = np.arange(data.n_users)
    one, other = alone.scorer.score(users), matrix.scorer.score(users)
    ratio = spread(alone.scorer, data) / spread(matrix.scorer, data)
    np.testing.assert_allclose(
        run.scorer.score(users), one + ratio * other * 0.25 / 0.75, rtol=1e-4, atol=1e-6
    )
    assert ratio == pytest.approx(one.std(axis=1).mean() / other.std(axis=1).mean(), rel=1e-5)
    assert run.metrics["diagnostics/beside/weight"] == 0.25


def tried(run: Any, name: str) -> dict[float, float]:
    """The validation values of the weights that were tried: with ``tail=0``, all until two are clearly worse."""
    key = f"diagnostics/beside/{name}@"
    weights = WEIGHTS if name == "popularity" else OF_MATRIX
    found = {w: run.metrics[f"{key}{w:g}"] for w in weights if f"{key}{w:g}" in run.metrics}
    assert tuple(found) == weights[: len(found)] and len(found) > 2
    values = [*found.values()]
    worse = [value < 0.99 * max(values) for value in values]
    assert len(found) == len(weights) or worse[-2:] == [True, True]
    return found


def test_the_weight_is_the_best_on_validation() -> None:
    run = fit(settings={"beside.popularity": 0, "beside.tail": 0})
    found = tried(run, "valid")
    weight = run.metrics["diagnostics/beside/weight"]
    assert weight == max(found, key=lambda one: found[one])
    assert found[weight] == run.metrics["valid/recall@5"]
    assert found[0.0] == fit().metrics["valid/recall@5"]


def test_weight_zero_is_the_tables_alone() -> None:
    run = fit(settings={"beside.weight": 0, "beside.popularity": 0})
    assert isinstance(run.scorer, TableScorer)


def test_popularity_is_added_in_the_given_share() -> None:
    data = tiny_dataset()
    run = fit(data, settings={"beside.backbone": None, "beside.popularity": 0.2, "beside.niche": 0})
    alone = fit(data)
    counts = np.log1p(data.train.item_degree).astype(np.float32)
    scores = alone.scorer.score(np.arange(data.n_users))
    share = scores.std(axis=1).mean() / counts.std() * 0.2 / 0.8
    assert run.scorer.score(np.arange(data.n_users)) == pytest.approx(
        scores + share * counts, rel=1e-4, abs=1e-6
    )
    assert "diagnostics/beside/weight" not in run.metrics


def test_the_matrix_is_weighed_first_and_popularity_beside_both() -> None:
    data = tiny_dataset()
    run = fit(data, settings={"beside": "ease", "beside.tail": 0})
    figures = run.metrics
    of_matrix, of_popularity = tried(run, "valid"), tried(run, "popularity")
    weight = max(of_matrix, key=lambda one: of_matrix[one])
    assert figures["diagnostics/beside/weight"] == weight > 0
    given = {
        "beside.weight": weight,
        "beside.backbone.ridge": figures["diagnostics/beside/chosen/backbone.ridge"],
        "beside.alignment.weight": figures["diagnostics/beside/chosen/alignment.weight"],
        "beside.popularity": 0,
    }
    without = fit(data, settings=given).metrics["valid/recall@5"]
    assert of_popularity[0.0] == pytest.approx(without, abs=1e-12)


def test_popularity_that_tells_no_item_from_another_changes_nothing() -> None:
    pairs = [(f"u{user}", f"i{item}") for user in range(12) for item in range(12)]
    around = np.arange(12)
    splits = {
        name: Interactions.from_pairs(
            np.repeat(around, 2), (around[:, None] + shifts).ravel() % 12, 12, 12
        )
        for name, shifts in {"train": [0, 1], "valid": [2, 3], "test": [4, 5]}.items()
    }
    data = replace(darec.load_dataset(pairs), **splits)
    settings = {"beside.backbone": None, "beside.popularity": 0.5}
    run, alone = fit(data, settings=settings), fit(data)
    users = np.arange(data.n_users)
    np.testing.assert_array_equal(run.scorer.score(users), alone.scorer.score(users))


def test_a_run_is_saved_loaded_and_resumed(tmp_path: Path) -> None:
    data = tiny_dataset()
    run = fit(data, settings={"beside.weight": 0.3}, out=tmp_path / "run")
    again = darec.load_run(tmp_path / "run", dataset=data)
    assert again.config.beside == run.config.beside
    assert again.recommend("u3", 4) == run.recommend("u3", 4)
    (tmp_path / "run" / "metrics.json").unlink()
    resumed = darec.fit(
        data, out=tmp_path / "run", resume=True, text=tiny_text(data), progress=False
    )
    users = np.arange(data.n_users)
    np.testing.assert_array_equal(resumed.scorer.score(users), run.scorer.score(users))


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"beside\.backbone 'mf' is trained"):
        resolve_config({"beside": "mf"})
    with pytest.raises(ConfigError, match="'ease' is itself solved in closed form"):
        resolve_config({"backbone": "ease", "beside": "ease"})
    with pytest.raises(ConfigError, match="beside: alignment 'kar' needs training"):
        resolve_config({"beside.alignment": "kar"})
    with pytest.raises(ConfigError, match=r"beside\.weight.*less than 1"):
        resolve_config({"beside.weight": 1})
    with pytest.raises(ConfigError, match=r"did you mean 'beside\.weight'"):
        resolve_config({"beside.wieght": 0.1})


def test_the_short_form_takes_more_settings() -> None:
    short = resolve_config({"beside": "ease_sparse", "beside.weight": 0.3})
    assert short == resolve_config(
        {"beside.backbone": "ease_sparse", "beside.backbone.entries": 50, "beside.weight": 0.3}
    )
    more = resolve_config({}, overrides=["beside=ease_sparse", "beside.backbone.entries=7"])
    assert more.beside is not None
    assert more.beside.backbone.model_dump()["entries"] == 7


def test_a_large_catalogue_needs_the_sparse_form(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = tiny_dataset()
    monkeypatch.setattr("darec.training.checks.LARGEST_DENSE", data.n_items - 1)
    with pytest.raises(
        ConfigError, match=r"'ease': 40 items, .* dense: set beside\.backbone=ease_sparse"
    ):
        fit(data, settings={"beside.weight": 0.3}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    run = fit(data, settings={"beside": "ease_sparse", "beside.weight": 0.3})
    assert isinstance(run.scorer, AddedScorer)
    alone = {"train.monitor": "recall@5", "evaluation.ks": [5]}  # is measured against the memory
    assert darec.fit(data, backbone="ease", settings=alone, progress=False).scorer


def test_a_killed_sparse_matrix_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, settings = tiny_dataset(), {"beside": "ease_sparse", "beside.weight": 0.3}
    whole = fit(data, settings=settings)

    def killed(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("darec.training.beside.spread", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(data, settings=settings, out=tmp_path / "run")
    users = np.arange(data.n_users)
    again = fit(data, out=tmp_path / "run", resume=True)
    np.testing.assert_array_equal(again.scorer.score(users), whole.scorer.score(users))


def test_how_the_text_shapes_the_matrix_depends_on_the_backbone_unless_it_is_named() -> None:
    def alignment(*overrides: str) -> Any:
        beside = resolve_config(overrides=overrides).beside
        assert beside is not None
        return beside.alignment.model_dump()

    chosen = {"name": "collective", "weight": None}
    assert alignment("beside=ease") == alignment("beside=popularity") == chosen
    assert alignment("beside=ease", "beside.alignment=collective") == chosen
    assert alignment("beside=ease", "beside.alignment.weight=7")["weight"] == 7
    assert alignment("beside=ease", "beside.alignment=l3ae")["name"] == "l3ae"
    alone = resolve_config({"backbone": "ease", "alignment": "collective"})
    assert alone.alignment.model_dump()["weight"] == 30

    sparse = alignment("beside=ease_sparse")
    assert sparse["name"] == "l3ae", "heavy text needs all items as candidates"
    assert alignment("beside.backbone=ease_sparse") == sparse
    assert alignment("beside=ease", "beside.backbone=ease_sparse") == sparse
    assert alignment("beside=ease_sparse", "beside.alignment.lean=7")["lean"] == 7
    assert alignment("beside=ease_sparse", "beside.alignment=collective")["weight"] == 30


@pytest.mark.parametrize(("useful", "weight"), [(True, 1000), (False, 0)])
def test_validation_leaves_useless_text_out_of_the_matrix(useful: bool, weight: float) -> None:
    data = tiny_dataset(200, 80, items_per_user=5 if useful else 20)  # few clicks, or many
    text = tiny_text(data)  # noise
    if useful:
        text = replace(text, items=np.eye(4, dtype=np.float32)[np.arange(data.n_items) % 4])
    fixed = {"alignment": "none", "beside.popularity": 0, "beside.weight": 0.5}
    run = fit(data, text=text, settings=fixed)
    assert run.metrics["diagnostics/beside/chosen/alignment.weight"] == weight
    ridge = run.metrics["diagnostics/beside/chosen/backbone.ridge"]
    assert ridge == (100 if useful else 1000)

    asked = {"beside.alignment.weight": 1000} if useful else {"beside.alignment": "none"}
    again = fit(data, text=text, settings={**fixed, **asked, "beside.backbone.ridge": ridge})
    users = np.arange(data.n_users)
    np.testing.assert_allclose(run.scorer.score(users), again.scorer.score(users), rtol=1e-5)


@pytest.mark.parametrize("tail", [0.0, 0.33, 20.0])
def test_the_matrix_is_the_one_that_is_worth_most(tail: float) -> None:
    data = tiny_dataset(90, 60)
    ridges = (100.0, 1000.0)
    settings = {"beside.alignment": "none", "beside.popularity": 0, "beside.weight": 0.5}
    worth = {}
    for ridge in ridges:
        found = fit(data, settings={**settings, "beside.backbone.ridge": ridge}).metrics
        worth[ridge] = found["valid/recall@5"] + tail * found["valid/items/1of3/recall@5"]
    run = fit(data, settings={**settings, "beside.tail": tail})
    chosen = run.metrics["diagnostics/beside/chosen/backbone.ridge"]
    assert worth[chosen] == max(worth.values())


def test_few_entries_are_kept_unless_all_are_asked_for() -> None:
    def entries(**given: Any) -> Any:
        beside = resolve_config(
            {f"beside.backbone.{key}": given[key] for key in given} or {"beside": "ease"}
        ).beside
        assert beside is not None
        return beside.backbone.model_dump()["entries"]

    assert (entries(), entries(ridge=3), entries(entries=None), entries(entries=7)) == (
        50,
        50,
        None,
        7,
    )
    sparse = resolve_config({"beside": "ease_sparse"}).beside
    assert sparse is not None and sparse.backbone.model_dump()["entries"] == 50


def test_users_with_a_niche_taste_keep_the_scores_of_the_tables() -> None:
    data = tiny_dataset()
    settings = {"beside.backbone": None, "beside.popularity": 0.3, "beside.niche": 0.25}
    run = fit(data, settings=settings)
    users = np.arange(data.n_users)
    alone = fit(data).scorer.score(users)
    everyone = fit(data, settings={**settings, "beside.niche": 0}).scorer.score(users)
    popularity = np.log1p(data.train.item_degree)
    usual = (popularity * data.train.item_degree).sum() / len(data.train)
    taste = np.array([(popularity[data.train.of_user(u)].sum() + 5 * usual) for u in users])
    taste /= data.train.user_degree + 5
    niche = taste < np.quantile(taste[data.train.user_degree > 0], 0.25)
    assert 0 < niche.sum() < len(users)
    np.testing.assert_allclose(
        run.scorer.score(users), np.where(niche[:, None], alone, everyone), rtol=1e-5, atol=1e-6
    )
    assert run.metrics["diagnostics/beside/niche"] == 0.25


@pytest.mark.parametrize("tail", [0.0, 0.33, 5.0])
def test_popularity_and_niche_are_the_pair_that_is_worth_most(
    tail: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, shares = (0.0, 0.2, 0.4, 0.6), (0.0, 0.1, 0.3)
    monkeypatch.setattr("darec.training.beside.WEIGHTS", weights)
    monkeypatch.setattr("darec.training.beside.SHARES", shares)
    data = tiny_dataset(90, 60)
    worth, values = {}, {}
    for pair in itertools.product(weights, shares):
        given = {"beside.popularity": pair[0], "beside.niche": pair[1]}
        found = fit(data, settings={"beside.backbone": None, **given}).metrics
        values[pair] = found["valid/recall@5"]
        worth[pair] = found["valid/recall@5"] + tail * found["valid/items/1of3/recall@5"]
    settings = {"beside.backbone": None, "beside.tail": tail}
    chosen = fit(data, settings=settings).metrics
    pair = (chosen["diagnostics/beside/popularity"], chosen["diagnostics/beside/niche"])
    assert worth[pair] == pytest.approx(max(worth.values()), abs=1e-12)
    assert chosen["valid/recall@5"] == pytest.approx(values[pair], abs=1e-12)


def test_without_validation_the_niche_is_given() -> None:
    with pytest.raises(ConfigError, match="niche"):
        BesideTrainer(
            resolve_config({**SETTINGS, "beside.backbone": None, "beside.popularity": 0.2}),
            tiny_dataset(),
            validate=False,
        )
