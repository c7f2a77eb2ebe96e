"""Items by id or title, as people write them."""

from __future__ import annotations

import pytest

from darec.errors import DataError
from darec.ids.names import ItemNames

IDS = ["1", "2", "3", "4", "5"]
TITLES = ["Heat", "Good, the Bad and the Ugly", "Alien", "Heat", None]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1, 3", ["1", "3"]),
        ("alien", ["3"]),
        ("ALIEN , 5", ["3", "5"]),
        ("Good, the Bad and  the ugly, Alien", ["2", "3"]),
        ("3, alien, 3", ["3"]),
        (" , ,", []),
    ],
)
def test_names_are_ids_or_titles(text: str, found: list[str]) -> None:
    assert ItemNames(IDS, TITLES).listed(text) == found


def test_an_id_comes_before_a_title() -> None:
    assert ItemNames(["a", "b"], ["b", "c"]).listed("b") == ["b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Alein", r"no item is called 'Alein': did you mean 'Alien' \(3\)\?"),
        ("alien, Good, the Bat", "no item is called 'Good'"),
        ("heat", r"2 items are called 'heat': name one by its id \('1', '4'\)"),
        ("zzzz", "name items by id or title, such as"),
    ],
)
def test_names_that_are_none_are_refused(text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        ItemNames(IDS, TITLES).listed(text)


def test_an_id_with_other_leading_zeros_is_named_first() -> None:
    with pytest.raises(DataError, match=r"did you mean 'I042' or 'I742'"):
        ItemNames(["I742", "I042"], [None, None]).listed("I42")
