"""Bad input to ``darec import``: one line that says what, where and how to mend it, status 2, nothing left behind."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import command_line
from command_line import call

GOOD = "user_id,item_id,rating\nu1,a,5\nu1,b,3\nu2,a,4\nu2,c,1\nu3,b,2\nu3,c,2\nu3,a,2\n"
ITEMS = '{"item_id": "a", "title": "A x"}\n{"item_id": "b", "title": "B y"}\n{"item_id": "c", "title": "C z"}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text(GOOD)
    Path("items.jsonl").write_text(ITEMS)
    Path("empty").mkdir()
    return tmp_path


def imported(*words: str) -> int:
    return call("import", *words)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """As :func:`command_line.refused`, and nothing is left behind."""
    before = sorted(str(path) for path in Path().rglob("*"))
    line = command_line.refused(capsys, "import", *words, "--out", "out")
    assert sorted(str(path) for path in Path().rglob("*")) == before
    return line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "f.csv is empty"),
        (b"user_id,item_id\n", "f.csv holds no rows"),
        (b"user_id item_id\nu a\n", "line 1: one column only"),
        (
            b"user_id,item_id\nu\xe9,a\n",
            "line 2: byte 0xe9 at offset 17 is not utf-8: name the file's encoding",
        ),
        (
            b"who,item_id\nu,a\n",
            "no column for the user; it has 'who', 'item_id': name it with --user-column",
        ),
        (b"user_id,item_id,rating\nu,a,1\nu2\n", "line 3: 1 field where 3 were expected"),
        (b"user_id,item_id,rating\nu,a,1\nu,b,1,9\n", "line 3: 4 fields where 3 were expected"),
        (b"user_id,item_id\nu,a\n ,b\n", "line 3: no id in column 'user_id'"),
        (b"user_id,item_id,split\nu,a,train\nu,b,tset\n", "line 3: split 'tset'"),
        (b"user_id,item_id,split\nu,a,train\nv,b,test\n", "line 3: user 'v' has no training item"),
    ],
)
def test_interactions(capsys: pytest.CaptureFixture[str], content: bytes, said: str) -> None:
    Path("f.csv").write_bytes(content)
    assert said in refused(capsys, "f.csv")


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (
            b"user_id,item_id,rating\nu,a,1\nu,b,nan\n",
            ["--min-rating", "1"],
            "line 3: rating in column 'rating' is 'nan'",
        ),
        (
            b"user_id,item_id,rating\nu,a,1\nu,b,inf\n",
            ["--min-rating", "1"],
            "line 3: rating in column 'rating' is 'inf'",
        ),
        (
            b"user_id,item_id,rating\nu,a,1\nu,b,good\n",
            ["--min-rating", "1"],
            "line 3: rating in column 'rating' is 'good'",
        ),
        (
            b"user_id,item_id,rating\nu,a,1\nu,b,\n",
            ["--min-rating", "1"],
            "line 3: rating in column 'rating' is nothing",
        ),
        (
            b"user_id,item_id,timestamp\nu,a,1\nu,b,soon\n",
            ["--split", "leave-last-out"],
            "line 3: time in column 'timestamp' is 'soon'",
        ),
        (
            b"user_id,item_id,date\nu,a,1/2/14\n",
            ["--split", "temporal-user", "--time-format", "d.m.Y"],
            "--time-format 'd.m.Y' is not a format",
        ),
        (
            b"user_id,item_id,date\nu,a,1/2/14\n",
            ["--split", "temporal-user", "--time-format", "%d.%m.%Y"],
            "'1/2/14', which does not fit",
        ),
    ],
)
def test_what_the_options_need(
    capsys: pytest.CaptureFixture[str], content: bytes, words: list[str], said: str
) -> None:
    Path("f.csv").write_bytes(content)
    assert said in refused(capsys, "f.csv", *words)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"item_id": "a"\n', "items2.jsonl, line 1: not JSON"),
        ('{"item_id": "a"}\n[1]\n', "items2.jsonl, line 2: not a JSON object"),
        ('{"name": "a"}\n', "no column for the item id; it has 'name'"),
        ('{"item_id": "a"}\n{"item_id": " "}\n', "line 2: no id in column 'item_id'"),
        (
            '{"item_id": "a"}\n{"item_id": "a", "title": "x"}\n',
            "line 2: item 'a' is in line 1 already, with other fields",
        ),
        (ITEMS.replace('"c"', '"q"'), "line 5: 1 item is not in items2.jsonl, the first 'c'"),
        (
            '{"item_id": 1.5}\n',
            "no item of good.csv is in items2.jsonl: ids look like 'a' there and '1.5'",
        ),
    ],
)
def test_items(capsys: pytest.CaptureFixture[str], content: str, said: str) -> None:
    Path("items2.jsonl").write_text(content)
    assert said in refused(capsys, "good.csv", "--items", "items2.jsonl")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.csv"], "no file none.csv"),
        (["good.csv", "--items", "none.jsonl"], "no file none.jsonl"),
        (["good.csv", "--user-column", "usr_id"], "it has 'user_id', 'item_id', 'rating': did you mean 'user_id'?"),
        (["good.csv", "--split", "randm"], "unknown split 'randm': did you mean 'random'?"),
        (["good.csv", "--split", "column"], "no column for the split: name it with --split-column"),
        (["good.csv", "--split", "leave-last-out"], "needs the time"),
        (["good.csv", "--ratios", "a:b"], "--ratios 'a:b'"),
        (["good.csv", "--k-core", "50"], "the 50-core is empty"),
        (["good.csv", "--min-rating", "9"], "no rating reaches 9: lower --min-rating"),
        (["good.csv", "--items", "items.jsonl", "--text-template", "{titel}"], "did you mean 'title'?"),
        (["good.csv", "--items", "items.jsonl", "--text-fields", "titel"], "did you mean 'title'?"),
        (["good.csv", "--unknown-items", "ignore"], "choose from drop, error, keep"),
        (["good.csv", "--encoding", "utf-99"], "no encoding 'utf-99'"),
        (["."], ". holds tables of several kinds (good.csv, items.jsonl)"),
        (["empty"], "a folder without a known data set"),
        (["good.csv", "--ignore-column", "user"], "no column 'user' to ignore in good.csv: did you mean 'user_id'?"),
        (["good.csv", "--header", "u,i"], "good.csv, line 1: 3 fields where 2 were expected"),
    ],
)  # fmt: skip
def test_options(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert said in refused(capsys, *words)


def test_an_existing_folder_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert imported("good.csv", "--out", "out") == 0
    assert "out exists already" in refused(capsys, "good.csv")
    Path("photos").mkdir()
    Path("photos/cat.jpg").touch()
    assert imported("good.csv", "--out", "photos", "--overwrite") == 2
    assert Path("photos/cat.jpg").exists()


def test_a_full_disk_leaves_the_earlier_dataset_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert imported("good.csv", "--out", "out") == 0
    kept = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}

    def full(self: pl.DataFrame, *args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    assert "No space left on device" in refused(capsys, "good.csv", "--overwrite")
    assert {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()} == kept


class Evil:
    """What a pickle may do on loading: here, leave a file behind."""

    def __init__(self, call: tuple[Any, ...]) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "call",
    [
        (os.system, ("touch pwned",)),
        (eval, ("open('pwned', 'w')",)),
        (getattr, ("", "format")),
        (exec, ("open('pwned', 'w')",)),
    ],
)
def test_a_malicious_pickle_is_refused_and_runs_nothing(
    capsys: pytest.CaptureFixture[str], call: tuple[Any, ...], protocol: int
) -> None:
    Path("rlmrec").mkdir()
    Path("rlmrec/trn_mat.pkl").write_bytes(pickle.dumps(Evil(call), protocol))
    line = refused(capsys, "rlmrec")
    assert "is refused, and nothing in it was run" in line
    assert not Path("pwned").exists()


def test_notices_count_what_was_merged_and_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    Path("f.csv").write_text(GOOD + "u1,a,5\nu1,zz,5\n")
    Path("more.jsonl").write_text(ITEMS + '{"item_id": "cold", "title": "D"}\n')
    words = ["f.csv", "--items", "more.jsonl", "--unknown-items", "drop", "--format", "json"]
    assert imported(*words, "--out", "a") == 0
    said = capsys.readouterr().err
    assert "1 repeated interaction merged" in said
    assert "1 interaction with 1 item not in more.jsonl dropped" in said
    assert "1 item without interactions left out" in said
    assert imported(*words, "--keep-cold-items", "--out", "b") == 0
    assert pl.read_parquet("b/items.parquet")["item_id"].to_list() == ["a", "b", "c", "cold"]
