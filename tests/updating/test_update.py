"""The next day: old rows stay, new ones start from text and histories, and a few epochs are trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import darec
from command_line import call, refused
from darec.data.dataset import Dataset
from darec.errors import DataError, RunError, TextError
from darec.model import Model
from darec.run import Run
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.text import load_text
from darec.training.trainer import Trainer
from darec.types import Interactions
from darec.updating.start import Start

SETTINGS: dict[str, Any] = {
    "backbone.dim": 8,
    "train.lr": 0.02,
    "train.epochs": 6,
    "train.monitor": "recall@5",
    "evaluation.ks": [5],
    "options.threads": 1,
}
NEW = [("new1", "i0"), ("new1", "i4"), ("new1", "fresh"), ("new2", "i1"), ("u0", "fresh")]
ITEMS = [{"item_id": "fresh", "text": "theme0 word0a word0b"}]


def fit(data: Any, **more: Any) -> Run:
    settings = {**SETTINGS, **more.pop("settings", {})}
    return darec.fit(data, settings=settings, progress=False, **more)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that is encoded, a run on it and a refit."""
    home = tmp_path_factory.mktemp("update")
    data = tiny_dataset().save(home / "data")
    darec.encode_dataset(data, "tfidf", options={"dim": 12}, progress=False)
    fit(
        data,
        backbone="lightgcn",
        alignment="darec",
        settings={"alignment.n_clusters": 4},
        out=home / "run",
    )
    darec.refit(home / "run", out=home / "full", progress=False)
    return home


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "model.safetensors")


def test_with_nothing_new_it_trains_on_from_the_same_weights(home: Path) -> None:
    run = darec.load_run(home / "run")
    known = [("u0", run.dataset.items.texts[run.dataset.train.of_user(0)[0]])]
    updated = darec.update(run, known, epochs=2, progress=False)
    assert updated.dataset.fingerprint() == run.dataset.fingerprint()
    text, config, old = load_text(run.dataset), updated.config, weights(home / "run")
    assert config.train.epochs == 2 and config.backbone == run.config.backbone

    def from_the_old(model: Model) -> None:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(old[name])

    by_hand = Trainer(config, run.dataset, text, start=from_the_old)
    by_hand.fit()
    torch.testing.assert_close(updated.tables.items, by_hand.scorer().tables.items, rtol=0, atol=0)
    torch.testing.assert_close(updated.tables.users, by_hand.scorer().tables.users, rtol=0, atol=0)
    assert updated.metrics["update/new_interactions"] == 0


def test_ids_are_stable_and_everything_is_added(home: Path, tmp_path: Path) -> None:
    run = darec.load_run(home / "run")
    updated = darec.update(home / "run", NEW, ITEMS, out=tmp_path / "b", progress=False)
    old, new = run.dataset, updated.dataset
    assert new.users.texts == [*old.users.texts, "new1", "new2"]
    assert new.items.texts == [*old.items.texts, "fresh"]
    assert new.path == tmp_path / "b" / "dataset"
    assert len(new.train) == len(old.train) + len(NEW)
    assert updated.metrics["test/recall@5"] > 0.8 * run.metrics["test/recall@5"]
    assert updated.update is not None
    assert updated.update["run"] == str((home / "run").resolve()) and updated.update["updates"] == 1
    assert updated.update["counts"]["new_items"] == 1
    assert 0 < updated.metrics["update/overlap@10"] <= 1
    loaded = darec.load_run(tmp_path / "b")
    assert len(loaded.recommend("new2", 3)) == 3
    assert {"fresh"} <= set(loaded.recommend("new2", new.n_items).to_polars()["item_id"])
    assert Dataset.load(home / "data").fingerprint() == old.fingerprint()
    darec.export_bundle(tmp_path / "b", tmp_path / "bundle")
    more = [("new3", "fresh"), ("u1", "more")]
    again = darec.update(loaded, more, out=tmp_path / "c", progress=False, unknown_items="keep")
    assert again.update is not None and again.update["updates"] == 2
    assert again.dataset.users.texts == [*new.users.texts, "new3"]
    assert again.dataset.items.texts == [*new.items.texts, "more"]
    assert darec.ColdStart(again).recommend_about("theme0 word0a", 3)


