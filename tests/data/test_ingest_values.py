"""Values of JSON by their own type: ids, texts, missing values, and HTML in texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.data.build import import_dataset
from darec.data.ingest import Columns, read_source
from darec.data.ingest.values import scalar, words
from darec.errors import DataError

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (NAN, None),
        (float("inf"), None),
        ("NaN", "NaN"),
        ("", ""),
        (0, "0"),
        (12.0, "12"),
        (-0.5, "-0.5"),
        (True, "true"),
        (False, "false"),
        (10**30, str(10**30)),
        (1e300, "1e+300"),
        (b"a\xff", "a\ufffd"),
    ],
)
def test_scalars(value: Any, text: str | None) -> None:
    assert scalar(value) == text


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ([["Books", None], ["Science", [1984]]], "Books, Science, 1984"),
        ({"en": "tin", "fr": NAN, "size": {"cm": 3.0}}, "en: tin, size: cm: 3"),
        ([True, NAN, " x "], "true, x"),
        ("Pots &amp; pans", "Pots & pans"),
        ("&lt;b&gt;Bold&lt;/b&gt;&nbsp;&#39;n&#x27; more", "Bold 'n' more"),
        ("Tom &amp;amp; Jerry", "Tom & Jerry"),
        ("<p>One</p><br/>two<a href='x'>three</a>", "One two three"),
        ("a<!-- no --> b <script>if (a < b) {}</script><style>p {}</style>c", "a b c"),
        ("AT&T R&D Q&A; 5 < 6 > 4 <3 &copy 3", "AT&T R&D Q&A; 5 < 6 > 4 <3 &copy 3"),
        ("List<String>, vector<int> & <unknown>", "List<String>, vector<int> & <unknown>"),
        ("&unknown; &;&#;", "&unknown; &;&#;"),
    ],
)
def test_words(value: Any, line: str) -> None:
    assert words(value) == line


@given(
    st.lists(
        st.sampled_from(
            [
                "&",
                "amp;",
                "lt;",
                "#38;",
                "<",
                "b",
                ">",
                "/",
                "<!--",
                "-->",
                " ",
                "\x00",
                "\u200b",
                "x",
            ]
        )
    )
)
def test_words_of_words_are_the_same_words(parts: list[str]) -> None:
    line = words("".join(parts))
    assert words(line) == line


@pytest.mark.parametrize(
    "part", ["&", "&amp;", "amp;", "#38;", "<!--", "<script>", "<a ", "<b", "-->"]
)
def test_hostile_html_is_read_in_time(part: str) -> None:
    words("&" + part * 20_000)


def read(path: Path, *records: Any) -> Any:
    path.write_text("\n".join(json.dumps(record) for record in records))
    return read_source(path, Columns())


def test_ids_of_mixed_types(tmp_path: Path) -> None:
    users = [7, "07", 12.0, 10**30, " x ", 2.5]
    source = read(tmp_path / "a.jsonl", *({"user": user, "item": "i"} for user in users))
    assert source.frame["user"].to_list() == ["7", "07", "12", str(10**30), "x", "2.5"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (NAN, r"line 2: no id in column 'user' \(1 such"),
        (None, "line 2: no id"),
        ("", "line 2: no id"),
        ([1], r"line 2: column 'user' holds \[1\] where an id is expected"),
        ({"a": 1}, r"line 2: column 'user' holds \{'a': 1\} where an id is expected"),
        (True, "line 2: column 'user' holds True where an id is expected"),
        (2.0**60, r"line 2: .* beyond 2\^53"),
    ],
)
def test_what_is_no_id_among_ids(tmp_path: Path, bad: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path / "a.jsonl", {"user": "u", "item": "i"}, {"user": bad, "item": "i"})


def test_ratings_of_mixed_types(tmp_path: Path) -> None:
    values = [5, "4.5", True, "false", 3.0, " 2 "]
    source = read(
        tmp_path / "a.jsonl", *({"user": "u", "item": n, "rating": v} for n, v in enumerate(values))
    )
    assert source.frame["rating"].to_list() == [5, 4.5, 1, 0, 3, 2]


def texts(*items: dict[str, Any], **options: Any) -> tuple[list[str | None], list[str]]:
    """The items' texts and the import's notices; ids are numbers from 0."""
    log = pl.DataFrame({"user": ["u"] * len(items), "item": [str(n) for n in range(len(items))]})
    table = [{"item_id": str(n), **item} for n, item in enumerate(items)]
    dataset = import_dataset(log, items=table, **options)
    return dataset.catalogue["text"].to_list(), dataset.manifest["notices"]


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        ("tin", "tin"),
        (["tin", "Café"], "tin, Café"),
        ({"en": "tin"}, "en: tin"),
        (1984, "1984"),
        (19.5, "19.5"),
        (True, "true"),
        ([["a"], ["b", 2]], "a, b, 2"),
        (["a", 1, NAN, None], "a, 1"),
        (NAN, None),
        ([], None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("usual", ["fine tin", ["fine", "tin"], [["fine"], ["tin"]]])
def test_one_odd_value_takes_a_field_from_nobody(usual: Any, odd: Any, text: str | None) -> None:
    found, notices = texts(*[{"about": usual}] * 3, {"about": odd})
    assert found == [words(usual)] * 3 + [text] and not notices


def test_fields_of_objects_are_left_out_and_told() -> None:
    items = [{"title": "Pan", "details": {"Brand": "Bo"}, "images": [{"large": "http://x"}]}] * 2
    found, notices = texts(*items)
    assert found == ["Pan", "Pan"] and len(notices) == 1
    assert "fields 'details' hold objects" in notices[0]  # images are left out by name
    assert texts(*items, text_fields=("title", "details"))[0][0] == "title: Pan; details: Brand: Bo"


def test_nesting_without_end_is_refused_with_the_item_and_the_field() -> None:
    deep: Any = "x"
    for _ in range(600):
        deep = [deep]
    for about in (deep, {"a": deep}):
        items = [{"title": "Pan", "about": about}]
        with pytest.raises(
            DataError, match="item '0': field 'about' is nested too deeply to be text"
        ):
            texts(*items, text_fields=("about",))
        assert texts(*items, ignore_columns=("about",))[0] == ["Pan"]


def test_a_title_of_numbers_is_text() -> None:
    assert texts({"title": 1984, "tags": [True]}, {"title": 1985.0, "tags": [False]})[0] == [
        "1984",
        "1985",
    ]


def test_items_without_words_are_told() -> None:
    found, notices = texts({"price": 3, "ok": True}, {"price": 4, "ok": False})
    assert (
        found == [None, None]
        and "no item has text: none of the items' fields ('price', 'ok')" in notices[0]
    )


def test_rows_that_repeat_an_item_word_for_word_are_left_out(tmp_path: Path) -> None:
    log = pl.DataFrame({"user": ["u", "u"], "item": ["a", "b"]})
    rows = [{"item_id": "a", "title": "A", "tags": ["x", 1]}, {"item_id": "b", "title": "B"}]
    (tmp_path / "i.jsonl").write_text(
        "\n".join(json.dumps(row) for row in [*rows, rows[0], rows[0]])
    )
    dataset = import_dataset(log, items=tmp_path / "i.jsonl")
    assert dataset.catalogue["title"].to_list() == ["A", "B"]
    assert dataset.manifest["notices"] == [
        f"{tmp_path / 'i.jsonl'}: left out 2 rows that repeat an item word for word."
    ]
    other = {**rows[0], "tags": ["y", 1]}
    (tmp_path / "i.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, rows[0], other]))
    with pytest.raises(DataError, match="line 4: item 'a' is in line 1 already, with other fields"):
        import_dataset(log, items=tmp_path / "i.jsonl")


def test_python_literals_arrays_and_json_lines(tmp_path: Path) -> None:
    """Amazon's metadata of 2014, arrays of objects, and Yelp's lines in a .json file."""
    literal, array, lines = (tmp_path / name for name in ("a.json", "b.json", "c.json"))
    literal.write_text(
        "{'user': u'u', 'item': 'B\\xe9', 'ok': None}\n{'user': \"v's\", 'item': 7}\n"
    )
    array.write_text('\n [{"user": "u",\n "item": "B\\u00e9"}, {"user": "v\'s", "item": 7}]\n')
    lines.write_text('{"user": "u", "item": "B\\u00e9"}\n\n{"user": "v\'s", "item": 7}\n')
    for path in (literal, array, lines):
        source = read_source(path, Columns())
        assert source.frame.select("user", "item").rows() == [("u", "Bé"), ("v's", "7")]
        assert bool(source.notices) == (path == literal)
    assert (
        "2 lines are Python literals, not JSON. They were read as such"
        in read_source(literal, Columns()).notices[0]
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{\n "user": "u",\n "item": "a"\n}\n', "line 1: not JSON .* One object a line is read"),
        ('[{"user": "u", "item": "a"}, 3]', "entry 2: not a JSON object"),
        ('[{"user": "u", "item": "a"}', "line 1: not JSON"),
        ("[]", "holds no rows"), ("[1, 2]", "entry 1: not a JSON object"), ("null\n", "line 1: not a JSON object"),
        ("{'user': __import__('os').getcwd(), 'item': 'a'}\n", "line 1: not JSON"),
        ("{'a': " + "[" * 3000 + "\n", "line 1: not JSON"),
        ('{"user": "u", "item": "a\x00b"}\n', "line 1: a NUL byte"),
    ],
)  # fmt: skip
def test_what_is_no_json(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=said):
        read_source(tmp_path / "a.json", Columns())
