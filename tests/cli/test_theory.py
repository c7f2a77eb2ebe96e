from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from command_line import call, refused
from darec.data.synthetic import SyntheticConfig, make_synthetic
from darec.text import encode_dataset
from darec.theory.worlds import WORLDS


def test_exact_prints_every_world(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("theory", "exact") == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in WORLDS)
    assert call("theory", "exact", "leaky", "--curve", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["world"] for row in found["worlds"]] == ["leaky"]
    assert found["worlds"][0]["loss"] == pytest.approx(np.log(2), abs=1e-12)
    assert [row["disagreement"] for row in found["curves"]] == [0, 0.01]


def test_exact_reads_worlds_and_draws_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    p = np.full((2, 2, 2), 1 / 8)
    (tmp_path / "a.json").write_text(json.dumps(p.tolist()))
    np.save(tmp_path / "b.npy", p)
    files = tmp_path / "a.json", tmp_path / "b.npy"
    assert call("theory", "exact", *files, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)["worlds"]
    assert len(rows) == 2 and all(row["both"] == row["loss"] == 0 for row in rows)
    pytest.importorskip("matplotlib")
    assert call("theory", "exact", "mixed", "--plot", tmp_path / "x.svg") == 0
    assert (tmp_path / "x.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("xo", None, "did you mean 'xor'?"),
        ("missing.json", None, "no file"),
        ("bad.json", "[[[0.5, 0.5]", "cannot be read as json"),
        ("text.json", '{"p": 1}', "array of numbers"),
        ("negative.json", "[[[1.5, -0.5]]]", "[0, 0, 1] is negative"),
        ("nan.json", "[[[NaN, 1]]]", "[0, 0, 0] is NaN"),
        ("bad.npy", "no array", "cannot be read as npy"),
    ],
)
def test_exact_refuses_what_is_no_world(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    message: str,
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    given = tmp_path / name if "." in name else name
    assert message in refused(capsys, "theory", "exact", given)


def test_exact_runs_no_pickle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], object), allow_pickle=True)
    assert "cannot be read" in refused(capsys, "theory", "exact", tmp_path / "x.npy")


def test_exact_refuses_worlds_too_large_to_enumerate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", np.full((8, 8, 2), 1 / 128))
    assert call("theory", "exact", tmp_path / "x.npy") == 0
    line = refused(capsys, "theory", "exact", tmp_path / "x.npy", "--curve")
    assert "17,139,600 pairs of partitions" in line


def test_check_reads_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = SyntheticConfig(n_users=200, n_items=100, n_topics=4, mean_interactions=15)
    data = make_synthetic(config).save(tmp_path / "data")
    assert "no language vectors" in refused(capsys, "theory", "check", data.path)
    encode_dataset(data, "tfidf")
    capsys.readouterr()
    assert call("theory", "check", data.path, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["encoder"] == "tfidf" and found["n_users"] > 100
    assert found["advice"]["level"] in ("weak", "moderate", "strong", "none")
    assert call("theory", "check", data.path, "--negatives", "popularity") == 0
    printed = capsys.readouterr().out
    assert "lower bound on" in printed and "Limits:" in printed and "popularity" in printed
    assert "no dataset" in refused(capsys, "theory", "check", tmp_path / "nothing")


def test_sweep_leaves_figures_and_text_derived_from_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    words = ["theory", "sweep", "--out", tmp_path / "s", "--users", 150, "--items", 300]
    words += ["--epochs", 1, "--methods", "direct", "--strengths", "1,3", "--seeds", "0,"]
    assert call(*words) == 0
    assert "a single seed is not enough" in capsys.readouterr().out
    page = (tmp_path / "s/README.md").read_text()
    assert "recall.svg" in page and "**direct**" in page and "R² from DaRec's parts" not in page
    assert all((tmp_path / "s" / f"{name}.svg").is_file() for name in ("recall", "specific"))
    assert call(*words, "--format", "json") == 0
    assert [point["method"] for point in json.loads(capsys.readouterr().out)] == ["none"] + 2 * [
        "direct"
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--strengths", "1,x"], "--strengths '1,x'"),
        (["--methods", "kar"], "no method 'kar' in a sweep"),
        (["--both", "0.9"], "more than 1"),
        (["--seeds", "0"], "--seeds 0"),
        (["--text-only", "1"], "setting 'text_only'"),
    ],
)
def test_sweep_refuses_bad_requests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert message in refused(capsys, "theory", "sweep", "--out", tmp_path / "s", *words)
    assert not (tmp_path / "s").exists()