def test_old_vectors_stay_and_new_ones_are_in_their_space(home: Path) -> None:
    run = darec.load_run(home / "run")
    before = load_text(run.dataset)
    twin = run.dataset.catalogue["text"][3]
    updated = darec.update(run, NEW, [{"item_id": "fresh", "text": twin}], epochs=1, progress=False)
    after = load_text(updated.dataset)
    np.testing.assert_array_equal(after.items[:40], before.items)
    np.testing.assert_array_equal(after.items[40], before.items[3])
    other = darec.update(run, NEW, ITEMS, epochs=1, progress=False)
    fresh = load_text(other.dataset).items[40]
    theme = load_text(other.dataset).items[:40] @ fresh
    assert theme[::4].mean() > theme[1::4].mean() + 0.1  # its words are those of group 0
    np.testing.assert_array_equal(load_text(other.dataset).items[:40], before.items)


def test_a_new_item_starts_where_its_text_says_and_a_user_where_items_say() -> None:
    rng = np.random.default_rng(0)
    n_users, n_items, d = 50, 60, 4
    texts = rng.standard_normal((n_items + 1, d)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0].astype(np.float32)
    items = texts @ turn  # rows follow from texts, and users from items, exactly
    has = rng.random((n_users + 1, n_items)) < 0.2
    users, columns = np.nonzero(has)
    train = Interactions.from_pairs(users, columns, n_users + 1, n_items + 1)
    counts = has.sum(axis=1, keepdims=True)
    people = (has @ items[:n_items]) / np.sqrt(counts) @ turn
    old = torch.from_numpy(np.concatenate([people[:n_users], items[:n_items]]).astype(np.float32))
    text = tiny_text(tiny_dataset(n_users + 1, n_items + 1))
    text = type(text)(text.users, texts, text.user_mask, text.item_mask, "planted")
    grown = Start({}, n_users, n_items, train, text).table(old).numpy()
    np.testing.assert_array_equal(grown[:n_users], people[:n_users].astype(np.float32))
    np.testing.assert_array_equal(grown[n_users + 1 : -1], items[:n_items])
    np.testing.assert_allclose(grown[-1], items[-1], atol=0.05)
    np.testing.assert_allclose(grown[n_users], people[n_users], atol=0.05)


def test_a_refitted_run_stays_one_and_keeps_the_splits_on_disk(home: Path, tmp_path: Path) -> None:
    updated = darec.update(home / "full", NEW, ITEMS, out=tmp_path / "b", progress=False)
    loaded = darec.load_run(tmp_path / "b")
    for one in (updated, loaded):
        assert one.refit is not None and one.refit["run"] == str((home / "run").resolve())
        assert len(one.dataset.valid) == len(one.dataset.test) == 0
    assert not [name for name in updated.metrics if name.startswith(("valid/", "test/"))]
    stored = Dataset.load(tmp_path / "b" / "dataset")
    old = Dataset.load(home / "data")
    assert len(stored.test) == len(old.test) and len(stored.train) == len(old.train) + len(NEW)
    assert len(loaded.dataset.train) == len(old.train) + len(old.valid) + len(old.test) + len(NEW)
    with pytest.raises(RunError, match="there is no held-out data"):
        loaded.evaluate()
    again = darec.update(tmp_path / "b", [("u3", "fresh")], out=tmp_path / "c", progress=False)
    assert len(again.dataset.train) == len(loaded.dataset.train) + 1
    with pytest.raises(RunError, match="was already refitted on every split"):
        darec.refit(again)


@pytest.mark.parametrize("source", ["run", "full"])
def test_a_killed_update_goes_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    whole = darec.update(home / source, NEW, ITEMS, progress=False)
    train_epoch = Trainer.train_epoch

    def killed(self: Trainer) -> dict[str, float]:
        if self.state.epoch == 1:
            raise MemoryError
        return train_epoch(self)

    out = tmp_path / "b"
    monkeypatch.setattr("darec.training.trainer._CHECKPOINT_SECONDS", -1.0)
    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(Trainer, "train_epoch", killed)
        darec.update(home / source, NEW, ITEMS, out=out, progress=False)
    assert list((out / "checkpoints").glob("epoch-*"))
    with pytest.raises(RunError, match="continue it with the same 'darec update'"):
        darec.fit(whole.dataset, out=out, resume=True, progress=False)
    with pytest.raises(RunError, match="trained on a dataset other than"):
        darec.update(home / source, NEW[:-1], ITEMS, out=out, resume=True, progress=False)
    with pytest.raises(RunError, match=r"began with train\.epochs=3, not 4"):
        darec.update(home / source, NEW, ITEMS, out=out, resume=True, epochs=4, progress=False)
    resumed = darec.update(home / source, NEW, ITEMS, out=out, resume=True, progress=False)
    np.testing.assert_array_equal(resumed.tables.items, whole.tables.items)
    np.testing.assert_array_equal(resumed.tables.users, whole.tables.users)
    finished = darec.update(home / source, NEW, ITEMS, out=out, resume=True, progress=False)
    assert finished.metrics == resumed.metrics


