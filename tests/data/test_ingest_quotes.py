"""Quotes in CSV and TSV: which enclose fields, which are characters, and that no row is ever swallowed in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.data.ingest.source import Reading, SourceTable
from darec.data.ingest.tabular import read_table
from darec.errors import DataError


def read(path: Path, content: str, quotes: bool | None = None) -> SourceTable:
    path.write_text(content, newline="")
    return read_table(path, Reading(quotes=quotes))


def notes(table: SourceTable) -> list[str | None]:
    return table.frame["note"].to_list()


# A stray quote opens in the second row and another closes in the fourth.
STRAY = [
    "user{0}item{0}note",
    "u{0}a{0}fine",
    'u{0}b{0}"best',
    "v{0}a{0}so so",
    'v{0}b{0}24"',
    "w{0}a{0}",
]


def test_a_stray_quote_swallows_no_row_of_a_tsv(tmp_path: Path) -> None:
    table = read(tmp_path / "a.tsv", "\n".join(STRAY).format("\t"))
    assert notes(table) == ["fine", '"best', "so so", '24"', None]
    assert table.frame["__line__"].to_list() == [2, 3, 4, 5, 6] and not table.notices


def test_a_stray_quote_in_a_csv_leaves_two_readings(tmp_path: Path) -> None:
    text = "\n".join(STRAY).format(",")
    with pytest.raises(DataError, match=r"a\.csv, line 3: a quote opens here and closes in line 5"):
        read(tmp_path / "a.csv", text)
    assert len(read(tmp_path / "a.csv", text, quotes=False).frame) == 5
    table = read(tmp_path / "a.csv", text, quotes=True)
    assert notes(table) == ["fine", "best\nv,a,so so\nv,b,24", None]
    assert table.frame["__line__"].to_list() == [2, 3, 6]
    assert table.notices == (
        f"{tmp_path / 'a.csv'}: 1 row holds line breaks inside quotes, the longest in lines 3 to 5.",
    )


def test_a_stray_quote_in_the_middle_of_rows(tmp_path: Path) -> None:
    text = 'user,note,item\nu,"best,a\nu,"so, so",b\nv,24",c\n'
    with pytest.raises(
        DataError, match=r"a\.csv, line 2: a quote opens here and closes in line 2|expected after"
    ):
        read(tmp_path / "a.csv", text)
    with pytest.raises(DataError, match=r"a\.csv, line 2: a quote opens here and closes in line 4"):
        read(tmp_path / "a.csv", text.replace('"so, so"', "fine"))


def test_backslashes_that_escape_quotes(tmp_path: Path) -> None:
    """As Spark and MySQL write them; a backslash that ends a field escapes nothing."""
    table = read(tmp_path / "a.csv", 'user,item,note\nu,a,"say \\"hi\\", x"\nv,b,"end \\""\n')
    assert notes(table) == ['say "hi", x', 'end "']
    assert table.notices == (f"{tmp_path / 'a.csv'}: backslashes escape quotes inside fields.",)
    assert notes(read(tmp_path / "a.csv", 'user,item,note\nu,a,"C:\\"\nv,b,"y"\n')) == ["C:\\", "y"]


def test_tabs_make_a_tsv_whatever_the_name(tmp_path: Path) -> None:
    assert notes(read(tmp_path / "a.txt", 'user\titem\tnote\nu\ta\t"x\nv\tb\ty"\n')) == ['"x', 'y"']


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_real_quotes_with_line_breaks_are_read_and_told(tmp_path: Path, suffix: str) -> None:
    mark = "," if suffix == "csv" else "\t"
    text = f'user{mark}item{mark}note\nu{mark}a{mark}"one\n\ntwo{mark} ""three"""\nv{mark}b{mark}\n'
    table = read(tmp_path / f"a.{suffix}", text)
    assert notes(table) == [f'one\n\ntwo{mark} "three"', None]
    assert table.frame["__line__"].to_list() == [2, 5]
    assert "1 row holds line breaks inside quotes, the longest in lines 2 to 4" in table.notices[0]


def test_a_tsv_is_unquoted_only_where_every_quote_encloses_a_field(tmp_path: Path) -> None:
    whole = read(tmp_path / "a.tsv", '"user"\t"item"\tnote\n"u"\ta\t"say ""hi"""\nv\t""\tx\n')
    assert whole.frame.drop("__line__").rows() == [("u", "a", 'say "hi"'), ("v", None, "x")]
    assert whole.columns == ["user", "item", "note"]
    mixed = read(tmp_path / "b.tsv", 'user\titem\tnote\n"u"\ta\t5" disk\n')
    assert mixed.frame.drop("__line__").rows() == [('"u"', "a", '5" disk')]


def test_inches_inside_fields_of_a_csv_are_characters(tmp_path: Path) -> None:
    table = read(tmp_path / "a.csv", 'user,item,note\nu,a,24" wide\nu,"b, c",x\n')
    assert notes(table) == ['24" wide', "x"] and table.frame["item"][1] == "b, c"


@pytest.mark.parametrize("field", ['"never closed', '"a" b', '"a"b"'])
def test_malformed_quotes_of_a_csv_name_the_line_and_the_way_out(
    tmp_path: Path, field: str
) -> None:
    text = f"user,item,note\nu,a,x\nu,b,{field}\nv,a,y\n"
    with pytest.raises(DataError, match=r"line 3: .*or pass quotes=False") as caught:
        read(tmp_path / "a.csv", text)
    assert "or pass --no-quotes if" in caught.value.command_line
    assert notes(read(tmp_path / "a.csv", text, quotes=False)) == ["x", field, "y"]


def test_a_long_field_is_read(tmp_path: Path) -> None:
    long = "x, " * 100_000
    assert notes(read(tmp_path / "a.csv", f'user,item,note\nu,a,"{long}"\n')) == [long]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_rows_of_nothing_and_marks_at_the_end_of_rows(tmp_path: Path, suffix: str) -> None:
    mark = "," if suffix == "csv" else "\t"
    text = "user,item\n\nu,a,\n,,\n  \nv,b,\n,\n".replace(",", mark)
    for quoted in (text, text.replace("v", '"v"')):
        table = read(tmp_path / f"a.{suffix}", quoted)
        assert table.frame.select("user", "item").rows() == [("u", "a"), ("v", "b")]
        assert table.frame["__line__"].to_list() == [3, 6]
    with pytest.raises(DataError, match="line 3: 3 fields where 2"):
        read(tmp_path / f"b.{suffix}", text.replace(f"v{mark}b{mark}", f"v{mark}b{mark}x"))


CELL = st.text(st.sampled_from('ab "\n,\t'), max_size=5)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("uvw"), CELL), min_size=1, max_size=6))
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_no_line_is_lost(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, rows: list[tuple[str, str]]
) -> None:
    """Whatever stands in a file, it is refused, or its rows and their line breaks account for all of its lines."""
    path = tmp_path_factory.getbasetemp() / f"lines.{suffix}"
    mark = "," if suffix == "csv" else "\t"
    text = "\n".join([f"user{mark}note", *(f"{user}{mark}{note}" for user, note in rows)])
    try:
        table = read(path, text)
    except DataError:
        return
    fields = [field for row in table.frame.drop("__line__").rows() for field in row]
    inside = sum((field or "").count("\n") for field in fields)
    blank = sum(not line.strip(f' \t{mark}"') for line in text.split("\n"))
    told = inside == 0 or "line breaks inside quotes" in table.notices[0]
    assert told and len(table.frame) + inside >= text.count("\n") - blank
