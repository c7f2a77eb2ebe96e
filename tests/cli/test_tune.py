from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from command_line import call, refused
from darec.testing.worlds import tiny_dataset
from darec.training.trainer import Trainer

pytest.importorskip("optuna")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    tiny_dataset().save(tmp_path / "data")
    return tmp_path / "data"


QUICK = ["--set", "backbone.dim=4", "--set", "train.eval_every=1", "--epochs", "2", "--quiet"]
QUICK += ["--set", "train.monitor=recall@5", "--set", "evaluation.ks=[5]"]


def test_a_grid_leaves_settings_that_train_takes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tune", data, "--backbones", "mf,gccf", "--trials", 2, "--only", "train.lr"]
    out = tmp_path / "tuned"
    assert call(*words, "--out", out, *QUICK, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["backbone"] for row in rows] == ["mf", "gccf"]
    assert all(row["finished"] + row["pruned"] == 2 for row in rows)
    settings = out / "gccf+none.yaml"
    run = ["train", data, "--config", settings, "--set", "train.epochs=1", "--quiet"]
    assert call(*run, "--out", tmp_path / "run") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backbone", "mf,mf"], "'mf' is named twice"),
        (["--backbone", "lightgnc"], "lightgcn"),
        (["--search", "train.lr=3..1"], "the lower bound is not below"),
        (["--only", "train.nothing"], "has no setting 'train.nothing'"),
        (["--set", "train.lr=1e-3", "--only", "train.lr"], "both searched and set"),
    ],
)
def test_bad_requests_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    line = refused(capsys, "tune", data, "--out", tmp_path / "x", *words)
    assert message in line


def test_ctrl_c_says_how_to_go_on(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(self: Trainer) -> None:
        raise KeyboardInterrupt

    words = ["tune", data, "--backbone", "mf", "--trials", 2, "--out", tmp_path / "t", *QUICK]
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", interrupted)
        assert call(*words) == 130
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and said.endswith(shlex.join(["darec", *map(str, words)]))
    assert call(*words) == 0
    assert "2 finished" in capsys.readouterr().out
    assert (tmp_path / "t/best.yaml").read_text() == (tmp_path / "t/mf+none.yaml").read_text()