def test_a_closed_form_is_solved_anew(tmp_path: Path) -> None:
    closed = {name: value for name, value in SETTINGS.items() if name != "backbone.dim"}
    data = tiny_dataset().save(tmp_path / "data")
    run = darec.fit(data, backbone="ease", settings=closed, progress=False, out=tmp_path / "run")
    updated = darec.update(
        tmp_path / "run", NEW[:-2], progress=False, out=tmp_path / "b", unknown_items="keep"
    )
    ridge = run.metrics["diagnostics/chosen/backbone.ridge"]
    by_hand = darec.fit(
        updated.dataset,
        backbone="ease",
        settings={**closed, "backbone.ridge": ridge},
        progress=False,
    )
    everybody = np.arange(updated.dataset.n_users)
    np.testing.assert_array_equal(updated.scorer.score(everybody), by_hand.scorer.score(everybody))
    assert not updated.metrics["update/overlap@10"] < 0.5


def test_a_matrix_beside_keeps_its_weight() -> None:
    run = fit(
        tiny_dataset(),
        backbone="mf",
        settings={"beside.backbone": "ease", "beside.alignment": "none"},
    )
    updated = darec.update(run, [("new1", "i3"), ("new1", "i7")], progress=False)
    weight = run.metrics["diagnostics/beside/weight"]
    assert updated.metrics["diagnostics/beside/weight"] == weight
    assert type(updated.scorer) is type(run.scorer)
    assert updated.path is None and updated.dataset.path is None
    assert len(updated.recommend("new1", 5)) == 5


def test_every_backbone_with_and_without_ids_goes_on(tmp_path: Path) -> None:
    data = tiny_dataset().save(tmp_path / "data")
    darec.encode_dataset(data, "tfidf", options={"dim": 6}, progress=False)
    for backbone in ("mf", "alpharec", "dual", "dccf", "autocf"):
        run = fit(data, backbone=backbone, epochs=1, settings={"backbone.dim": 4})
        updated = darec.update(run, NEW, ITEMS, epochs=1, progress=False)
        assert updated.scorer.n_users == 62 and updated.scorer.n_items == 41, backbone


