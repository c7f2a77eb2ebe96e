from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import call, refused

from darec.testing.worlds import tiny_dataset

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
        (["--only", "train.nothing"], "unknown setting 'train.nothing'"),
        (["--set", "train.lr=1e-3", "--only", "train.lr"], "both searched and set"),
    ],
)
def test_bad_requests_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    line = refused(capsys, "tune", data, "--out", tmp_path / "x", *words)
    assert message in line
