"""visualize as a user calls it: what it writes and prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import call, refused
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

FAST = ["--set", "train.epochs=2", "--set", "train.eval_every=1", "--threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    for name, seed in (("data", 0), ("elsewhere", 1)):
        data = tiny_dataset(seed=seed).save(folder / name)
        encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    for alignment in ("none", "darec"):
        call("train", folder / "data", "--alignment", alignment, "--out", folder / alignment, *FAST)
    call("train", folder / "elsewhere", "--out", folder / "other", *FAST)
    return folder


def test_it_draws_prints_and_may_be_asked_again(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shop / "vis"
    words = ["visualize", shop / "darec", "--out", out, "--against", shop / "none", "--hops", "2"]
    assert call(*words, "--methods", "pca", "--rows", "20") == 0
    shown = capsys.readouterr()
    assert "effective rank of C_sh" in shown.out and "E_C, other run: " in shown.out
    assert f"written to {out}/index.html" in shown.out
    names = {file.name for file in out.iterdir()}
    assert {"index.html", "anatomy.json", "users-pca.png", "items-similarity.svg"} <= names
    figures = json.loads((out / "anatomy.json").read_text())
    assert figures["users"]["clusters"] == 4 and len(figures["cases"]["first"]) == 3
    assert set(figures["cases"]["median_rank"]) == {"E_L", "E_C, other run", "E_C", "C_sh", "L_sh"}
    assert call(*words, "--methods", "pca", "--format", "json", "--quiet") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["users"]["clusters"] == 4 and not printed.err


def test_a_run_without_parts_says_so(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["visualize", shop / "none", "--out", shop / "bare", "--methods", "pca"]
    assert call(*words, "--hops", "20") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "no shared and specific parts in this alignment" in shown
    assert "no case study" in shown and "similarity correlation of E_C,E_L" in shown
    assert not (shop / "bare" / "cases.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "tnse"], "did you mean 'tsne'?"),
        (["--clusters", "1"], "--clusters 1: must be at least 2"),
        (["--clusters", "61"], "61 clusters of 60 rows"),
        (["--rows", "2"], "--rows 2: must be at least 3"),
        (["--against", "other"], "trained on a dataset other than"),
        (["--against", "nowhere"], "no run at"),
    ],
)
def test_refusals_come_before_anything_is_written(
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(shop)
    assert message in refused(capsys, "visualize", "darec", "--out", "refused", "--quiet", *words)
    assert not (shop / "refused").exists()


def test_the_folder_of_something_else_is_left_alone(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "holds other files" in refused(
        capsys, "visualize", shop / "darec", "--out", shop / "data"
    )
    assert "no run at" in refused(capsys, "visualize", shop / "data", "--out", shop / "x")
