"""Items: which fields make the text, and what a template does where fields are missing."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.data.ingest.item_text import describe_items
from darec.data.ingest.items import table_of_items
from darec.data.ingest.source import SourceTable
from darec.data.ingest.template import parse_template, words
from darec.errors import DataError


def texts(rows: list[dict[str, Any]], **options: Any) -> list[str | None]:
    table = pl.DataFrame([{"item_id": str(n), **row} for n, row in enumerate(rows)], strict=False)
    described, _ = describe_items(table, **options)
    return described["text"].to_list()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("  a\x00\x1b[31m\n\tb  ", "a [31m b"),
        ("a\u2028b\u0085c\u00a0d", "a b c d"),
        ("\ufeffab\u202ecd\u200b", "abcd"),
        ("👩‍🚀 ok", "👩‍🚀 ok"),  # a joiner inside one sign stays
        (["a", None, " ", ["b", 3]], "a, b, 3"),
        ({"brand": "X", "none": None, "sizes": [1, 2]}, "brand: X, sizes: 1, 2"),
        (None, ""),
        (12.5, "12.5"),
    ],
)
def test_values_become_one_clean_line(value: object, line: str) -> None:
    assert words(value) == line


@given(st.text())
def test_words_are_one_line_without_control_characters_and_stay_so(text: str) -> None:
    line = words(text)
    assert words(line) == line == line.strip()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line) and "  " not in line


@pytest.mark.parametrize(
    ("template", "full", "no_title", "no_year", "no_genres", "only_year"),
    [
        ("{title} ({year}). {genres}", "Heat (1995). Crime", "(1995). Crime", "Heat Crime",
         "Heat (1995).", "(1995)."),
        ("{title}, {year}, {genres}", "Heat, 1995, Crime", "1995, Crime", "Heat, Crime",
         "Heat, 1995", "1995"),
        ("Film: {title}; year: {year}; kind: {genres}!", "Film: Heat; year: 1995; kind: Crime!",
         "year: 1995; kind: Crime!", "Film: Heat; kind: Crime!", "Film: Heat; year: 1995", "year: 1995"),
        ("{title} - {year} - {genres}", "Heat - 1995 - Crime", "1995 - Crime", "Heat - Crime",
         "Heat - 1995", "1995"),
        ("{title}\n{{{year}}} {genres}", "Heat {1995} Crime", "{1995} Crime", "Heat Crime",
         "Heat {1995}", "{1995}"),
    ],
)  # fmt: skip
def test_templates(
    template: str, full: str, no_title: str, no_year: str, no_genres: str, only_year: str
) -> None:
    values = {"title": "Heat", "year": "1995", "genres": "Crime"}
    parsed = parse_template(template)
    assert parsed.render(values) == full
    for missing, expected in (("title", no_title), ("year", no_year), ("genres", no_genres)):
        assert parsed.render({k: v for k, v in values.items() if k != missing}) == expected
    assert parsed.render({"year": "1995"}) == only_year
    assert parsed.render({}) == ""


PUNCTUATED = st.text("ab.,;:- ()", min_size=1).map(words).filter(bool)


@given(PUNCTUATED, PUNCTUATED, st.sampled_from(["{a}, {b}", "{a} ({b})", "[{a}] {b}.", "{a}/{b}"]))
def test_templates_leave_values_as_they_are(a: str, b: str, template: str) -> None:
    parsed = parse_template(template)
    assert parsed.render({"a": a, "b": b}) == words(template.format(a=a, b=b))
    assert a in parsed.render({"a": a}) and b in parsed.render({"b": b})


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{title", "expected '}'"),
        ("title}", "Single '}'"),
        ("the same for all", "names no field"),
        ("{}", "only the name of a field"),
        ("{title!r}", "only the name of a field"),
        ("{title:>9}", "only the name of a field"),
    ],
)
def test_templates_that_are_none(template: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        parse_template(template)


@pytest.mark.parametrize("template", ["{titel}", "{title.__class__}", "{title[0]}"])
def test_a_field_that_no_row_has(template: str) -> None:
    with pytest.raises(DataError, match="did you mean 'title'"):
        texts([{"title": "x"}], template=template)
    with pytest.raises(DataError, match="did you mean 'title'"):
        texts([{"title": "x"}], fields=["titel"])
    with pytest.raises(DataError, match="did you mean 'title'"):
        texts([{"title": "x"}], title="titel")


def test_words_only_and_every_one_of_them() -> None:
    row = {
        "name": "Pan", "tags": ["hot", "flat"], "price": 3.0, "asin": "B00X", "brand_id": "Q7",
        "imageURL": "https://x.y/z.png", "thumb": "//x.y/z.png", "released": "2020-01-01", "stock": "12",
        "see": "more at https://x.y",
    }  # fmt: skip
    assert texts([row]) == ["name: Pan; tags: hot, flat; see: more at https://x.y"]


def test_a_field_whose_words_come_late_is_found() -> None:
    rows: list[dict[str, Any]] = [{"title": "t", "note": "12"}] * 300 + [
        {"title": "t", "note": "x"}
    ]
    assert texts(rows)[-1] == "title: t; note: x"


def test_items_without_any_text_field_have_no_text() -> None:
    assert texts([{"price": 3.0}, {"price": 4.0}]) == [None, None]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            pl.DataFrame({"x": ["a"]}),
            "no column for the item id; it has 'x': name it with item_id",
        ),
        (pl.DataFrame({"id": ["a", "b", "a"]}), "f, row 3: item 'a' is in row 1 already"),
        (pl.DataFrame({"id": ["a", " "]}), "f, row 2: no id in column 'id'"),
    ],
)
def test_tables_that_hold_no_items(frame: pl.DataFrame, said: str) -> None:
    with pytest.raises(DataError, match=said):
        table_of_items(SourceTable.of_frame(frame, "f"))


def test_the_id_column_by_name() -> None:
    table = SourceTable.of_frame(
        pl.DataFrame({"sku": [7], "item_id": ["old"], "title": ["x"]}), "f"
    )
    assert table_of_items(table, "sku").to_dict(as_series=False) == {
        "item_id": ["7"],
        "title": ["x"],
    }
    with pytest.raises(DataError, match="no column 'sk' for the item id: did you mean 'sku'"):
        table_of_items(table, "sk")
