"""recommend for new items and new users, evaluate --cold, and the split: what they print, and how they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import call, refused
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

FAST = ["--set", "train.epochs=6", "--set", "evaluation.ks=[5]", "--threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set imported with cold items, a run on it, and a file of new items."""
    folder = tmp_path_factory.mktemp("shop")
    world = tiny_dataset(n_users=80, n_items=60)
    pairs = world.train.union(world.valid).union(world.test)
    rows = [f"u{u},i{i}" for u, i in zip(pairs.users, pairs.items, strict=True)]
    (folder / "log.csv").write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    (folder / "items.jsonl").write_text("".join(map(line, world.catalogue.to_dicts())))
    (folder / "new.jsonl").write_text(
        "".join(
            line({"item_id": f"n{g}", "title": f"New {g}", "text": f"theme{g} word{g}a"})
            for g in range(4)
        )
    )
    status = call(
        "import", folder / "log.csv", "--items", folder / "items.jsonl", "--out", folder / "data",
        "--split", "cold-items", "--cold-share", "0.3", "--text-fields", "text",
    )  # fmt: skip
    assert status == 0
    assert call("encode", folder / "data", "--encoder", "tfidf") == 0
    parts = ["--backbone", "lightgcn", "--set", "beside.backbone=null"]
    parts += ["--set", "beside.popularity=0.05"]
    assert call("train", folder / "data", "--out", folder / "run", *parts, *FAST) == 0
    return folder


