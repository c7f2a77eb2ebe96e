"""New items are read as the import reads items; what cannot be used is refused with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from darec.cold import read_new_items
from darec.data.build import import_dataset
from darec.data.dataset import Dataset
from darec.data.growth import grow
from darec.errors import DataError
from darec.testing.worlds import tiny_dataset

LOG = pl.DataFrame({"user_id": ["u", "u", "v"], "item_id": ["a", "b", "a"]})
FIELDS: list[dict[str, Any]] = [
    {"item_id": "a", "name": "Heat", "genres": ["Crime", "Drama"], "year": 1995},
    {"item_id": "b", "name": "Alien", "genres": ["Horror"], "year": 1979},
    {"item_id": "c", "name": "Tron", "genres": [], "year": None},
]


def dataset(**options: Any) -> Dataset:
    return import_dataset(LOG, items=pl.DataFrame(FIELDS[:2], strict=False), **options)


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    "options",
    [{}, {"text_template": "{name} ({year}). {genres}"}, {"text_fields": ("genres", "name")}],
)
def test_texts_are_those_of_an_import_of_all_items(options: dict[str, Any], tmp_path: Path) -> None:
    whole = import_dataset(
        LOG, items=pl.DataFrame(FIELDS, strict=False), keep_cold_items=True, title="name", **options
    )
    row = whole.items.row("c")
    file = written(tmp_path / "new.jsonl", FIELDS[2] | {"extra": 1})
    new = read_new_items(dataset(title="name", **options), file)
    assert (new.ids, new.titles) == (["c"], ["Tron"])
    assert new.texts == [whole.catalogue["text"][row]]
    assert new.title(0) == whole.title(row)


def test_fields_that_no_new_item_has_are_told(tmp_path: Path) -> None:
    file = written(tmp_path / "new.jsonl", {"item_id": "c", "name": "Tron"})
    new = read_new_items(dataset(), file)
    assert new.texts == ["name: Tron"]
    assert new.notices == ("no new item has 'genres': their texts are made without it.",)


def test_the_text_of_an_item_that_was_posted_stands_where_it_has_no_field_of_the_template(
    tmp_path: Path,
) -> None:
    posted = {"item_id": "n", "title": "Pot", "text": "A light pot"}
    file = written(
        tmp_path / "items.jsonl",
        posted,
        posted | {"item_id": "o", "genres": ["Crime"]},
        FIELDS[2] | {"item_id": "p", "genres": ["Drama"]},
    )
    new = read_new_items(dataset(text_template="{name}. {genres}"), file)
    assert new.texts == ["A light pot", "Pot. Crime", "Tron. Drama"]
    assert (new.title(0), new.title(1), new.title(2)) == ("Pot", "Pot", "Tron")
    assert new.notices == (
        "1 new item has no 'genres': the field 'text' is its text.",
        "1 new item has a field 'text' that is not in its text, which is made of 'genres' as in the import: write "
        "the text into these fields.",
    )


def test_a_posted_text_counts_where_the_import_had_titles_alone(tmp_path: Path) -> None:
    shop = import_dataset(LOG, items=pl.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"]}))
    row = {"item_id": "n", "title": "Pot", "text": "A light pot"}
    grown = grow(shop, None, written(tmp_path / "items.jsonl", row))
    assert grown.dataset.catalogue.row(2) == ("n", "Pot", "A light pot")
    assert grown.notices == [
        "1 new item has no text beside the title: the field 'text' is its text."
    ]


def test_a_dataset_without_template_takes_text_as_it_is() -> None:
    frame = pl.DataFrame({"item_id": ["n"], "text": ["theme1 word"]})
    new = read_new_items(tiny_dataset(), frame)
    assert new.texts == ["theme1 word"] and new.title(0) == "theme1 word"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"item_id": "c", "name": "X"}, {"item_id": "a", "name": "Heat"}], "2: item 'a' is already in the catalogue"),
        ([{"item_id": "c", "name": "X"}, {"item_id": "d", "name": " "}], "line 2: item 'd' has no text in 'name', 'g"),
        ([{"item_id": "c", "price": 3}], "made of 'name', 'genres', and the new items have none"),
        ([{"item_id": "c", "name": "X"}, {"item_id": "c", "name": "Y"}], "item 'c' is in line 1 already"),
        ([{"name": "X"}], "no column for the item id"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(
    rows: list[dict[str, Any]], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        read_new_items(dataset(), written(tmp_path / "new.jsonl", *rows))


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read_new_items(dataset(), tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="is empty"):
        read_new_items(dataset(), written(tmp_path / "new.jsonl"))
