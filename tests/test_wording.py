"""Counts and their nouns."""

from __future__ import annotations

import pytest

from darec.wording import agreeing, counted_noun


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 items"), (1, "1 item"), (2, "2 items"), (1204, "1,204 items")]
)
def test_a_count_and_its_noun_agree(count: int, said: str) -> None:
    assert counted_noun(count, "item") == counted_noun(float(count), "item") == said


def test_a_plural_that_is_more_than_an_s() -> None:
    assert counted_noun(1, "box is", "boxes are") == "1 box is"
    assert counted_noun(2, "box is", "boxes are") == "2 boxes are"
    assert [agreeing(n, "is", "are") for n in (0, 1, 2)] == ["are", "is", "are"]
