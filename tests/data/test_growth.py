"""A dataset that grows: rows stay, what is new is appended, what is not added is counted and told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import darec
from darec.data.dataset import SPLITS, Dataset
from darec.data.growth import grow
from darec.data.ingest import Columns
from darec.errors import ConfigError, DataError

ITEMS = pl.DataFrame(
    {"item_id": ["a", "b", "c"], "title": ["Ax", "Bow", "Cup"], "price": [1, 2, 3]}
)


@pytest.fixture
def shop() -> Dataset:
    """Six pairs, of which three are held out."""
    columns = {"user_id": ["u1", "u1", "u2", "u2", "u3", "u3"], "item_id": list("abbcac")}
    return darec.load_dataset(pl.DataFrame({**columns, "split": ["train", "test"] * 3}), ITEMS)


def pairs(dataset: Dataset, *splits: str) -> set[tuple[str, str]]:
    return {
        (dataset.users.texts[user], dataset.items.texts[item])
        for name in splits or SPLITS
        for user, item in zip(
            *(getattr(dataset.split(name), kind) for kind in ("users", "items")), strict=True
        )
    }


def test_what_is_there_keeps_its_row_and_its_split(shop: Dataset) -> None:
    new = [("u0", "a"), ("u1", "aa"), ("u9", "b"), ("u1", "c")]
    found = grow(shop, new, [{"item_id": "aa", "title": "Anvil", "price": 9}])
    grown = found.dataset
    assert grown.users.texts == ["u1", "u2", "u3", "u0", "u9"]
    assert grown.items.texts == ["a", "b", "c", "aa"] == grown.catalogue["item_id"].to_list()
    assert pairs(grown, "test") == pairs(shop, "test")
    assert pairs(grown, "train") == pairs(shop, "train") | set(new)
    assert grown.title(3) == "Anvil" and grown.fields.columns(["price"])["price"].to_list() == [
        1,
        2,
        3,
        9,
    ]
    assert [shop.users.texts[row] for row in found.users] == ["u1"]
    assert (
        found.counts["new_interactions"],
        found.counts["new_users"],
        found.counts["new_items"],
    ) == (4, 2, 1)
    assert found.notices == []


def test_repeats_and_known_pairs_of_any_split_are_counted(shop: Dataset) -> None:
    held_out = next(iter(pairs(shop, "test")))
    known = next(iter(pairs(shop, "train")))
    found = grow(shop, [held_out, known, ("u1", "c"), ("u1", "c")])
    assert found.counts["repeats_merged"] == 1 and found.counts["known_pairs"] == 2
    assert pairs(found.dataset) - pairs(shop) == {("u1", "c")}
    assert pairs(found.dataset, "test") == pairs(shop, "test")
    again = grow(found.dataset, [held_out, known, ("u1", "c")])
    assert again.dataset.fingerprint() == found.dataset.fingerprint()
    assert again.counts["new_interactions"] == 0


def test_items_without_text_are_left_out_and_told_or_kept(shop: Dataset) -> None:
    new, items = [("u1", "x"), ("u9", "x"), ("u1", "c")], [{"item_id": "y", "price": 4}]
    items[0]["title"] = ""  # type: ignore[assignment]
    dropped = grow(shop, new, items)
    assert dropped.dataset.items.texts == shop.items.texts
    assert dropped.dataset.users.texts == shop.users.texts  # u9 has nothing else
    assert (
        "2 new items have no text, the first 'y', 'x': left out with 2 interactions"
        in dropped.notices[-1]
    )
    kept = grow(shop, new, items, unknown_items="keep")
    assert kept.dataset.items.texts == ["a", "b", "c", "x", "y"]
    assert {("u1", "x"), ("u9", "x")} <= pairs(kept.dataset)
    with pytest.raises(DataError, match="row 1: 2 new items have no text"):
        grow(shop, new, items, unknown_items="error")
    bare = darec.load_dataset([("u1", "a"), ("u1", "b"), ("u1", "c")])
    assert "x" in grow(bare, [("u1", "x")]).dataset.items


def test_known_items_keep_their_text_and_get_new_fields(shop: Dataset) -> None:
    found = grow(
        shop,
        items=[
            {"item_id": "b", "title": "Long bow", "price": 2.5, "stock": True},
            {"item_id": "d", "title": "Drum", "price": 4.0, "stock": False},
        ],
    )
    fields = found.dataset.fields.columns(["title", "price", "stock"])
    assert fields["title"].to_list() == ["Ax", "Bow", "Cup", "Drum"]
    assert fields["price"].to_list() == [1.0, 2.5, 3.0, 4.0]
    assert fields["stock"].to_list() == [None, True, None, False]
    assert (
        found.counts["changed_texts"] == 1
        and "the first 'b': the earlier ones stay" in found.notices[0]
    )
    assert found.counts["new_interactions"] == 0 and len(found.users) == 0
    with pytest.raises(DataError, match="field 'price' holds String here and Int64 in the dataset"):
        grow(shop, items=[{"item_id": "b", "title": "Bow", "price": "cheap"}])


def test_files_are_read_as_the_import_read_its_own(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text(
        "who,what,stars\n" + "".join(f"{u},{i},5\n" for u in "xyz" for i in "abcd")
    )
    columns = {"user": "who", "item": "what", "rating": "stars"}
    shop = darec.load_dataset(
        tmp_path / "old.csv", columns=columns, min_rating=4, out=tmp_path / "data"
    )
    new = tmp_path / "new.csv"
    new.write_text("stars,what,who,item_id\n5,e,x,1\n3,f,x,2\n4,a,w,3\n")
    found = grow(shop, new)
    assert pairs(found.dataset) - pairs(shop) == {("x", "e"), ("w", "a")}
    assert any("1 interaction rated below 4" in told for told in found.notices)
    assert found.dataset.manifest["sources"][-1]["file"] == "new.csv"
    new.write_text("user_id,item_id,rating\nx,e,5\n")  # other names, but usual ones
    assert ("x", "e") in pairs(grow(shop, new).dataset)
    new.write_text("a,b,c\nx,e,5\n")
    with pytest.raises(DataError, match="no column for the user"):
        grow(shop, new)
    named = grow(shop, new, columns=Columns(user="a", item="b", rating="c"))
    assert ("x", "e") in pairs(named.dataset)
    for text, told in (
        ("who,what,stars\n", "new.csv"),
        ("who,what,stars\nx,,5\n", "line 2: no id in column 'what'"),
        ("who,what,stars\nx,e,many\n", "line 2: rating in column 'stars'"),
        ("who,what\nx,e\n", "this file has no ratings"),
    ):
        new.write_text(text)
        with pytest.raises(DataError, match=told):
            grow(shop, new)


def test_what_cannot_be_grown_is_refused(shop: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name new interactions, or new items"):
        grow(shop)
    with pytest.raises(ConfigError, match="choose from drop, keep, error"):
        grow(shop, [("u1", "c")], unknown_items="guess")
    with pytest.raises(DataError, match="holds cold items out of training"):
        grow(replace(shop, cold={"valid": None}), [("u1", "c")])  # type: ignore[dict-item]
    with pytest.raises(DataError, match=r"no file .*gone\.csv"):
        grow(shop, tmp_path / "gone.csv")
    items = tmp_path / "items.jsonl"
    items.write_text(json.dumps({"item_id": "d", "label": "Drum"}) + "\n")
    with pytest.raises(DataError, match="name their fields as in the import"):
        grow(shop, items=items)


def test_ids_keep_their_type() -> None:
    shop = darec.load_dataset([(1, 10), (1, 11), (1, 12), (2, 10), (2, 11), (2, 12)])
    grown = grow(shop, [(3, 10), (1, 13)]).dataset
    assert grown.users.ids == [1, 2, 3] and grown.items.ids == [10, 11, 12, 13]
