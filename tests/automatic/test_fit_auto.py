"""Choosing by validation: what is tried and kept, how time ends it, and how a search that was cut short goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import darec
from darec.automatic import Automatic
from darec.automatic.candidates import CHANGES
from darec.automatic.search import Search
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, RunError, TextError
from darec.recommended import recommended
from darec.run import Run
from darec.testing.worlds import tiny_dataset
from darec.training.trainer import Trainer
from darec.types import TextTable

CLOSED = ["popular", "itemknn", "ease", "ease + l3ae"]
CHANGED = [
    "recommended, alignment=none",
    "recommended, alignment=none, beside.alignment=none",
    "recommended, backbone.dim=8",
]


def fit_auto(data: Any, **arguments: Any) -> Automatic:
    return darec.fit_auto(data, **{"epochs": 2, "threads": 1, "progress": False, **arguments})


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A dataset on disk, without language vectors."""
    return Path(str(tiny_dataset().save(tmp_path / "data").path))


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the candidates that are fitted, in their order."""
    names: list[str] = []
    fit = Search._fit

    def noted(self: Search, candidate: Any, reporter: Any) -> Run:
        names.append(candidate.name)
        return fit(self, candidate, reporter)

    monkeypatch.setattr(Search, "_fit", noted)
    return names


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recommended settings that are trained in no time, and two changes of them."""

    def narrow(dataset: Dataset, *, text: bool) -> dict[str, Any]:
        settings = recommended(dataset, text=text)
        return settings | {"backbone": {"name": "lightgcn", "dim": 16, "layers": 1}, "loss": "bpr"}

    monkeypatch.setattr("darec.automatic.candidates.recommended", narrow)
    monkeypatch.setattr("darec.api.recommended", narrow)
    changes = (*CHANGES[:2], {"backbone.dim": 8}, {"backbone.layers": 1})
    monkeypatch.setattr("darec.automatic.candidates.CHANGES", changes)


def test_the_best_on_validation_is_chosen_and_tested_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tiny_dataset()
    darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 8})
    read: list[str] = []
    evaluate = Run.evaluate

    def noted(self: Run, split: str = "test", **options: Any) -> Any:
        read.append(split)
        return evaluate(self, split, **options)

    monkeypatch.setattr(Run, "evaluate", noted)
    found = fit_auto(data)
    tried = found.record.candidates
    assert [one.name for one in tried] == [*CLOSED, "recommended", *CHANGED]
    assert all(one.state == "finished" for one in tried)
    best = max(one.value or 0 for one in tried)
    first = next(one for one in tried if one.value == best)
    assert found.record.chosen == first.name, "of equals, the one that is tried first"
    assert found.run.metrics["valid/recall@20"] == best
    assert read == ["valid"] * len(tried) + ["test"]
    assert found.run.metrics["test/recall@20"] == found.run.evaluate().summary()["recall@20"]


def test_a_candidate_is_the_run_that_its_settings_give() -> None:
    found = fit_auto(tiny_dataset(), seed=3)
    for name, parts in (("ease", {"backbone": "ease"}), ("recommended", {})):
        alone = darec.fit(tiny_dataset(), epochs=2, threads=1, seed=3, progress=False, **parts)
        tried = found.record.find(name)
        assert tried is not None and tried.value == alone.metrics["valid/recall@20"]


def test_where_text_tells_nothing_the_choice_is_as_good_as_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("darec.automatic.candidates.CHANGES", CHANGES[:2])
    data = tiny_dataset()
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=(n, 8)).astype(np.float32) for n in (data.n_users, data.n_items)]
    text = TextTable(*noise, *(np.ones(len(table), bool) for table in noise), "noise")
    found = fit_auto(data, text=text, epochs=15, lr=0.03)
    bare = fit_auto(data, epochs=15, lr=0.03)
    value, without = (one.record.ranking()[0].value for one in (found, bare))
    assert value is not None and without is not None and value >= without
    same = found.record.find(CHANGED[1]), bare.record.find("recommended")
    assert same[0] and same[1] and same[0].value == same[1].value
    assert same[0].value > 0.7, "it has learned the groups"
    names = [one.name for one in bare.record.candidates]
    assert "ease + l3ae" not in names and "recommended, alignment=none" not in names


def test_another_metric_decides_even_at_a_cut_off_that_is_not_reported() -> None:
    found = fit_auto(tiny_dataset(), settings={"train.monitor": "ndcg@7"})
    assert found.record.monitor == "ndcg@7" and "valid/ndcg@7" not in found.run.metrics
    values = {one.name: one.value for one in found.record.candidates}
    assert values[str(found.record.chosen)] == max(v for v in values.values() if v is not None)
    assert "ndcg@7" in str(found.record.why)


