"""A user who has the whole catalogue: trained without, named, and told that nothing is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import call

ITEMS = "abcdef"
LOG = [("all", item, "train") for item in ITEMS] + [
    (user, item, split)
    for user, liked in (("u", "abcd"), ("v", "cdef"))
    for item, split in zip(liked, ("train", "train", "valid", "test"), strict=True)
]


def test_training_goes_on_and_nothing_is_left_to_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("user,item,split\n" + "".join(",".join(row) + "\n" for row in LOG))
    assert call("import", "log.csv", "--out", "d") == 0
    capsys.readouterr()
    settings = ["train.epochs=1", "evaluation.ks=[2]", "train.monitor=recall@2"]
    options = [word for setting in settings for word in ("--set", setting)]
    assert call("train", "d", "--backbone", "mf", "--out", "r", "--quiet", *options) == 0
    assert (
        "user 'all' has all 6 items in training: there is no item as a negative"
        in capsys.readouterr().err
    )
    for form, shown in (("json", "[]"), ("csv", "user_id,rank,item_id,title,score")):
        assert call("recommend", "r", "--user", "all", "-k", "3", "--format", form) == 0
        out, err = capsys.readouterr()
        assert out.strip() == shown
        assert "no item is left to list for user all: they already have every item" in err
    assert (
        call("recommend", "r", "--user", "all", "--user", "u", "-k", "2", "--format", "json") == 0
    )
    out, err = capsys.readouterr()
    assert [row["user_id"] for row in json.loads(out)] == ["u", "u"]
    assert "for 1 of the users, the first 'all'" in err


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (None, "no item of the dataset has text: import it with --items."),
        (
            '{"item_id": "a", "price": 3}\n',
            "items were imported and no field holds words. Import again and name fields",
        ),
    ],
)
def test_encoding_items_without_text_says_what_is_missing(
    items: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("user,item\nu,a\n")
    if items:
        Path("items.jsonl").write_text(items)
    assert (
        call("import", "log.csv", *(["--items", "items.jsonl"] if items else []), "--out", "d") == 0
    )
    assert call("encode", "d", "--quiet") == 2
    assert said in capsys.readouterr().err
