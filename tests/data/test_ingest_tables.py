"""Tables of interactions: what is read as what, and the line that a refusal names."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from darec.data.build import import_dataset
from darec.data.ingest import Columns, Source, read_source
from darec.data.ingest.columns import USUAL, find_columns
from darec.data.ingest.source import LINE, SourceTable
from darec.data.ingest.tabular import read_table
from darec.errors import ConfigError, DataError


def read(path: Path, content: str | bytes, **columns: str) -> Source:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_source(path, Columns(**columns))


def pairs(source: Source) -> list[tuple[str, str]]:
    return source.frame.select("user", "item").rows()


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).map(
    lambda text: "x" + text.strip()
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
@example([("x^", "x0")])  # begins like a compressed file
@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_any_text_survives_every_format(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, rows: list[tuple[str, str]]
) -> None:
    """Whatever polars or json write, separators, quotes and Unicode line breaks among it, comes back."""
    path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    frame = pl.DataFrame(rows, schema=["user", "item"], orient="row")
    if suffix == "parquet":
        frame.write_parquet(path)
    elif suffix == "jsonl":
        lines = (json.dumps(row, ensure_ascii=False) for row in frame.to_dicts())
        path.write_text("\n".join(lines), encoding="utf-8")
    else:
        frame.write_csv(path, separator="\t" if suffix == "tsv" else ",")
    source = read_source(path, Columns())
    assert pairs(source) == [(user.strip(), item.strip()) for user, item in rows]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_newlines_blank_lines_and_byte_order_marks(tmp_path: Path, newline: str) -> None:
    lines = ["", "user_id,item_id", "", "u,a", "v,b", "", ""]
    source = read(tmp_path / "a.csv", "\ufeff" + newline.join(lines))
    assert pairs(source) == [("u", "a"), ("v", "b")]
    assert source.frame["line"].to_list() == [4, 5]


def test_lines_are_counted_through_quoted_newlines(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", 'user,item,note\nu,a,"1\n2"\nv,b,\n')
    assert source.frame["line"].to_list() == [2, 4]


def test_only_recbole_and_plain_files_keep_quotes(tmp_path: Path) -> None:
    assert pairs(read(tmp_path / "a.csv", 'user,item\n"u","a ""b"""\n')) == [("u", 'a "b"')]
    atomic = read(tmp_path / "a.inter", 'user_id:token\titem_id:token\nu\t"a" b\n')
    assert pairs(atomic) == [("u", '"a" b')]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", 'user,item,x\n"u",a,1\nv,b\n', "line 3: 2 fields where 3"),
        ("a.csv", 'user,item,x\n"u\n",a,1\nv,b,1,2\n', "line 4: 4 fields where 3"),
        ("a.csv", "user,item,x\n\nu,a,1\n\nv,b\n", "line 5: 2 fields where 3"),
        ("a.csv", 'user,item\nu,a\n"v,b\n', "line 3: unexpected end of data: close the quotes"),
        ("a.csv", "user,item,item\nu,a,b\n", "line 1: column 'item' occurs twice"),
        ("a.csv", '"user","item"\n', "a.csv holds no rows below its header"),
        (
            "a.csv",
            "user item\nu a\n",
            "line 1: one column only, although .csv means columns separated by ','",
        ),
        ("a.csv", "user,item,rating\nu,a,\n", "line 2: rating"),
        ("a.csv", "user,item,time\nu,a,5\nu,b,2020-01-01\n", "line 3: time"),
        ("a.csv", "user,item,time\nu,a,2020-01-01\nu,b,2020-13-01\n", "line 3: time"),
        ("a.jsonl", '{"user": 1, "item": [2]}\n', "where an id is expected"),
        ("a.jsonl", '{"user": 1, "item": {"a": 2}}\n', "where an id is expected"),
        ("a.jsonl", '{"user": 1}\n\n{"item": 3}\n', "line 3: no id in column 'user'"),
        ("a.jsonl", '{"user": 1, "item": 2, "rating": NaN}\n', "line 1: rating"),
        ("a.jsonl", '{"user": 1, "item": 2, "rating": [5]}\n', "line 1: rating"),
        ("a.jsonl", '{"user": 1, "item": 2, "split": ["train"]}\n', "where text is expected"),
        ("a.jsonl", '{"user": 1, "item": 2}\n{"user": 1,\n', "line 2: not JSON"),
        ("a.jsonl", '{"user":' + "[" * 100_000, "line 1: not JSON"),
        ("a.parquet", "PAR1", "is not a whole Parquet file"),
        ("a.xlsx", "x", "does not know '.xlsx'"),
        ("a.inter", "user_id\titem_id\nu\ta\n", "line 1: column 'user_id' has no type"),
        ("a.inter", "user_id:token\titem_id:text\nu\ta\n", "column 'item_id:text' has no type"),
        ("a.inter", "user_id:token\titem_id:token\nu\n", "line 2: 1 field where 2"),
    ],
)
def test_refusals_name_the_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / name, content)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "mark"), [("a.tsv", ","), ("a.csv", ";"), ("a.csv", "|"), ("a.txt", "\t")]
)
def test_the_first_line_says_what_separates(tmp_path: Path, name: str, mark: str) -> None:
    source = read(tmp_path / name, f"user{mark}item\nu{mark}a\n")
    assert pairs(source) == [("u", "a")]
    assert source.notices == (f"{tmp_path / name}: columns are separated by {mark!r}.",)