def test_the_folder_is_that_of_an_ordinary_run(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    found = fit_auto(shop, out=out)
    stored = json.loads((out / "auto.json").read_text())
    assert stored["chosen"] == found.record.chosen and stored["why"].endswith(".")
    assert [one["name"] for one in stored["candidates"]][:3] == CLOSED[:3]
    about = json.loads((out / "run.json").read_text())["auto"]
    assert about == {"candidate": found.record.chosen, "of": 5, "file": "auto.json"}
    assert not (out / "candidates").exists()
    run = darec.load_run(out)
    assert run.metrics == found.run.metrics
    user = run.dataset.users.ids[0]
    assert run.recommend(user, 3) == found.run.recommend(user, 3)
    assert run.evaluate().summary()["recall@20"] == run.metrics["test/recall@20"]
    refitted = darec.refit(run, out=tmp_path / "refitted", progress=False)
    assert refitted.recommend(user, 3)
    again = darec.fit(shop, out=out, resume=True, progress=False)
    assert again.metrics == run.metrics, "a finished run is returned as it is"
    assert fit_auto(shop, out=out, resume=True).record == found.record
    plain = darec.fit(shop, backbone="popular", out=out, overwrite=True, progress=False)
    assert plain.about.get("auto") is None and not (out / "auto.json").exists()


def test_candidates_are_kept_on_request_and_a_dataset_in_memory_is_written_once(
    tmp_path: Path,
) -> None:
    found = fit_auto(tiny_dataset(), out=tmp_path / "run", keep_candidates=True)
    folders = sorted(path.name for path in (tmp_path / "run" / "candidates").iterdir())
    assert folders == [
        "ease",
        "itemknn",
        "popular",
        "recommended",
        "recommended-backbone.dim=8",
    ]
    kept = darec.load_run(tmp_path / "run" / "candidates" / "ease")
    assert not [name for name in kept.metrics if name.startswith("test/")]
    assert len(list((tmp_path / "run").rglob("train.parquet"))) <= 1
    assert found.run.dataset.path == tmp_path / "run" / "dataset"
    (tmp_path / "run").rename(tmp_path / "moved")
    assert darec.load_run(tmp_path / "moved").metrics == found.run.metrics


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds that every epoch takes beside its own: time is turned on by so much."""
    ahead, an_epoch = [0.0], [0.0]
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + ahead[0])
    train_epoch = Trainer.train_epoch

    def slow(self: Trainer) -> dict[str, float]:
        ahead[0] += an_epoch[0]
        return train_epoch(self)

    monkeypatch.setattr(Trainer, "train_epoch", slow)
    yield an_epoch


def test_a_candidate_that_meets_the_end_keeps_its_best_weights(
    shop: Path, tmp_path: Path, clock: list[float]
) -> None:
    clock[0] = 5_000.0
    settings = {"train.eval_every": 10, "train.monitor": "recall@3"}
    found = fit_auto(
        shop, out=tmp_path / "run", minutes=200, epochs=20, settings=settings, keep_candidates=True
    )
    stopped = found.record.find("recommended")
    assert stopped is not None and stopped.state == "stopped" and stopped.value
    assert stopped.epochs == 3, "12,000 seconds, and the epoch under way is finished and validated"
    skipped = found.record.find("recommended, backbone.dim=8")
    assert (
        skipped is not None
        and skipped.state == "skipped"
        and "0:00:00 are left" in str(skipped.reason)
    )
    run = darec.load_run(tmp_path / "run" / "candidates" / "recommended")
    assert run.metrics["out_of_time"] is True and run.metrics["best_epoch"] == 3
    assert "for 2 of 5 candidates the time was too short" in str(found.record.why)


def test_too_little_time_for_one_model_is_refused_and_nothing_is_lost(
    shop: Path, tmp_path: Path, fitted: list[str]
) -> None:
    with pytest.raises(ConfigError, match=r"minutes=0.0001: too short for one model, which needs"):
        fit_auto(shop, out=tmp_path / "run", minutes=0.0001)
    with pytest.raises(ConfigError, match="too short"):
        fit_auto(tiny_dataset(), minutes=0.0001)
    assert fitted == ["popular", "popular"]
    found = fit_auto(shop, out=tmp_path / "run", minutes=10, resume=True)
    assert fitted[2:] == ["itemknn", "ease", "recommended", "recommended, backbone.dim=8"]
    assert found.record.minutes == 10


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_a_search_that_is_cut_short_goes_on(
    stop: type[BaseException],
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fitted: list[str],
) -> None:
    whole = fit_auto(shop)
    fitted.clear()
    train_epoch = Trainer.train_epoch

    def cut(self: Trainer) -> dict[str, float]:
        if self.state.epoch == 1:
            raise stop
        return train_epoch(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_epoch", cut)
        with pytest.raises(stop):
            fit_auto(shop, out=tmp_path / "run", settings={"train.eval_every": 1})
    for arguments, message in (
        ({}, "holds another search: choose another"),
        ({"resume": True, "overwrite": True}, "choose one"),
        ({"resume": True, "seed": 4}, "started without options.seed, and now options.seed=4"),
        ({"resume": True, "settings": {"train.eval_every": 5}}, "started with train.eval_every=1"),
    ):
        with pytest.raises((RunError, ConfigError), match=message):
            fit_auto(shop, out=tmp_path / "run", **{"threads": 1, **arguments})
    for resume in (False, True):
        with pytest.raises(RunError, match=r"continue it with darec\.fit_auto and resume=True"):
            darec.fit(shop, out=tmp_path / "run", resume=resume, progress=False)
    with pytest.raises(RunError, match="another dataset"):
        darec.fit_auto(tiny_dataset(seed=1), out=tmp_path / "run", resume=True, progress=False)
    fitted.clear()
    killed = tmp_path / "run" / "candidates" / "recommended" / "history.jsonl"
    line = json.loads(killed.read_text())
    killed.write_text(json.dumps({**line, "seconds": 500.0}) + "\n")
    found = darec.fit_auto(shop, out=tmp_path / "run", resume=True, minutes=30, progress=False)
    spent = found.record.find("recommended")
    assert spent is not None and spent.seconds > 500, "what a killed one has taken counts"
    assert fitted == ["recommended", "recommended, backbone.dim=8"], (
        "what is finished is not repeated"
    )
    assert found.record.chosen == whole.record.chosen
    assert found.run.metrics["valid/recall@20"] == whole.run.metrics["valid/recall@20"]


def test_time_that_was_spent_counts(shop: Path, tmp_path: Path, fitted: list[str]) -> None:
    with pytest.raises(ConfigError):
        fit_auto(shop, out=tmp_path / "run", minutes=0.0001)
    stored = json.loads((tmp_path / "run" / "auto.json").read_text())
    stored["candidates"][0]["seconds"] = 3000.0
    (tmp_path / "run" / "auto.json").write_text(json.dumps(stored))
    with pytest.raises(ConfigError, match="minutes=10: too short"):
        fit_auto(shop, out=tmp_path / "run", minutes=10, resume=True)
    assert fitted == ["popular"]


def test_a_candidate_that_fails_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverged(self: Trainer) -> dict[str, float]:
        raise RunError("training has diverged")

    monkeypatch.setattr(Trainer, "train_epoch", diverged)
    found = fit_auto(tiny_dataset())
    states = {one.name: (one.state, one.reason) for one in found.record.candidates}
    assert states["recommended"] == ("failed", "training has diverged")
    assert found.record.chosen in CLOSED


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dim": 8}, ConfigError, r"backbone\.dim: the search chooses backbone, alignment, loss"),
        ({"settings": {"loss": "bpr"}}, ConfigError, "loss: the search chooses"),
        ({"settings": {"beside": None}}, ConfigError, "beside: the search chooses"),
        ({"minutes": 0}, ConfigError, "minutes=0: must be above 0"),
        ({"minutes": float("nan")}, ConfigError, "must be above 0"),
        ({"settings": {"train.monitor": "recal@20"}}, ConfigError, "did you mean 'recall'"),
        ({"settings": {"train.epoch": 3}}, ConfigError, r"did you mean 'train\.epochs'"),
        ({"encoder": "minilm"}, TextError, "no vectors of encoder 'minilm'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    arguments: Any, error: type[Exception], message: str, shop: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        darec.fit_auto(shop, out=tmp_path / "run", progress=False, **arguments)
    assert not (tmp_path / "run").exists()


def test_folders_of_others_are_left_alone(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="valid"):
        data = tiny_dataset()
        empty = darec.Dataset(
            data.users,
            data.items,
            data.train,
            type(data.valid).from_pairs([], [], 60, 40),
            data.test,
            data.catalogue,
        )
        fit_auto(empty, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    darec.fit(shop, backbone="popular", out=tmp_path / "run", progress=False)
    with pytest.raises(RunError, match="holds another run"):
        fit_auto(shop, out=tmp_path / "run")
    with pytest.raises(RunError, match="was not started by a search"):
        fit_auto(shop, out=tmp_path / "run", resume=True)
    assert isinstance(Dataset.load(shop), Dataset) and darec.load_run(tmp_path / "run")
