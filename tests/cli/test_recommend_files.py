"""recommend --all, --users, --candidates, --exclude, --where, --diversity and --at-most on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import darec
from command_line import call, refused
from darec.data.ingest.id_files import read_ids
from darec.listing.request import Request


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with fields and a run on it."""
    folder = tmp_path_factory.mktemp("shop")
    pairs = [f"u{user},i{(user * 7 + step * step) % 30}" for user in range(20) for step in range(8)]
    (folder / "log.csv").write_text("\n".join(["user_id,item_id", *dict.fromkeys(pairs)]) + "\n")
    items = [
        {"item_id": f"i{n}", "title": f"Thing {n}", "price": n, "tags": [f"t{n % 4}", "all"]}
        for n in range(30)
    ]
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    data = darec.load_dataset(folder / "log.csv", items=folder / "items.jsonl", out=folder / "data")
    darec.fit(data, backbone="mf", epochs=3, out=folder / "run", progress=False)
    return folder


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    capsys.readouterr()
    assert call(*words, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_all_users_into_a_file(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lists.parquet"
    assert call("recommend", shop / "run", "--all", "-k", 4, "--out", out) == 0
    said = capsys.readouterr()
    assert f"80 rows for 20 users in {out}" in said.out and "users a second" in said.out
    assert "recommending to 20 users" in said.err
    run = darec.load_run(shop / "run")
    assert pl.read_parquet(out).equals(run.recommend(k=4).to_polars())
    assert "pass --overwrite" in refused(capsys, "recommend", shop / "run", "--all", "--out", out)
    nowhere = refused(capsys, "recommend", tmp_path / "no-run", "--all", "--out", out)
    assert "pass --overwrite" in nowhere  # before the run is looked at
    again = ["recommend", shop / "run", "--user", "u3", "--out", out, "--overwrite", "--quiet"]
    assert call(*again) == 0 and capsys.readouterr().err == ""
    assert pl.read_parquet(out)["user_id"].unique().to_list() == ["u3"]


def test_files_of_users_candidates_and_pairs(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "users.txt").write_text("u3\n\n u1 \nu99\n")
    (tmp_path / "items.csv").write_text("sku,item_id\n1,i1\n2,i2\n3,new\n4,i3\n5,i4\n")
    (tmp_path / "gone.jsonl").write_text(
        '{"user": "u3", "item": "i2"}\n{"user": "u98", "item": "i1"}\n'
    )
    out = tmp_path / "lists.jsonl"
    files = ["--candidates", tmp_path / "items.csv", "--exclude", tmp_path / "gone.jsonl"]
    words = ["recommend", shop / "run", "--users", tmp_path / "users.txt", *files, "--include-seen"]
    assert call(*words, "--out", out, "--quiet") == 0
    notes = capsys.readouterr().err.splitlines()
    assert (
        f"1 of 3 lines names what the run does not know (first: {tmp_path / 'users.txt'}, line 4"
        in notes[0]
    )
    assert "line 4, item 'new'); they are left out" in notes[1]
    assert "line 2, user 'u98', item 'i1'); these rows exclude nothing" in notes[2]
    rows = pl.read_ndjson(out)
    lists = {user: set(items["item_id"]) for (user,), items in rows.group_by("user_id")}
    assert lists == {"u3": {"i1", "i3", "i4"}, "u1": {"i1", "i2", "i3", "i4"}}
    for name, text in (
        ("a.csv", "user_id\nu3\nu1\n"),
        ("b.txt", "user_id\r\nu3\r\nu1"),
        ("c.tsv", "x\tuid\n1\tu3\n2\tu1\n"),
    ):
        (tmp_path / name).write_text(text)
        assert read_ids(tmp_path / name, "user").ids["user"].to_list() == ["u3", "u1"]
    one = printed(capsys, "recommend", shop / "run", "--user", "u3", *files, "--include-seen")
    assert {row["item_id"] for row in one} == {"i1", "i3", "i4"}


def test_conditions_and_diversity(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["recommend", shop / "run"]
    rows = printed(capsys, *run, "--user", "u1", "--where", "price < 12 and 't1' = any(tags)")
    assert {row["item_id"] for row in rows} <= {"i1", "i5", "i9"}
    rows = printed(capsys, *run, "--liked", "Thing 4", "-k", 30, "--where", "price >= 25")
    assert {row["item_id"] for row in rows} == {f"i{n}" for n in range(25, 30)}
    capped = [*run, "--user", "u1", "-k", 4, "--at-most", 1, "--per", "tags"]
    assert len(printed(capsys, *capped)) == 1  # all have the tag 'all'
    plain = printed(capsys, *run, "--user", "u1", "-k", 8)
    spread = printed(capsys, *run, "--user", "u1", "-k", 8, "--diversity", 0.8)
    assert plain[0] == spread[0] and plain != spread


def test_an_interrupted_file_is_gone_on_with(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["recommend", shop / "run", "--all", "--out", tmp_path / "lists.csv"]

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Request, "top", stopped)
        assert call(*words) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    assert not (tmp_path / "lists.csv").exists()
    assert call(*words) == 0


def test_refusals(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def no(*words: object) -> str:
        return refused(capsys, "recommend", shop / "run", *words)

    out = ["--out", tmp_path / "lists.csv"]
    (tmp_path / "nobody.txt").write_text("nobody\n")
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "bare.csv").write_text("u1\nu2\n")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "name it with --out" in no("--all")
    assert "name users by --user" in no("--all", "--user", "u1", *out)
    assert "name users by --user" in no(*out)
    assert "--out needs" in no("--liked", "i1", *out)
    assert "--overwrite needs" in no("--user", "u1", "--overwrite")
    assert "no user is left" in no("--users", tmp_path / "nobody.txt", *out)
    assert "is empty" in no("--users", tmp_path / "blank.txt", *out)
    assert "no file" in no("--users", tmp_path / "none.txt", *out)
    assert "one column only" in no("--users", tmp_path / "bare.csv", *out)
    assert "it has 'a', 'b': call it 'user_id'" in no("--users", tmp_path / "other.csv", *out)
    assert "no column for the item" in no("--user", "u1", "--candidates", tmp_path / "other.csv")
    assert "no column for the user" in no("--user", "u1", "--exclude", tmp_path / "other.csv")
    assert "no field 'prize': did you mean 'price'" in no("--user", "u1", "--where", "prize < 3")
    assert "need each other" in no("--user", "u1", "--at-most", 3)
    assert "--diversity=2.0" in no("--user", "u1", "--diversity", 2)
    assert "--where cannot be combined with" in no("--about", "thing", "--where", "price < 3")
    assert "--at-most cannot be combined with" in no("--about", "thing", "--at-most", 3)
    assert "these endings" in no("--all", "--out", tmp_path / "lists.xml")
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("lists*"))
