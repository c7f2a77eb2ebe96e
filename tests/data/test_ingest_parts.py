"""Folders: parts of one table, RecBole's benchmark files, MovieLens as CSV; and files without a header."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import polars as pl
import pytest

from darec.data.build import import_dataset
from darec.data.ingest import Columns, Reading, Source, read_source
from darec.errors import ConfigError, DataError


def rows(source: Source) -> list[tuple[str, str]]:
    return source.frame.select("user", "item").rows()


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """What Spark leaves behind: parts of which one is empty and one has a header only, and files that are no data."""
    folder = tmp_path / "log.csv"
    folder.mkdir()
    (folder / "part-0.csv").write_text("user,item,note\nu,a,x\n\nu,b,\n")
    (folder / "part-1.csv").write_text("")
    (folder / "part-2.csv").write_text("user,item,note\n")
    (folder / "part-3.csv.gz").write_bytes(gzip.compress(b"item,user\nc,v\n"))
    (folder / "part-4.csv").write_text("item,user,more\nd,v,7\n")
    for name in ("_SUCCESS", ".part-0.csv.crc", "README"):
        (folder / name).write_text("x")
    return folder


def test_parts_are_one_table_by_the_names_of_columns(parts: Path) -> None:
    source = read_source(parts, Columns())
    assert rows(source) == [("u", "a"), ("u", "b"), ("v", "c"), ("v", "d")]
    assert [source.at(line) for line in source.frame["line"]] == [
        f"{parts / 'part-0.csv'}, line 2", f"{parts / 'part-0.csv'}, line 4", f"{parts / 'part-3.csv.gz'}, line 2",
        f"{parts / 'part-4.csv'}, line 2",
    ]  # fmt: skip
    assert (
        "2 parts have other columns than part-0.csv (the first is part-3.csv.gz)"
        in source.notices[0]
    )
    dataset = import_dataset(parts)
    assert [one["file"] for one in dataset.manifest["sources"]] == [
        "part-0.csv",
        "part-3.csv.gz",
        "part-4.csv",
    ]


def test_what_is_wrong_in_a_part_is_named_there(parts: Path) -> None:
    (parts / "part-4.csv").write_text("item,user\nd,v\n,v\n")
    with pytest.raises(DataError, match=r"part-4\.csv, line 3: no id in column 'item'"):
        read_source(parts, Columns())
    (parts / "part-4.csv").write_text("v,d\nw,e\n")
    with pytest.raises(
        DataError, match=r"part-4\.csv: none of its columns \('v', 'd'\) is one of .*part-0"
    ):
        read_source(parts, Columns())
    (parts / "items.jsonl").write_text('{"item_id": "a"}\n')
    with pytest.raises(
        DataError, match=r"holds tables of several kinds \(items\.jsonl, part-0\.csv"
    ):
        read_source(parts, Columns())


def test_parts_of_parquet_and_json_with_other_types(tmp_path: Path) -> None:
    pl.DataFrame({"user": [1, 2], "item": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"user": ["07"], "item": ["c"]}).write_parquet(tmp_path / "b.parquet")
    pl.DataFrame({"user": [3.0], "item": ["d"], "time": [5]}).write_parquet(tmp_path / "c.parquet")
    source = read_source(tmp_path, Columns(), Reading(wanted=()))
    assert rows(source) == [
        ("1", "a"),
        ("2", "b"),
        ("07", "c"),
        ("3", "d"),
    ]


def test_items_may_be_parts_too(tmp_path: Path) -> None:
    (tmp_path / "0.jsonl").write_text('{"item_id": "a", "title": "A", "tags": ["x"]}\n')
    (tmp_path / "1.jsonl").write_text(
        '{"item_id": "b", "tags": "y"}\n{"item_id": "a", "title": "Z"}\n'
    )
    log = pl.DataFrame({"user": ["u", "u"], "item": ["a", "b"]})
    with pytest.raises(
        DataError, match=r"1\.jsonl, line 2: item 'a' is in .*0\.jsonl, line 1 already"
    ):
        import_dataset(log, items=tmp_path)
    (tmp_path / "1.jsonl").write_text('{"item_id": "b", "tags": "y"}\n')
    dataset = import_dataset(log, items=tmp_path)
    assert dataset.catalogue["text"].to_list() == ["title: A; tags: x", "tags: y"]


def test_folders_that_hold_no_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder without a known data set"):
        read_source(tmp_path, Columns())
    (tmp_path / "part-0.csv").touch()
    with pytest.raises(DataError, match="none of its parts holds rows"):
        read_source(tmp_path, Columns())


def test_recbole_benchmark_files_are_the_split(tmp_path: Path) -> None:
    for split, pairs in (("train", "u\ta\nv\tb\n"), ("valid", "u\tb\n"), ("test", "v\ta\n")):
        (tmp_path / f"shop.{split}.inter").write_text(f"user_id:token\titem_id:token\n{pairs}")
    (tmp_path / "shop.item").write_text(
        "item_id:token\tclass:token_seq\na\tDrama Comedy\nb\tCrime\n"
    )
    dataset = import_dataset(tmp_path)
    assert [len(dataset.split(name)) for name in ("train", "valid", "test")] == [2, 1, 1]
    assert dataset.catalogue["text"].to_list() == ["Drama Comedy", "Crime"]
    assert len(import_dataset(tmp_path, split="random").train) == 4
    alone = import_dataset(tmp_path / "shop.train.inter")
    assert alone.catalogue["text"].to_list() == ["Drama Comedy", "Crime"]
    assert (
        "was read alone: name its folder to read shop.test.inter, shop.valid.inter as"
        in (alone.manifest["notices"][0])
    )
    (tmp_path / "shop.valid.inter").write_text("user_id:token\titem_id:token\nu\tb\n \tb\n")
    with pytest.raises(DataError, match=r"shop\.valid\.inter, line 3: no id"):
        import_dataset(tmp_path)
    (tmp_path / "shop.inter").write_text("user_id:token\titem_id:token\nu\tb\n")
    with pytest.raises(DataError, match=r"several \.inter files .* not NAME\.train\.inter"):
        import_dataset(tmp_path)


def test_movielens_as_csv(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n1,7,4.0,9\n1,8,0.5,10\n"
    )
    (tmp_path / "movies.csv").write_text(
        'movieId,title,genres\n7,"American, The",Drama|War\n8,Heat,Crime\n'
    )
    (tmp_path / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,7,x,9\n")
    dataset = import_dataset(tmp_path, min_rating=4)
    assert dataset.catalogue["text"].to_list() == ["title: American, The; genres: Drama, War"]
    with pytest.raises(ConfigError, match="columns of this folder are fixed"):
        read_source(tmp_path, Columns(user="userId"))


ROWS = "u,a,5.0,1092182400\nu,b,4.0,1092182401\nv,a,3.0,1092182402\n"


def test_a_file_without_a_header_loses_no_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(ROWS)
    for columns in (Columns(), Columns(user="u", item="a")):
        with pytest.raises(
            DataError, match=r"a\.csv, line 1 looks like a row .*'5\.0' is not a name"
        ) as caught:
            read_source(path, columns)
        assert "with --header, for example" in caught.value.command_line
    reading = Reading(header=("user", "item", "rating", "time"))
    for text in (ROWS, ROWS.replace("v,", '"v",'), "user,item,rating,time\n" + ROWS):
        path.write_text(text)
        source = read_source(path, Columns(), reading)
        assert rows(source) == [("u", "a"), ("u", "b"), ("v", "a")]
        assert bool(source.notices) == text.startswith("user")
    path.write_text("u,a\nu,b\nv,a\n")
    with pytest.raises(DataError, match=r"looks like a row .*'u' is not a name"):
        read_source(path, Columns(user="u", item="a"))


@pytest.mark.parametrize(
    "header",
    ["0,1,2", "who,what,when", "user,item,2020", "USER ID,Item-Id,1999-01-01", ",who,what"],
)
def test_headers_that_are_no_rows(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\nu,i,5\nv,j,6\n")
    names = [name.strip() for name in header.split(",")]
    named = Columns(user=names[0] or "column 1", item=names[1])
    assert rows(read_source(tmp_path / "a.csv", named)) == [("u", "i"), ("v", "j")]


def test_an_items_file_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("a,Pan\nb,Pot\n")
    log = pl.DataFrame({"user": ["u", "u"], "item": ["a", "b"]})
    with pytest.raises(DataError, match="no column for the item id; it has 'a', 'Pan'"):
        import_dataset(log, items=tmp_path / "i.csv")
    with pytest.raises(
        DataError, match="'a' is an item of the table of interactions and not the name of a column"
    ):
        import_dataset(log, items=tmp_path / "i.csv", item_id="a")


def test_headers_again_and_names_that_stand_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("user,item,x,x,\nu,a,1,2,\nuser,item,x,x,\nuser,b,1,2,\n")
    source = read_source(path, Columns())
    assert rows(source) == [("u", "a"), ("user", "b")]
    assert source.notices == (
        f"{path}: 1 line that repeats the header was left out, the first is line 3.",
    )
    assert source.names == ("user", "item", "x", "x (4)", "column 5")
    with pytest.raises(DataError, match="line 1: column 'x' occurs twice"):
        read_source(path, Columns(rating="x"))


@pytest.mark.parametrize(
    ("name", "values", "notice"),
    [
        (
            "label",
            [0, 1, 0],
            "2 of 3 interactions have a 'label' of 0 or less .*--rating-column label --min-rating 1 leaves",
        ),
        ("is_click", ["false", "True", "false"], "2 of 3 .* a 'is_click' of 0"),
        ("rating", [-1, 0.5, 4.5], "1 of 3 .* 'rating' .*--min-rating 0.5 leaves"),
        (
            "rating",
            ["0", "", None],
            "1 of 3 interactions has a 'rating' of 0 or less and counts as positive all the same",
        ),
        ("rating", [1, 2, 3], None),
        ("label", ["yes", "no", "no"], None),
    ],
)
def test_zeros_among_positives_are_told(
    name: str, values: list[object], notice: str | None
) -> None:
    frame = pl.DataFrame(
        {"user": ["u"] * 3, "item": list("abc"), name: pl.Series(values, strict=False)}
    )
    notices = import_dataset(frame).manifest["notices"]
    assert len(notices) == (notice is not None)
    if notice is not None:
        assert re.search(notice, notices[0])
    assert import_dataset(frame, ignore_columns=(name,)).manifest["notices"] == []
    if name in ("label", "is_click") and notice:
        assert import_dataset(frame, min_rating=1).items.texts == ["b"]


def test_ids_that_are_seldom_meant_are_told() -> None:
    frame = pl.DataFrame({"user": ["NULL", "7"], "item": ["1.23E+11", "4.5e+12"]})
    notices = import_dataset(frame).manifest["notices"]
    assert notices[0].startswith(
        "read as ids of users: 'NULL'. If they mean that the id is missing"
    )
    assert (
        "2 item ids look like '1.23E+11': a spreadsheet writes long numbers in this form"
        in notices[1]
    )
