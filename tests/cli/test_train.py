"""train, evaluate, recommend and similar as a user calls them: what they print, and how they refuse."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_line import call, refused
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

FAST = ["--set", "train.epochs=2", "--set", "train.eval_every=1", "--threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    data = tiny_dataset().save(folder / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    return folder


@pytest.fixture(scope="module")
def run(shop: Path) -> Path:
    call("train", shop / "data", "--alignment", "darec", "--out", shop / "run", *FAST)
    return shop / "run"


def test_a_run_folder_holds_what_the_readme_says(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    for key in (
        "test/recall@20",
        "valid/ndcg@10",
        "seconds_per_epoch",
        "best_epoch",
        "peak_rss_mb",
    ):
        assert isinstance(metrics[key], int | float), key
    config = (run / "config.yaml").read_text()
    assert "name: lightgcn" in config and "rho: " in config and "threads: 1" in config
    assert "encoder: tfidf" in config
    history = [json.loads(line) for line in (run / "history.jsonl").open()]
    assert [line["epoch"] for line in history] == [1, 2]
    assert {"diagnostics/rank/C_sh", "diagnostics/collapsed", "loss/global"} <= set(history[0])
    assert {"loss/gradient/ranking", "loss/gradient/alignment"} <= set(history[0])


def test_evaluate_repeats_the_figures_of_training(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("evaluate", run, "--format", "json") == 0
    printed = json.loads(capsys.readouterr().out)
    metrics = json.loads((run / "metrics.json").read_text())
    assert printed == {name: metrics[name] for name in printed}
    assert "test/items/1of3/recall@20" in printed
    assert call("evaluate", run, "--split", "valid", "-k", "3", "--mask", "train+valid") == 0
    table = capsys.readouterr().out
    assert "@3" in table and "@20" not in table and "items by popularity" in table


def test_the_summary_names_what_validation_chose(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("train", shop / "data", "--out", tmp_path / "r", *FAST) == 0
    metrics = json.loads((tmp_path / "r" / "metrics.json").read_text())
    shown = capsys.readouterr().out
    temperature = metrics["diagnostics/chosen/loss.temperature"]
    assert f"loss.temperature {temperature:g} was best after one epoch" in shown
    weight = metrics["diagnostics/beside/weight"]
    assert f"the matrix of ease + collective with {weight:g}" in shown


def test_recommend_in_three_formats(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user = ["recommend", run, "--user", "u1", "-k", "4"]
    assert call(*user, "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [item["rank"] for item in listed] == [1, 2, 3, 4]
    assert call(*user, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["item_id"] for row in rows] == [item["item_id"] for item in listed]
    assert call(*user) == 0
    shown = capsys.readouterr().out
    assert listed[0]["title"] in shown and "user_id" not in shown


def test_several_users_are_all_answered(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    users = ["recommend", run, "--user", "u3", "--user", "u1", "-k", "2"]
    assert call(*users, "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(item["user_id"], item["rank"]) for item in listed] == [
        ("u3", 1), ("u3", 2), ("u1", 1), ("u1", 2)
    ]  # fmt: skip
    assert call("recommend", run, "--user", "u1", "-k", "2", "--format", "json") == 0
    alone = json.loads(capsys.readouterr().out)
    assert [row["item_id"] for row in alone] == [row["item_id"] for row in listed[2:]]
    assert call(*users, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["user_id"] for row in rows] == ["u3", "u3", "u1", "u1"]
    assert call(*users) == 0
    shown = capsys.readouterr().out
    assert "for 2 users" in shown and "u3" in shown and "u1" in shown
    assert "no user 'u999'" in refused(capsys, *users, "--user", "u999")


def test_whole_numbers_and_uuids_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import uuid

    import darec

    item = {i: uuid.UUID(int=i) for i in range(30)}
    pairs = [(u, item[i]) for u in range(12) for i in item if (u + i) % 3]
    made = darec.fit(pairs, backbone="mf", epochs=1, out=tmp_path / "r", progress=False)
    assert call("recommend", tmp_path / "r", "--user", "7", "-k", "2", "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["user_id"] for row in listed] == [7, 7]
    assert [row["item_id"] for row in listed] == [str(one.item_id) for one in made.recommend(7, 2)]
    words = ("similar", tmp_path / "r", "--item", str(item[3]), "-k", "2")
    for form in ("json", "csv", "table"):
        assert call(*words, "--format", form) == 0
        assert str(made.similar(item[3], 1)[0].item_id)[-4:] in capsys.readouterr().out


def test_seen_items_are_left_out_unless_asked_for(
    run: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny_dataset()
    row = data.users.row("u1")
    seen = {
        data.items.ids[item]
        for split in ("train", "valid", "test")
        for item in data.split(split).of_user(row)
    }
    assert seen
    everything = ["recommend", run, "--user", "u1", "-k", data.n_items, "--format", "json"]
    call(*everything)
    listed = {item["item_id"] for item in json.loads(capsys.readouterr().out)}
    assert listed == set(data.items.ids) - seen
    call(*everything, "--include-seen")
    assert len(json.loads(capsys.readouterr().out)) == data.n_items


def test_liked_items_and_similar_items(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("recommend", run, "--liked", "i1, i2", "-k", "3", "--format", "json") == 0
    liked = [item["item_id"] for item in json.loads(capsys.readouterr().out)]
    assert len(liked) == 3 and not {"i1", "i2"} & set(liked)
    title = tiny_dataset().title(tiny_dataset().items.row("i1"))
    assert call("similar", run, "--item", title.upper(), "-k", "3", "--format", "json") == 0
    similar = json.loads(capsys.readouterr().out)
    assert all(item["item_id"] != "i1" and -1.0001 <= item["score"] <= 1.0001 for item in similar)
    assert call("recommend", run, "--liked", "i1", "-k", "3", "--format", "json") == 0
    one = [item["item_id"] for item in json.loads(capsys.readouterr().out)]
    assert len(one) == 3


def test_settings_come_from_a_file_and_are_overridden(
    shop: Path, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    status = call(
        "train", shop / "data", "--config", run / "config.yaml", "--set", "backbone.dim=5",
        "--quiet", "--out", out,
    )  # fmt: skip
    assert status == 0
    config = (out / "config.yaml").read_text()
    assert "dim: 5" in config and "name: darec" in config and "epochs: 2" in config


def test_refusals_of_train(
    shop: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(*words: object) -> str:
        return refused(capsys, "train", shop / "data", "--out", tmp_path / "r", *words)

    assert "did you mean 'lightgcn'" in train("--backbone", "lightgnc")
    assert "did you mean 'darec'" in train("--alignment", "darek")
    assert "did you mean 'train.epochs'" in train("--set", "train.epoch=1")
    assert "no config file" in train("--config", tmp_path / "none.yaml")
    assert "K = 9999 is larger" in train("--set", "evaluation.ks=[9999]")
    assert "9999 clusters" in train("--alignment", "darec", "--set", "alignment.n_clusters=9999")
    assert "nope" in train("--alignment", "darec", "--encoder", "nope")
    assert not (tmp_path / "r").exists()
    assert "no dataset at" in refused(capsys, "train", tmp_path / "none", "--out", tmp_path / "r")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in run.iterdir())
    assert "holds another run" in refused(capsys, "train", shop / "data", "--out", run)
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in run.iterdir())


def test_refusals_of_the_readers(
    shop: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no run at" in refused(capsys, "evaluate", tmp_path)
    assert "did you mean 'u1" in refused(capsys, "recommend", run, "--user", "u1x")
    assert "name users by --user ID" in refused(capsys, "recommend", run)
    assert "larger than the catalogue" in refused(
        capsys, "recommend", run, "--user", "u1", "-k", "9999"
    )
    assert "choose valid or test" in refused(capsys, "evaluate", run, "--split", "train")
    other = tiny_dataset(seed=5).save(tmp_path / "other")
    assert "a dataset other than" in refused(capsys, "evaluate", run, "--data", other.path)


def test_a_damaged_run_is_named(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r"
    assert call("train", shop / "data", "--backbone", "lightgcn", "--out", out, *FAST) == 0
    tables = out / "scorer.safetensors"
    tables.write_bytes(tables.read_bytes()[:100])
    assert "is damaged" in refused(capsys, "evaluate", out)
    (out / "metrics.json").unlink()
    assert "--resume" in refused(capsys, "evaluate", out)
    resumed = ("train", shop / "data", "--out", out, "--resume")
    assert "began with alignment.name=none, not darec" in refused(
        capsys, *resumed, "--alignment", "darec"
    )
    assert call(*resumed, "--threads", "1", "--quiet") == 0
    assert call("evaluate", out, "--format", "json") == 0


def test_a_full_disk_ends_in_one_line_and_the_run_can_be_resumed(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    out, real, calls = tmp_path / "r", os.fsync, iter(range(1000))

    def full(fd: int) -> None:
        if next(calls) >= 6:
            raise OSError(28, "No space left on device")
        real(fd)

    monkeypatch.setattr(os, "fsync", full)
    line = refused(capsys, "train", shop / "data", "--out", out, *FAST)
    assert "No space left on device. Free some space and run again." in line
    monkeypatch.undo()
    assert call("train", shop / "data", "--out", out, "--resume", "--quiet") == 0
    assert call("evaluate", out, "--format", "json") == 0


def test_two_trainings_in_one_folder_are_one_and_a_refusal(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r"
    words = ["train", shop / "data", "--out", out, "--backbone", "mf", "--threads", "1", "--quiet"]
    long = ["--set", "train.epochs=100000", "--set", "train.patience=100000"]
    first = subprocess.Popen(
        [sys.executable, "-m", "darec.cli.main", *map(str, words), *long],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while first.poll() is None and not (out / "checkpoints").exists():
        time.sleep(0.02)
    for more in ([], ["--resume"]):
        line = refused(capsys, *words, *more)
        assert f"{out} is being written by process {first.pid} " in line
    assert first.poll() is None, "it ended before it could be disturbed"
    shutil.move(out, tmp_path / "moved")  # from now on, what is at its path is not its own
    assert call(*words, *FAST) == 0
    metrics = (out / "metrics.json").read_text()
    assert first.wait(timeout=30) == 2
    assert (out / "metrics.json").read_text() == metrics
    assert not (tmp_path / "moved/metrics.json").exists()


def test_tensorboard_events_are_written(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    assert call("train", shop / "data", "--out", out, "--tensorboard", *FAST) == 0
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("valid/recall@20")] == [1, 2]


def test_ctrl_c_says_how_to_go_on(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from darec.training.trainer import Trainer

    def interrupted(self: Trainer) -> dict[str, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)
    assert call("train", shop / "data", "--out", tmp_path / "r", *FAST) == 130
    assert "--resume" in capsys.readouterr().err


def test_settings_lists_what_set_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("settings", "--backbone", "mf", "--loss", "softmax", "--format", "json") == 0
    rows = {row["setting"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["loss.temperature"]["default"] == 0.2 and "backbone.layers" not in rows
    assert all(row["meaning"] for row in rows.values())
    assert call("settings") == 0
    assert "alignment.rho" in capsys.readouterr().out
    assert "did you mean 'mf'" in refused(capsys, "settings", "--backbone", "mff")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out.startswith("darec 0.")


def test_auto_prints_what_it_tried_and_why_it_chose(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.automatic.candidates.CHANGES", ())
    fast = ["--set", "train.epochs=1", "--set", "train.monitor=ndcg@20", "--threads", "1"]
    auto = ["train", shop / "data", "--out", tmp_path / "run", "--auto"]
    assert call(*auto, *fast) == 0
    printed = capsys.readouterr()
    for name in ("popular", "itemknn", "ease + l3ae", "recommended", "chosen", "valid ndcg@20"):
        assert name in printed.out, name
    assert "has the best ndcg@20 on the validation split" in printed.out
    assert "1 of 5, popular (0:" in printed.err and "left)" in printed.err
    assert call(*auto, "--resume", "--format", "json") == 0
    stored = json.loads(capsys.readouterr().out)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert stored["metrics"] == metrics and "test/recall@20" in metrics
    assert stored["chosen"] == json.loads((tmp_path / "run" / "auto.json").read_text())["chosen"]
    assert call("evaluate", tmp_path / "run") == 0
    assert call("recommend", tmp_path / "run", "--user", "u1", "-k", "2") == 0
    assert call("export", tmp_path / "run", "--out", tmp_path / "bundle") == 0
    refit = ["--refit", tmp_path / "run", "--out", tmp_path / "refitted", "--quiet"]
    assert call("train", shop / "data", *refit) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--auto", "--backbone", "mf"], "--auto cannot be combined with --backbone"),
        (["--auto", "--alignment", "none"], "--auto cannot be combined with --alignment"),
        (["--auto", "--preset", "paper"], "--auto cannot be combined with --preset"),
        (["--auto", "--config", "c.yaml"], "--auto cannot be combined with --config"),
        (["--auto", "--refit", "other"], "--auto cannot be combined with --refit"),
        (["--auto", "--tensorboard"], "--auto cannot be combined with --tensorboard"),
        (["--auto", "--set", "backbone.dim=8"], "backbone.dim: the search chooses"),
        (["--auto", "--set", "beside=ease"], "beside: the search chooses"),
        (["--auto", "--minutes", "-1"], "--minutes=-1: must be above 0"),
        (["--auto", "--minutes", "0.0001"], "--minutes=0.0001: too short for one model"),
        (["--minutes", "3"], "--minutes is only for a search: add --auto"),
        (["--keep-candidates"], "--keep-candidates is only for a search"),
    ],
)
def test_what_a_search_does_not_take_is_refused(
    options: list[str], message: str, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = ["--quiet", "--threads", "1"]
    assert message in refused(
        capsys, "train", shop / "data", "--out", tmp_path / "r", *options, *quiet
    )
    assert not (tmp_path / "r").exists() or "too short" in message


def test_an_interrupted_search_says_how_to_go_on(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.automatic.candidates.CHANGES", ())

    def stop(self: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "run"
    auto = ["train", shop / "data", "--out", out, "--auto", *FAST]
    with monkeypatch.context() as patch:
        patch.setattr("darec.training.trainer.Trainer.train_epoch", stop)
        assert call(*auto) == 130
    said = capsys.readouterr().err
    assert f"darec train {shop / 'data'} --out {out} --auto --resume" in said
    states = [one["state"] for one in json.loads((out / "auto.json").read_text())["candidates"]]
    assert states == [*["finished"] * 4, "begun"]
    hint = refused(capsys, "train", shop / "data", "--out", out, "--resume", "--quiet")
    assert "continue it with --auto and --resume" in hint
    assert call("train", shop / "data", "--out", out, "--auto", "--resume", "--quiet") == 0
    capsys.readouterr()
