"""Ids and titles that would steer a terminal, draw markup or run in a spreadsheet, through every listing."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from command_line import call
from darec.testing.worlds import tiny_dataset

EVIL = ("\x1b[2J", "\x9b31m", "\x07", "\u202e", "\u2066", "[bold]", "[/]", ":bug:", "\r")
FAST = ["--set", "train.epochs=1", "--threads", "1", "--quiet"]
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def evil(kind: str, row: int) -> str:
    return f"={EVIL[row % len(EVIL)]}{kind}{row}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    world = tiny_dataset(40, 36)
    rows = [
        {"user_id": evil("u", int(user)), "item_id": evil("i", int(item)), "split": name}
        for name in ("train", "valid", "test")
        for user, item in zip(world.split(name).users, world.split(name).items, strict=True)
    ]
    items = [
        {
            "item_id": evil("i", row),
            "title": evil("t", row),
            "text": f"{evil('w', row)} word{row % 5} here",
        }
        for row in range(36)
    ]
    for name, records in (("log", rows), ("items", items)):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text(lines)
    return folder


@pytest.fixture(scope="module")
def run(shop: Path) -> Path:
    words = ["import", shop / "log.jsonl", "--items", shop / "items.jsonl", "--out", shop / "data"]
    assert call(*words, "--text-fields", "text", "--title", "title") == 0
    assert call("encode", shop / "data", "--set", "dim=4", "--quiet") == 0
    words = ["train", shop / "data", "--alignment", "direct", "--out", shop / "run", *FAST]
    assert call(*words) == 0
    return shop / "run"


def commands(shop: Path) -> list[list[object]]:
    run, data = shop / "run", shop / "data"
    return [
        ["recommend", run, "--user", evil("u", 0)],
        ["recommend", run, "--user", evil("u", 0), "--format", "json"],
        ["recommend", run, "--user", evil("u", 0), "--format", "csv"],
        ["recommend", run, "--liked", evil("i", 1)],
        ["recommend", run, "--about", f"word1 {EVIL[0]}"],
        ["recommend", run, "--user", f"nobody{EVIL[0]}"],
        ["recommend", run, "--liked", f"nothing{EVIL[1]}"],
        ["similar", run, "--item", evil("i", 3)],
        ["similar", run, "--item", f"none{EVIL[3]}"],
        ["profile", data, "--model", "m", "--base-url", "http://127.0.0.1:1/v1", "--dry-run"],
        ["text-report", data, "--quiet"],
        ["evaluate", run],
        ["import", shop / "log.jsonl", "--items", shop / "items.jsonl", "--out", shop / "other", "--k-core", "3"],
        ["import", shop / f"none{EVIL[0]}.csv", "--out", shop / "other2"],
        ["train", data, "--out", shop / "r2", "--set", f"train.epochs={EVIL[2]}x"],
        ["train", data, "--out", shop / "r2", "--backbone", f"mf{EVIL[0]}"],
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(16))
def test_nothing_reaches_the_terminal_raw(
    shop: Path, run: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = commands(shop)[number]
    capsys.readouterr()
    assert call(*words) in (0, 2)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert not RAW.search(text), (words, RAW.search(text))
    assert "Traceback" not in printed.err


def test_the_lists_hold_what_the_data_holds(
    shop: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["similar", run, "--item", evil("i", 3), "-k", "35", "--format"]
    assert call(*words, "json") == 0
    told = {row["item_id"] for row in json.loads(capsys.readouterr().out)}
    assert told == {evil("i", row) for row in range(36)} - {evil("i", 3)}
    assert call(*words, "csv", "--no-safe-csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert {row["item_id"] for row in rows} == told
    assert call(*words, "csv") == 0
    safe = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert all(row["item_id"].startswith("'=") and row["title"].startswith("'=") for row in safe)
    np.testing.assert_array_equal([row["score"] for row in safe], [row["score"] for row in rows])
    assert call(*words, "table") == 0
    shown = capsys.readouterr().out
    assert "[bold]" in shown and ":bug:" in shown and r"\x1b[2J" in shown
