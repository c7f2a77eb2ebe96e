"""``darec encode`` from its command line: the report, and one line and status 2 for bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from command_line import call
from darec.data.dataset import Dataset
from darec.ids.idmap import IdMap
from darec.text import load_text
from darec.types import Interactions

TEXTS = ["red wooden train", "blue wooden boat", None, "board game"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    ids = ["a", "b", "c", "d"]
    splits = [
        Interactions.from_pairs(np.array(users), np.array(items), 2, 4)
        for users, items in (([0, 1], [0, 1]), ([0], [1]), ([1], [3]))
    ]
    catalogue = pl.DataFrame(
        {"item_id": ids, "title": ids, "text": TEXTS},
        schema={"item_id": pl.String, "title": pl.String, "text": pl.String},
    )
    dataset = Dataset(IdMap("user", ["u", "v"]), IdMap("item", ids), *splits, catalogue=catalogue)
    dataset.save(tmp_path / "shop")
    return tmp_path / "shop"


def test_report_as_table_and_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("encode", data, "--encoder", "tfidf", "--set", "dim=2") == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line)
    assert (shown["new"], shown["reused"], shown["dim"]) == ("3", "0", "2")
    assert call("encode", data, "--set", "dim=2", "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    expected = {"encoder": "tfidf", "new": 0, "reused": 3, "missing_items": 1, "items": 4, "dim": 2}
    assert expected.items() <= report.items()
    assert load_text(data).dim == 2


@pytest.mark.parametrize("quiet", [False, True])
def test_quiet_shows_no_progress(data: Path, monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    import darec.text

    asked: list[bool] = []
    real = darec.text.encode_dataset

    def watched(*args: Any, progress: bool = True, **options: Any) -> Any:
        asked.append(progress)
        return real(*args, progress=progress, **options)

    monkeypatch.setattr(darec.text, "encode_dataset", watched)
    arguments = ["encode", data, "--encoder", "tfidf", "--set", "dim=2"]
    assert call(*arguments, *(["--quiet"] if quiet else [])) == 0
    assert asked == [not quiet]


def test_users_and_ids_are_passed_on(
    data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "users.jsonl").write_text('{"user_id": "v", "text": "a train"}\n')
    assert call("encode", data, "--users", tmp_path / "users.jsonl") == 0
    assert load_text(data).user_mask.tolist() == [False, True]
    np.save(tmp_path / "v.npy", np.eye(4, dtype=np.float16))
    (tmp_path / "ids.json").write_text('["d", "c", "b", "a"]')
    spec = f"file:{tmp_path / 'v.npy'}"
    assert call("encode", data, "--encoder", spec, "--ids", tmp_path / "ids.json") == 0
    np.testing.assert_array_equal(load_text(data, spec).items, np.eye(4)[::-1])


def bad_vectors(folder: Path, value: float, rows: int = 4) -> list[str]:
    table = np.ones((rows, 2), np.float32)
    table[1] = value
    np.save(folder / "v.npy", table)
    (folder / "v.ids.txt").write_text("a\nb\nc\nd\n")
    return ["--encoder", f"file:{folder / 'v.npy'}"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("nan", "v.npy, row 1 (id 'b') has NaN or infinity"),
        ("zero", "v.npy, row 1 (id 'b') has only zeros"),
        ("rows", "has 3 rows and"),
        ("absent", "no vectors at"),
        ("encoder", "unknown encoder 'minlm': did you mean 'minilm'?"),
        ("setting", "unknown setting 'dmi' of encoder 'tfidf': did you mean 'dim'?"),
        ("value", "setting 'dim' of encoder 'tfidf': input should be"),
        ("set", "--set 'dim': write KEY=VALUE"),
        ("users", "no file"),
        ("data", "no dataset at"),
    ],
)
def test_bad_input_is_one_line_and_leaves_earlier_vectors(
    case: str,
    message: str,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert call("encode", data) == 0
    before = {p: p.read_bytes() for p in data.rglob("*") if p.is_file()}
    capsys.readouterr()
    arguments = {
        "nan": lambda: bad_vectors(tmp_path, np.nan),
        "zero": lambda: bad_vectors(tmp_path, 0),
        "rows": lambda: bad_vectors(tmp_path, 1, rows=3),
        "absent": lambda: ["--encoder", f"file:{tmp_path / 'absent.npy'}"],
        "encoder": lambda: ["--encoder", "minlm"],
        "setting": lambda: ["--set", "dmi=3"],
        "value": lambda: ["--set", "dim=-1"],
        "set": lambda: ["--set", "dim"],
        "users": lambda: ["--users", tmp_path / "absent.jsonl"],
        "data": lambda: [],
    }[case]()
    place = data.with_name("absent") if case == "data" else data
    assert call("encode", place, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.strip().splitlines()
    assert lines[-1].startswith("darec: error: ") and message in lines[-1]
    assert len(lines) == 1
    after = {p: p.read_bytes() for p in data.rglob("*") if p.is_file()}
    assert after == before
