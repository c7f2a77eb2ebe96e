"""The file of answers: damage is passed over and asked again, another format is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from darec.data.dataset import Dataset
from darec.errors import TextError
from darec.text.profiles import Profiler
from darec.text.profiles.store import Answer, AnswerStore
from scripted_server import ScriptedServer

Make = Callable[..., Profiler]


@pytest.mark.parametrize("damage", ["cut", "flip", "noise"])
def test_damaged_lines_are_asked_again(
    damage: str, profiler: Make, server: ScriptedServer, shop: Path
) -> None:
    profiler().run(progress=False)
    file = shop / "profiles/m/answers.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    if damage == "cut":  # as a full disk leaves it
        lines[-1] = lines[-1][:-20]
    elif damage == "flip":
        lines[5] = lines[5].replace(b'"summary": "S ', b'"summary": "T ')
    else:
        lines[5] = b"\x00\xff\n"
    file.write_bytes(b"".join(lines))
    server.requests.clear()
    report = profiler().run(progress=False)
    assert (report.new, report.profiles) == (1, 12) and len(server.requests) == 1
    assert "1 damaged line" in report.notices[-1]
    assert len(AnswerStore(shop / "profiles/m").answers) == 12


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ('{"darec": "profiles", "format": 99}', "has format 99 and this darec reads 1"),
        ('{"user_id": 1}', "line 1: not a file of answers"),
        ("", "line 1: not a file of answers"),
    ],
)
def test_other_files_are_refused_and_left_alone(
    head: str, message: str, profiler: Make, server: ScriptedServer, shop: Path
) -> None:
    file = shop / "profiles/m/answers.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(head + "\n")
    with pytest.raises(TextError, match=message):
        profiler().run(progress=False)
    assert file.read_text() == head + "\n" and not server.requests


def test_the_last_record_of_a_key_counts(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path)
    store.begin()
    failed = Answer("k", "item", "i", "m", None, "bad", 1, 1, 1, "now")
    good = Answer("k", "item", "i", "m", {"summary": "s\u2028"}, None, 1, 1, 1, "now")
    store.add(failed)
    store.add(good)
    assert AnswerStore(tmp_path).answers == {"k": good}
    lines = store.path.read_text().split("\n")
    assert json.loads(lines[0])["format"] == 1 and len(lines) == 4


def test_a_new_import_keeps_the_answers(profiler: Make, shop: Path, server: ScriptedServer) -> None:
    profiler().run(progress=False)
    Dataset.load(shop).save(shop, overwrite=True)
    assert profiler().run(progress=False).reused == 12