def test_parquet_rows_are_called_rows(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": ["u", " "], "item": ["a", "b"]})
    frame.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"a\.parquet, row 2: no id in column 'user' \(1 such row\)"
    ):
        read_source(tmp_path / "a.parquet", Columns())


def test_a_folder_is_no_table_and_a_dataset_no_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder without tables"):
        read_table(tmp_path)
    (tmp_path / "manifest.json").touch()
    with pytest.raises(DataError, match="is a dataset already"):
        read_source(tmp_path, Columns())


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pl.Series([1, 2]), ["1", "2"]),
        (pl.Series([1.0, 2.5]), ["1", "2.5"]),
        (pl.Series([-3.0, 0.0]), ["-3", "0"]),
        (pl.Series([" a ", "007"]), ["a", "007"]),
        (pl.Series(["x", "y"], dtype=pl.Categorical), ["x", "y"]),
        (pl.Series([2**63, 2**63 + 1], dtype=pl.UInt64), [str(2**63), str(2**63 + 1)]),
    ],
)
def test_ids_are_text(values: pl.Series, ids: list[str]) -> None:
    assert SourceTable.of_frame(pl.DataFrame({"id": values}), "f").ids("id").to_list() == ids


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pl.Series([1.0, float("nan")]), "row 2: no id"),
        (pl.Series([None, "a"]), "row 1: no id"),
        (pl.Series([2.0**53, 1.5]), "beyond 2\\^53"),
        (pl.Series([b"a", b"\xff"]), "where ids are expected"),
    ],
)
def test_what_is_no_id(values: pl.Series, said: str) -> None:
    with pytest.raises(DataError, match=said):
        SourceTable.of_frame(pl.DataFrame({"id": values}), "f").ids("id")


def test_json_ids_keep_all_their_digits(tmp_path: Path) -> None:
    wide = 10**44 + 7
    source = read(
        tmp_path / "a.jsonl", f'{{"user": {wide}, "item": "07"}}\n{{"user": 3, "item": 7}}\n'
    )
    assert pairs(source) == [(str(wide), "07"), ("3", "7")]


@pytest.mark.parametrize(
    "written",
    [
        "2020-01-02T03:04:05Z",
        "2020-01-02 03:04:05",
        "2020-01-02T03:04:05.000",
        "2020-01-02T05:04:05+02:00",
    ],
)
def test_iso_times_alone_and_mixed(tmp_path: Path, written: str) -> None:
    seconds = dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC).timestamp()
    day = dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp()
    alone = read(tmp_path / "a.csv", f"user,item,time\nu,a,{written}\n")
    assert alone.frame["time"].to_list() == [seconds]
    mixed = read(tmp_path / "b.csv", f"user,item,time\nu,a,2020-01-01\nu,b, {written}\n")
    assert mixed.frame["time"].to_list() == [day, seconds]


