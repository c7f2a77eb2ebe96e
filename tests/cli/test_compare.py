"""compare as a user calls it: what it prints, how it ends, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import call, refused
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

FAST = ["--set", "train.epochs=2", "--set", "train.eval_every=1", "--threads", "1"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    data = tiny_dataset().save(folder / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    return folder


def test_it_trains_reports_and_finds_everything_again(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = shop / "cmp"
    words = [
        "compare",
        shop / "data",
        "--backbones",
        "mf",
        "--alignments",
        "none,darec",
        "--out",
        out,
    ]
    words += ["--seeds", "1", "--jobs", "2", "--no-floors", *FAST]
    assert call(*words) == 0
    shown = capsys.readouterr()
    assert "data, test split: 60 users, 40 items, 1 seed" in shown.out
    assert "darec" in shown.out and "gain" in shown.out and "Cost of a run" in shown.out
    lines = shown.err.splitlines()
    assert sum(line.startswith(("[1/2] mf + ", "[2/2] mf + ")) for line in lines) == 2
    for ending in ("json", "md", "tex", "csv", "html"):
        assert (out / f"comparison.{ending}").stat().st_size > 500, ending
    for form, start in {
        "json": "{",
        "markdown": "# Comparison on data",
        "latex": r"\documentclass",
        "csv": "backbone,alignment,split,figure",
    }.items():
        assert call(*words, "--quiet", "--format", form) == 0
        printed = capsys.readouterr()
        assert printed.out.startswith(start) and not printed.err
    assert call(*words, "--format", "json") == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[0] == "2 of 2 runs are finished already."
    found = json.loads(printed.out)
    assert [pair["alignment"] for pair in found["variants"]] == ["none", "darec"]
    assert found["command"].startswith("darec compare ")


def test_a_failed_run_shows_in_the_exit_status(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", shop / "data", "--backbones", "mf", "--alignments", "none", "--seeds", "1"]
    words += ["--no-floors", "--out", shop / "failing", *FAST, "--set", "train.lr=1e38"]
    assert call(*words) == 1
    shown = capsys.readouterr()
    assert "mf + none, seed 0 failed: " in shown.err
    assert "failed" in shown.out and "diverged" in shown.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backbones", "lihgtgcn"], "unknown backbone 'lihgtgcn': did you mean 'lightgcn'?"),
        (["--alignments", "darek"], "unknown alignment 'darek': did you mean 'darec'?"),
        (["--backbones", "alpharec", "--alignments", "llminit"], "alpharec + llminit"),
        (["--seeds", "1,2,1"], "--seeds: 1 is given twice"),
        (["--seeds", "334", "--alignments", "none,darec,kar"], "1006 runs: pass --yes"),
        (["--set", "train.epochz=2"], "did you mean 'train.epochs'?"),
        (["--alignments", "none", "--set", "alignment.rho=1"], "no pair of the grid has that"),
        (["--settings", "nowhere"], "lightgcn+none.yaml"),
        (["--encoder", "minilm"], "no vectors of encoder 'minilm'"),
    ],
)
def test_refusals_come_before_anything_is_written(
    shop: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    out = shop / "refused"
    assert message in refused(capsys, "compare", shop / "data", "--out", out, *words)
    assert not out.exists()
    assert "no dataset at" in refused(capsys, "compare", shop / "absent", "--out", out)
