"""sweep and ablate as a user calls them: what they print, how they end, and what they refuse."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from command_line import call, refused
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

FAST = ["--set", "train.epochs=2", "--set", "train.eval_every=1", "--threads", "1", "--seeds", "1"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    data = tiny_dataset().save(folder / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    return folder


def test_sweep_prints_what_validation_chooses_and_finds_everything_again(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    words = ["sweep", shop / "data", "--out", shop / "swept", "--backbone", "mf"]
    words += ["--param", "train.lr=0.001,0.02", "--alignment", "none", *FAST]
    assert call(*words) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Sweep of mf + none\n") and "valid recall@20" in shown.out
    assert (
        "▸ chosen by validation." in shown.out and "Validation recall@20 chooses lr=" in shown.out
    )
    assert (
        sum(line.startswith(("[1/2] mf + none, lr=", "[2/2]")) for line in shown.err.splitlines())
        == 2
    )
    for ending in ("json", "md", "tex", "csv", "html"):
        assert (shop / f"swept/comparison.{ending}").stat().st_size > 500, ending
    assert call(*words, "--format", "csv") == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[0] == "2 of 2 runs are finished already."
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert {(row["variant"], row["train.lr"]) for row in rows} == {
        ("lr=0.001", "0.001"),
        ("lr=0.02", "0.02"),
    }


def test_ablate_compares_with_the_base(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ablate", shop / "data", "--out", shop / "ablated", "--backbone", "gccf", *FAST]
    assert call(*words, "--part", "backbone", "--alignment", "none", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [variant["label"] for variant in found["variants"]] == ["base", "self_loops=false"]
    assert found["variants"][1]["gains"] and found["command"].startswith("darec ablate ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep", "--param", "alignment.rhoo=1,2"], "did you mean 'alignment.rho'?"),
        (["sweep", "--param", "lambda=0.1,1"], "add --set alignment.balance=fixed"),
        (["sweep", "--param", "K=2,4", "--seeds", "501"], "2 values with 501 seeds are 1002 runs"),
        (["sweep", "--param", "K=2,4", "--encoder", "minilm"], "no vectors of encoder 'minilm'"),
        (["sweep", "--param", "K=2,4", "--set", "options.seed=1"], "give seeds with --seeds"),
        (["ablate", "--alignment", "none"], "nothing to ablate in alignment 'none'"),
        (["ablate", "--backbone", "lihgtgcn"], "did you mean 'lightgcn'?"),
    ],
)
def test_refusals_come_before_anything_is_written(
    shop: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    command, *rest = words
    out = shop / "refused"
    assert message in refused(capsys, command, shop / "data", "--out", out, *rest)
    assert not out.exists()