def test_typed_dates_and_numbers() -> None:
    from darec.data.ingest.interactions import read_interactions

    paris = pl.Series([dt.datetime(2020, 1, 1, 1)]).dt.replace_time_zone("Europe/Paris")
    for values in (pl.Series([dt.date(2020, 1, 1)]), paris, pl.Series([1577836800])):
        frame = pl.DataFrame({"user": [1], "item": [1], "time": values, "stars": [4]})
        source = read_interactions(SourceTable.of_frame(frame, "f"), Columns())
        assert source.frame.select("time", "rating").rows() == [(1577836800.0, 4.0)]


def columns_of(*names: str, **asked: str) -> dict[str, str]:
    frame = pl.DataFrame({LINE: [1], **{name: ["x"] for name in names}})
    return find_columns(SourceTable("f.csv", frame), Columns(**asked))


def test_usual_columns_are_found() -> None:
    assert columns_of(
        "reviewerID", "parent_asin", "asin", "overall", "unixReviewTime", "Split"
    ) == {
        "user": "reviewerID",
        "item": "parent_asin",
        "rating": "overall",
        "time": "unixReviewTime",
        "split": "Split",
    }
    for kind, usual in USUAL.items():
        others = {"user": "user", "item": "item"} | {kind: usual[-1].upper()}
        assert columns_of(*others.values())[kind] == usual[-1].upper()


def test_columns_by_name_and_their_refusals() -> None:
    found = columns_of("who", "what", "item", user="who", item="what")
    assert found == {"user": "who", "item": "what"}
    with pytest.raises(DataError, match=r"f\.csv: no column for the user; it has 'who', 'item'"):
        columns_of("who", "item")
    with pytest.raises(
        DataError, match=r"no column 'ratnig' for the rating.*did you mean 'rating'"
    ):
        columns_of("user", "item", "rating", rating="ratnig")
    with pytest.raises(ConfigError, match="both user and item"):
        columns_of("user", "item", user="item")


def test_recbole_columns_by_name(tmp_path: Path) -> None:
    header = "who:token\tvideo:token\tlabel:float\n"
    source = read(
        tmp_path / "a.inter", header + "u\ta\t1\n", user="who", item="video", rating="label"
    )
    assert source.frame.row(0, named=True) == {"user": "u", "item": "a", "rating": 1.0, "line": 2}
    with pytest.raises(DataError, match="no column 'which' for the item"):
        read_source(tmp_path / "a.inter", Columns(user="who", item="which"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ratings.dat", "1::2::5\n", "ratings.dat, line 1: 3 fields where 4"),
        ("ratings.dat", "1::2::5::9\n1::3::x::9\n", "ratings.dat, line 2: rating"),
        ("ratings.dat", "1::2::inf::9\n", "ratings.dat, line 1: rating"),
        ("ratings.dat", "1\t2\t5\t9\n", "separated by tabs"),
        ("movies.dat", "2::Heat\n", "movies.dat, line 1: 2 fields where 3"),
        (
            "movies.dat",
            "2::Heat::Crime\n2::Heat::Drama\n",
            "movies.dat, line 2: item '2' is in line 1 already",
        ),
        ("movies.dat", "", "movies.dat is empty"),
    ],
)
def test_movielens_refusals(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / "ratings.dat").write_text("1::2::5::9\n")
    (tmp_path / "movies.dat").write_text("2::Heat::Crime\n")
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        import_dataset(tmp_path, min_rating=1)
    (tmp_path / "movies.dat").unlink()
    with pytest.raises(DataError, match="the MovieLens folder is not complete"):
        (tmp_path / "ratings.dat").write_text("1::2::5::9\n")
        read_source(tmp_path, Columns())


def test_the_count_of_fields_agrees_with_a_plain_count(tmp_path: Path) -> None:
    """Lines with random numbers of fields: the first that does not fit is named."""
    random = np.random.default_rng(0)
    for trial in range(30):
        lines = ["user,item,x", *("u,i,1" + ",2" * int(random.random() < 0.1) for _ in range(20))]
        wrong = [n for n, line in enumerate(lines, 1) if line.count(",") != 2]
        path = tmp_path / f"{trial}.csv"
        if not wrong:
            assert len(read(path, "\n".join(lines)).frame) == 20
            continue
        with pytest.raises(DataError, match=f"line {wrong[0]}: 4 fields where 3"):
            read(path, "\n".join(lines))