def test_the_command(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, items = tmp_path / "new.csv", tmp_path / "new.jsonl"
    new.write_text(
        "user_id,item_id\n" + "".join(f"{u},{i}\n" for u, i in [*NEW, NEW[0], ("u1", "ghost")])
    )
    items.write_text(json.dumps(ITEMS[0]) + "\n")
    out = ["--out", tmp_path / "b", "--data-out", tmp_path / "grown", "--quiet"]
    update = ["update", home / "full", "--interactions", new, "--items", items]
    assert call(*update, *out) == 0
    shown = capsys.readouterr()
    assert "updated with 5 new interactions, 2 new users and 1 new item" in shown.out
    assert "of the ten best items of 60 earlier users are unchanged" in shown.out
    assert "1 new item has no text, the first 'ghost'" in shown.err
    assert darec.load_run(tmp_path / "b").dataset.path == tmp_path / "grown"
    assert not (tmp_path / "b" / "dataset").exists()
    assert "holds another run" in refused(capsys, *update, *out)
    assert call(*update, *out, "--overwrite", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["update/new_users"] == 2
    again = ["update", tmp_path / "b", "--interactions", new, "--out", tmp_path / "c", "--quiet"]
    assert call(*again, "--epochs", "1") == 0
    assert "updated with 0 new interactions, 0 new users and 0 new items" in capsys.readouterr().out


def test_with_nothing_new_nothing_is_written(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = darec.load_run(home / "run")
    user, item = run.dataset.users.texts[0], run.dataset.items.texts[run.dataset.test.of_user(0)[0]]
    known, fields = tmp_path / "known.csv", tmp_path / "fields.jsonl"
    known.write_text(f"user_id,item_id\n{user},{item}\n")
    update = ["update", home / "run", "--interactions", known, "--out", tmp_path / "b", "--quiet"]
    assert call(*update, "--data-out", tmp_path / "grown") == 0
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        f"darec: note: nothing is new (1 interaction is known already): {home / 'run'} stays as it is, and nothing is "
        "written. Give a number of epochs to train on nevertheless."
    ]
    assert told.out == ""
    assert call(*update, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == {"nothing_new": True}
    assert {path.name for path in tmp_path.iterdir()} == {"known.csv"}
    text = run.dataset.catalogue["text"][run.dataset.items.texts.index(item)]
    fields.write_text(json.dumps({"item_id": item, "text": text, "price": 3}) + "\n")
    assert call(*update, "--items", fields) == 0, "a new field of a known item is new"
    assert (tmp_path / "b" / "metrics.json").is_file()


def test_refusals(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, out = tmp_path / "new.csv", tmp_path / "b"
    update = ["update", home / "run", "--out", out]
    assert "name new interactions, or new items" in refused(capsys, *update)
    assert "no file" in refused(capsys, *update, "--interactions", new)
    new.write_text("")
    assert "new.csv" in refused(capsys, *update, "--interactions", new)
    new.write_text("user_id,item_id\nu1,i2\n,i3\n")
    assert "line 3: no id in column 'user_id'" in refused(capsys, *update, "--interactions", new)
    new.write_text("user_id,item_id\nu1,i2\n")
    update = [*update, "--interactions", new]
    assert "choose from drop, keep, error" in refused(capsys, *update, "--unknown-items", "guess")
    assert "which it still needs" in refused(
        capsys, *update, "--data-out", home / "data", "--overwrite"
    )
    assert "holds the run that is being updated" in refused(
        capsys, "update", home / "run", "--out", home / "run", "--interactions", new, "--overwrite"
    )
    assert "is inside the other" in refused(capsys, *update, "--data-out", out)
    assert "is inside the other" in refused(capsys, *update, "--data-out", out / "dataset")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    assert "choose another" in refused(capsys, *update, "--data-out", tmp_path / "mine")
    assert not out.exists()


def test_a_dataset_that_has_moved_or_changed(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home / "run", tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(about | {"dataset": "gone"}))
    update = [
        "update",
        tmp_path / "run",
        "--out",
        tmp_path / "b",
        "--quiet",
        "--interactions",
        tmp_path / "new.csv",
    ]
    (tmp_path / "new.csv").write_text("user_id,item_id\nu1,i2\nu1,i3\nu1,i4\n")
    assert "name its folder with --data" in refused(capsys, *update)
    other = tiny_dataset(n_users=30).save(tmp_path / "other")
    assert "was trained on" in refused(capsys, *update, "--data", other.path)
    assert call(*update, "--data", home / "data") == 0
    shutil.copytree(home / "data", tmp_path / "again")
    darec.encode_dataset(tmp_path / "again", "tfidf", options={"dim": 4}, progress=False)
    again = [*update[:3], tmp_path / "c", *update[4:], "--data", tmp_path / "again"]
    assert "encode with the same inputs as then, or train again" in refused(capsys, *again)


def test_vectors_that_nothing_new_can_have_are_left_out(tmp_path: Path) -> None:
    data = tiny_dataset().save(tmp_path / "data")
    np.save(
        tmp_path / "v.npy", np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
    )
    (tmp_path / "v.ids.txt").write_text("\n".join(data.items.texts) + "\n")
    darec.encode_dataset(data, f"file:{tmp_path / 'v.npy'}", progress=False)
    run = fit(data, alignment="llminit", settings={"backbone.dim": 4}, out=tmp_path / "run")
    updated = darec.update(run, NEW, ITEMS, epochs=1, progress=False)
    assert load_text(updated.dataset).item_mask.tolist() == [True] * 40 + [False]
    in_memory = fit(
        tiny_dataset(),
        alignment="llminit",
        text=tiny_text(tiny_dataset()),
        settings={"backbone.dim": 4},
    )
    with pytest.raises(TextError, match="no vectors of encoder"):
        darec.update(in_memory, NEW, ITEMS, progress=False)


def test_a_run_in_memory_over_a_frame(tmp_path: Path) -> None:
    pairs = [(f"u{n % 20}", f"i{(3 * n) % 17}") for n in range(160)]
    settings = {"evaluation.ks": [3], "train.monitor": "recall@3"}
    run = fit(pairs, backbone="mf", settings=settings)
    updated = darec.update(run, [("u1", "i99"), ("x", "i99"), ("x", "i3")], progress=False)
    # Nothing has text, so nothing is missed.
    assert updated.dataset.n_items == run.dataset.n_items + 1
    updated.save(tmp_path / "run")
    loaded = darec.load_run(tmp_path / "run")
    assert loaded.scorer.fingerprint() == updated.scorer.fingerprint()
    assert len(loaded.recommend("x", 3)) == 3
    with pytest.raises(DataError, match="holds no rows"):
        darec.update(run, [], progress=False)
