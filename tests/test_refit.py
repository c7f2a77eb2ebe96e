"""Training once more on everything: the same settings, the epochs that validation chose, nothing evaluated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import darec
from command_line import call, refused
from darec.data.dataset import Dataset
from darec.errors import DataError, RunError
from darec.run import Run
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.training.trainer import Trainer
from darec.types import Interactions

SETTINGS: dict[str, Any] = {
    "backbone.dim": 4,
    "train.eval_every": 1,
    "train.lr": 0.02,
    "train.monitor": "recall@5",
    "evaluation.ks": [5],
    "options.threads": 1,
}


CLOSED = {name: value for name, value in SETTINGS.items() if name != "backbone.dim"}


def fit(data: Any, **more: Any) -> Run:
    settings = {**SETTINGS, **more.pop("settings", {})}
    return darec.fit(data, settings=settings, progress=False, epochs=6, **more)


def everything(data: Dataset) -> Interactions:
    return data.train.union(data.valid).union(data.test)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny_dataset().save(tmp_path_factory.mktemp("refit") / "data")


@pytest.fixture(scope="module")
def run(data: Dataset) -> Run:
    return fit(data, out=data.path.parent / "run", backbone="lightgcn")  # type: ignore[union-attr]


def test_it_is_training_on_all_interactions_for_the_epochs_that_were_chosen(run: Run) -> None:
    again = darec.refit(run, progress=False)
    data, best = run.dataset, run.metrics["best_epoch"]
    assert again.config.train.epochs == again.metrics["epochs"] == best
    assert again.config.backbone == run.config.backbone
    # The same training on all pairs, validated on one that nobody has, and only once it is over.
    union = everything(data)
    new = next(
        (user, item)
        for user in range(data.n_users)
        for item in range(data.n_items)
        if item not in union.of_user(user)
    )
    one = Interactions.from_pairs(*np.array([new]).T, data.n_users, data.n_items)
    whole = replace(data, train=union, valid=one, test=one, path=None)
    by_hand = fit(
        whole, backbone="lightgcn", settings={"train.epochs": best, "train.eval_every": best}
    )
    np.testing.assert_array_equal(again.tables.items, by_hand.tables.items)
    np.testing.assert_array_equal(again.tables.users, by_hand.tables.users)


def test_a_closed_form_is_solved_on_all_interactions(data: Dataset) -> None:
    again = darec.refit(
        darec.fit(data, backbone="ease", settings=CLOSED, progress=False), progress=False
    )
    history = everything(data)
    X = np.zeros((data.n_users, data.n_items))
    X[history.users, history.items] = 1
    ridge = again.config.backbone.ridge  # type: ignore[attr-defined]
    P = np.linalg.inv(X.T @ X + ridge * np.eye(data.n_items))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    np.testing.assert_allclose(again.scorer.score(np.arange(data.n_users)), X @ B, atol=1e-4)


def test_a_matrix_beside_keeps_its_weight(data: Dataset) -> None:
    text = tiny_text(data)
    run = fit(data, settings={"beside.backbone": "ease", "beside.alignment": "none"}, text=text)
    again = darec.refit(run, progress=False, text=text)
    weight = run.metrics["diagnostics/beside/weight"]
    assert run.config.beside is not None and run.config.beside.weight is None
    assert again.config.beside is not None and again.config.beside.weight == weight
    assert again.metrics["diagnostics/beside/weight"] == weight
    assert type(again.scorer) is type(run.scorer)


def test_the_run_says_so_and_is_not_evaluated(
    run: Run, data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("train", data.path, "--refit", run.path, "--out", tmp_path / "full", "--quiet") == 0
    shown = capsys.readouterr().out
    total = len(everything(data))
    assert f"refitted on {total} interactions" in shown and "not evaluated" in shown
    again = darec.load_run(tmp_path / "full")
    assert again.refit is not None and again.refit["run"] == str(run.path)
    assert again.refit["measured"]["test/recall@5"] == run.metrics["test/recall@5"]
    assert sum(again.refit["interactions"].values()) == total == len(again.dataset.train)
    metrics = json.loads((tmp_path / "full" / "metrics.json").read_text())
    assert metrics["refit"] is True
    assert not [name for name in metrics if name.startswith(("valid/", "test/"))]
    assert not list((tmp_path / "full").glob("users-*"))
    assert "there is no held-out data" in refused(capsys, "evaluate", tmp_path / "full")
    with pytest.raises(RunError, match=r"evaluate .*run"):
        again.evaluate("valid")
    assert Dataset.load(data.path).fingerprint() == data.fingerprint()  # type: ignore[arg-type]


def test_whatever_anybody_has_is_not_recommended(run: Run, tmp_path: Path) -> None:
    again = darec.refit(run, progress=False)
    data = run.dataset
    listed = again.recommend(k=data.n_items).to_polars()
    pairs = everything(data)
    users, items = data.users.rows(listed["user_id"]), data.items.rows(listed["item_id"])
    assert not pairs.contains(users, items).any()
    assert len(listed) == data.n_users * data.n_items - len(pairs)


@pytest.mark.parametrize("by_refit", [True, False])
def test_a_killed_refit_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_refit: bool
) -> None:
    whole = darec.refit(run, progress=False)
    assert whole.metrics["epochs"] > 1, "the best epoch is the first: nothing is left to go on with"
    train_epoch = Trainer.train_epoch

    def killed(self: Trainer) -> dict[str, float]:
        if self.state.epoch == 1:
            raise MemoryError
        return train_epoch(self)

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(Trainer, "train_epoch", killed)
        darec.refit(run, out=tmp_path / "full", progress=False)
    with pytest.raises(RunError, match="not finished"):
        darec.load_run(tmp_path / "full")
    if by_refit:
        resumed = darec.refit(run, out=tmp_path / "full", resume=True, progress=False)
        assert darec.refit(run, out=tmp_path / "full", resume=True).metrics == resumed.metrics
    else:
        resumed = darec.fit(run.dataset, out=tmp_path / "full", resume=True, progress=False)
    assert resumed.refit is not None and resumed.metrics["refit"] is True
    np.testing.assert_array_equal(resumed.tables.items, whole.tables.items)


def test_one_in_memory_is_saved_with_its_data(tmp_path: Path) -> None:
    again = darec.refit(fit(tiny_dataset(), backbone="mf"), progress=False)
    again.save(tmp_path / "run")
    loaded = darec.load_run(tmp_path / "run")
    assert loaded.refit is not None and loaded.refit["run"] is None
    assert loaded.recommend("u3", 4) == again.recommend("u3", 4)
    with pytest.raises(RunError, match="the run that it was made from"):
        loaded.evaluate()


def test_language_vectors_of_users_are_made_of_all_their_items(tmp_path: Path) -> None:
    data = tiny_dataset().save(tmp_path / "data")
    darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 8})
    run = fit(data, alignment="darec", out=tmp_path / "run")
    again = darec.refit(tmp_path / "run", out=tmp_path / "full", progress=False)
    assert again.config.text.encoder == "tfidf"
    assert again.about["text"] != run.about["text"]
    assert darec.ColdStart(darec.load_run(tmp_path / "full")).recommend_about("theme3 word3a", 2)
    darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 4})
    with pytest.raises(RunError, match=r"have changed since .*run was trained"):
        darec.refit(tmp_path / "run", progress=False)


def test_refusals(
    run: Run, data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refit = ["train", data.path, "--refit", run.path, "--out"]
    assert "choose another --out" in refused(capsys, *refit, run.path, "--overwrite")
    assert run.path is not None and (run.path / "metrics.json").is_file()
    out = tmp_path / "full"
    for option, value in (
        ("--backbone", "mf"),
        ("--text", "titles"),
        ("--set", "backbone.dim=8"),
        ("--preset", "paper"),
        ("--config", run.path / "config.yaml"),
    ):
        assert f"leave out {option}." in refused(capsys, *refit, out, option, value)
    assert "options.seed" in refused(capsys, *refit, out, "--seed", -1)
    assert "no run at" in refused(
        capsys, "train", data.path, "--refit", tmp_path / "no", "--out", out
    )
    other = tiny_dataset(n_users=30).save(tmp_path / "other")
    assert "a dataset other than" in refused(
        capsys, "train", other.path, "--refit", run.path, "--out", out
    )
    assert not out.exists()
    again = darec.refit(run, out=out, progress=False)
    with pytest.raises(RunError, match="was already refitted on every split"):
        darec.refit(again)
    mine = fit(data, backbone="mf", out=tmp_path / "mine")
    with pytest.raises(RunError, match="a run that is not a refit of"):
        darec.refit(mine, out=out, resume=True)
    with pytest.raises(RunError, match="a run that is not a refit of"):
        darec.refit(run, out=tmp_path / "mine", resume=True)


def test_items_held_out_altogether_are_not_left_out_in_silence(data: Dataset) -> None:
    with pytest.raises(
        DataError, match="to train on all items, import the sources again with another split"
    ):
        replace(data, cold={"valid": None}).merged()  # type: ignore[dict-item]
    assert data.merged().merged().fingerprint() == data.merged().fingerprint()


def test_settings_that_validation_chose_are_written_down_in_the_new_run() -> None:
    data = tiny_dataset()
    settings = {"train.monitor": "recall@5", "evaluation.ks": [5]}
    source = darec.fit(data, backbone="ease", settings=settings, progress=False)
    assert source.config.backbone.model_dump()["ridge"] is None
    again = darec.refit(source, progress=False)
    ridge = source.metrics["diagnostics/chosen/backbone.ridge"]
    assert again.config.backbone.model_dump()["ridge"] == ridge
