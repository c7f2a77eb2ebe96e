"""Conditions that could take all of the memory are refused before they are computed."""

from __future__ import annotations

import polars as pl
import pytest

from darec.errors import ConfigError
from darec.listing.fields import ItemFields

CATALOGUE = pl.DataFrame({"item_id": ["a", "b"], "title": ["Red pot", "blue"], "text": ["x", "y"]})
EXTRA = pl.DataFrame(
    {
        "item_id": ["a", "b"],
        "price": [3.0, 5.0],
        "tags": [["t"], ["u", "v"]],
        "seen": ["2020-01-02", "2021-05-06"],
    }
)
FIELDS = ItemFields(CATALOGUE, EXTRA.lazy())


@pytest.mark.parametrize(
    "condition",
    [
        "lpad(title, 1000000000, 'x') > 'a'", "length(rpad(title, 1000000000, 'x')) > 3",
        "replace(title, 'e', 'eeeeeeeeeeeee') = 'x'", "regexp_replace(title, 'e', 'ee') = 'x'",
        "concat(title, title) = 'x'", "concat_ws(',', title, text) = 'x'", "title || title = 'x'",
        "title + title = 'x'", "'a' || title = 'x'", "lower(title) + text = 'x'", "length(title || text) > 3",
        "array_to_string(tags, 'xxx') = 'x'", "array_length(array_agg(title)) > 0", "unnest(tags) = 't'",
        "price in (1, 2) and (price > 3 or lpad(text, 99, ' ') = 'x')",
        "case when price > 3 then lpad(title, 9999999, 'x') else 'a' end = 'a'",
        "lpad('x', 1000000000, 'y') = title",
    ],
)  # fmt: skip
def test_what_makes_text_of_any_length_is_refused(condition: str) -> None:
    with pytest.raises(ConfigError, match=r"creates text or lists|is not a condition"):
        FIELDS.where(condition)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("lower(title) like '%pot%'", [True, False]), ("length(title) > 5", [True, False]),
        ("price * 2 + 1 > 8", [False, True]), ("price + length(title) > 9.5", [True, False]),
        ("'u' = any(tags)", [False, True]), ("array_length(tags) = 1", [True, False]),
        ("title in ('blue', 'lpad')", [False, True]), ("title = 'Join' or price between 4 and 6", [False, True]),
        ("starts_with(title, 'Red') and title is not null", [True, False]), ("left(title, 3) = 'Red'", [True, False]),
        ("case when price > 4 then true else false end", [False, True]), ("coalesce(price, 0) < 4", [True, False]),
        ("date(seen) > date('2020-12-31')", [False, True]), ("abs(price - 5) < 1", [False, True]),
        ("regexp_like(title, '^R.d')", [True, False]), ("title ilike 'red%'", [True, False]),
        ("not (price < 4)", [False, True]),
        ("round(price, 1) = 3", [True, False]), ("trim(title) = 'blue'", [False, True]),
    ],
)  # fmt: skip
def test_all_else_is_as_ever(condition: str, met: list[bool]) -> None:
    assert FIELDS.where(condition).tolist() == met


@pytest.mark.parametrize(
    "condition",
    ["not " * 480 + "true", "(" * 400 + "price" + ")" * 400 + " > 1", "-" * 300 + "1 < 2"],
)
def test_a_deep_condition_is_computed_or_refused(condition: str) -> None:
    try:
        assert len(FIELDS.where(condition)) == 2
    except ConfigError as error:
        assert "\n" not in str(error)