def line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    capsys.readouterr()
    assert call(*words, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_new_items_alone_and_among_the_catalogue(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = ["recommend", shop / "run", "--user", "u2", "--cold-items", shop / "new.jsonl"]
    listed = printed(capsys, *new)
    assert {item["item_id"] for item in listed} == {"n0", "n1", "n2", "n3"}
    assert list(listed[0]) == ["user_id", "rank", "item_id", "title", "score"]
    both = printed(capsys, *new, "--user", "u1", "-k", 2)
    assert [row["user_id"] for row in both] == ["u2", "u2", "u1", "u1"]
    assert printed(capsys, *new, "-k", 2, "--how", "neighbours")[1]["rank"] == 2
    mixed = printed(capsys, *new, "--with-warm", "-k", 30)
    assert {item["new"] for item in mixed} == {True, False}
    assert call(*new, "--with-warm") == 0
    shown = capsys.readouterr()
    assert "times as long on average" in shown.err and "text explains" in shown.err


def test_new_users(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, new = shop / "run", ["--cold-items", shop / "new.jsonl", "-k", 2]
    data = json.loads((shop / "data" / "manifest.json").read_text())
    cold = {*data["cold"]["valid"], *data["cold"]["test"]}
    warm = next(f"Item {i} of group {i % 4}" for i in range(60) if f"i{i}" not in cold)
    assert len(printed(capsys, "recommend", run, "--liked", warm)) == 10
    listed = printed(capsys, "recommend", run, "--liked", f"{warm}, new 1", *new)
    assert "n1" not in {item["item_id"] for item in listed}
    listed = printed(capsys, "recommend", run, "--about", "theme3 word3a", *new)
    assert listed[0]["item_id"] == "n3"
    assert len(printed(capsys, "recommend", run, "--about", "theme3 word3a", "-k", 3)) == 3
    for cold_user, same in (
        (f"liked: {warm}, new 1", ["--liked", f"{warm}, new 1"]),
        ("theme3 word3a", ["--about", "theme3 word3a"]),
    ):
        short = printed(capsys, "recommend", run, "--cold-user", cold_user, *new)
        assert short == printed(capsys, "recommend", run, *same, *new)
    # An item that was held out is new to the run: its own line of the item file will do.
    held = next(iter(sorted(cold)))
    rows = (shop / "items.jsonl").read_text().splitlines()
    (shop / "held.jsonl").write_text(next(r for r in rows if f'"{held}"' in r) + "\n")
    listed = printed(capsys, "recommend", run, "--user", "u1", "--cold-items", shop / "held.jsonl")
    assert [item["item_id"] for item in listed] == [held]


def test_evaluate_cold(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = printed(capsys, "evaluate", shop / "run", "--cold", "-k", 3)
    assert 3 / 9 < figures["test/recall@3"] <= 1  # nine items, a third in a random list
    assert call("evaluate", shop / "run", "--cold", "--split", "valid") == 0
    assert "cold items of the valid split" in " ".join(capsys.readouterr().out.split())
    assert "choose valid or test" in refused(
        capsys, "evaluate", shop / "run", "--cold", "--split", "train"
    )


def test_refusals(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def no(*words: object) -> str:
        return refused(capsys, "recommend", shop / "run", *words)

    user, new = ["--user", "u1", "--cold-items"], shop / "new.jsonl"
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "known.jsonl").write_text((shop / "items.jsonl").read_text())
    (tmp_path / "blank.jsonl").write_text(line({"item_id": "x", "text": " "}))
    assert "no file" in no(*user, tmp_path / "none.jsonl")
    assert "is empty" in no(*user, tmp_path / "empty.jsonl")
    assert "is already in the catalogue" in no(*user, tmp_path / "known.jsonl")
    assert "line 1: item 'x' has no text in 'text'" in no(*user, tmp_path / "blank.jsonl")
    assert "no column 'sku'" in no(*user, new, "--item-id", "sku")
    assert "did you mean 'neighbours'" in no(*user, new, "--how", "neighbour")
    assert "did you mean 'New 1' (n1)" in no("--liked", "Nwe 1", "--cold-items", new)
    assert "--about WORDS" in no("--user", "u1", "--about", "theme1")
    assert "no liked items" in no("--cold-user", "liked:")
    assert "name their file with --cold-items" in no("--user", "u1", "--with-warm")
    assert "--how needs" in no("--user", "u1", "--how", "ridge")
    assert "--item-id needs" in no("--user", "u1", "--item-id", "sku")
    assert "--mask cannot be combined with --cold" in refused(
        capsys, "evaluate", shop / "run", "--cold", "--mask", "train"
    )
    assert "--how needs" in refused(capsys, "evaluate", shop / "run", "--how", "ridge")
    assert "write words that say what the user likes" in no("--about", " ")
    assert "--text-weight needs --about" in no("--user", "u1", "--text-weight", 0.5)
    assert "must be from 0 to 1" in no("--about", "theme1", "--text-weight", 2)
    assert "finds no known word in 'xyzzy'" in no("--about", "xyzzy")
    assert "no liked items" in no("--liked", ",")
    assert "is for the split 'cold-items'" in refused(
        capsys, "import", shop / "log.csv", "--out", tmp_path / "d", "--cold-share", "0.2"
    )


def test_data_that_is_gone_or_cannot_encode(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(shop / "run", tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    new = ["recommend", tmp_path / "run", "--user", "u1", "--cold-items", shop / "new.jsonl"]
    for gone, words in ((str(tmp_path / "gone"), "is no longer at"), (None, "dataset in memory")):
        (tmp_path / "run" / "run.json").write_text(json.dumps(about | {"dataset": gone}))
        message = refused(capsys, *new)
        assert words in message and "with --data" in message
    shutil.copytree(shop / "data", tmp_path / "data")
    new += ["--data", tmp_path / "data"]
    assert call(*new) == 0
    shutil.rmtree(tmp_path / "data" / "text")
    assert "run 'darec encode" in refused(capsys, *new)
    ids = [row["item_id"] for row in map(json.loads, (shop / "items.jsonl").open())]
    np.save(tmp_path / "v.npy", np.eye(60, dtype=np.float32))
    (tmp_path / "v.ids.txt").write_text("\n".join(ids))
    encode_dataset(tmp_path / "data", f"file:{tmp_path / 'v.npy'}", progress=False)
    assert "looks vectors up and cannot encode new texts" in refused(capsys, *new)
