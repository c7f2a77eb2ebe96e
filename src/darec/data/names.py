"""Items as people name them: by id or by title, with commas between."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from darec.errors import DataError

NEAR: Final = 3  # how many near names a message tells
_MOST: Final = 100_000  # names beyond which looking for near ones takes too long


def find_items(text: str, ids: Sequence[str], titles: Sequence[str | None]) -> list[str]:
    """The ids of the items that a text names.

    A name is an id, or a title in any case. Titles may hold commas: the longest run of parts that is a name is one.

    Args:
        text: names with commas between.
        ids: of all items.
        titles: of all items; None where missing.

    Raises:
        DataError: a name that no item has, with the nearest ones, or a title that several items have.
    """
    known: dict[str, list[str]] = {}
    for identifier, title in zip(ids, titles, strict=True):
        if title:
            known.setdefault(_plain(title), []).append(identifier)
    exact = set(ids)
    parts = text.split(",")
    found: list[str] = []
    start = 0
    while start < len(parts):
        for stop in range(len(parts), start, -1):
            name = ",".join(parts[start:stop]).strip()
            if name in exact:
                found.append(name)
            elif _plain(name) in known:
                found.append(_only(name, known[_plain(name)]))
            else:
                continue
            break
        else:
            name, stop = parts[start].strip(), start + 1
            if name:
                raise DataError(f"no item is called {name!r}: {_nearest(name, ids, titles)}")
        start = stop
    return list(dict.fromkeys(found))


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _only(name: str, ids: list[str]) -> str:
    if len(ids) > 1:
        first = ", ".join(map(repr, ids[:NEAR])) + (", ..." if len(ids) > NEAR else "")
        raise DataError(f"{len(ids)} items are called {name!r}: name one by its id ({first}).")
    return ids[0]


def _nearest(name: str, ids: Sequence[str], titles: Sequence[str | None]) -> str:
    called = {_plain(identifier): repr(identifier) for identifier in ids}
    called |= {
        _plain(title): f"{title!r} ({identifier})"
        for identifier, title in zip(ids, titles, strict=True)
        if title
    }
    near = (
        difflib.get_close_matches(_plain(name), called, NEAR, 0.5) if len(called) <= _MOST else []
    )
    if near:
        return "did you mean " + " or ".join(called[one] for one in near) + "?"
    return f"name items by id or title, such as {', '.join(list(called.values())[-NEAR:])}."
