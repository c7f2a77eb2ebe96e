"""Finds items by id or by title."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from darec.errors import DataError, unpadded

NEAR: Final = 3  # number of similar names in a message
_MOST: Final = 100_000  # with more names, the search for similar ones takes too long


class ItemNames:
    """Finds items by id, or by title in any case.

    Args:
        ids: of all items, as text.
        titles: of all items; None for a missing one.
    """

    def __init__(self, ids: Sequence[str], titles: Sequence[str | None]) -> None:
        self.ids, self.titles = ids, titles
        self._rows = {identifier: row for row, identifier in enumerate(ids)}
        names = (*ids, *(title for title in titles if title))
        self._most_parts = 1 + max((name.count(",") for name in names), default=0)
        self._of_title: dict[str, list[int]] = {}
        for row, title in enumerate(titles):
            if title:
                self._of_title.setdefault(_plain(title), []).append(row)

    def row(self, name: object) -> int:
        """Return the row of the item with this id or title.

        Raises:
            DataError: no item has the name (the error shows similar names), or several items have the title.
        """
        found = self._find(str(name))
        if found is None:
            raise DataError(f"no item is called {str(name)!r}: {self._nearest(str(name))}")
        return found

    def rows(self, names: Iterable[object]) -> list[int]:
        """Return the rows of several names; errors as :meth:`row`."""
        return [self.row(name) for name in names]

    def listed(self, text: str) -> list[str]:
        """Return the ids of the items in a list of names with commas between, without repeats.

        Titles may contain commas: the longest run of parts that is a name is taken as one.

        Raises:
            DataError: as :meth:`row`.
        """
        parts = text.split(",")
        found: list[str] = []
        start = 0
        while start < len(parts):
            for stop in range(min(len(parts), start + self._most_parts), start, -1):
                row = self._find(",".join(parts[start:stop]).strip())
                if row is not None:
                    found.append(self.ids[row])
                    break
            else:
                stop = start + 1
                if parts[start].strip():
                    self.row(parts[start].strip())
            start = stop
        return list(dict.fromkeys(found))

    def _find(self, name: str) -> int | None:
        if name in self._rows:
            return self._rows[name]
        rows = self._of_title.get(_plain(name), [])
        if len(rows) > 1:
            first = ", ".join(repr(self.ids[row]) for row in rows[:NEAR])
            first += ", ..." if len(rows) > NEAR else ""
            raise DataError(f"{len(rows)} items are called {name!r}: name one by its id ({first}).")
        return rows[0] if rows else None

    def _nearest(self, name: str) -> str:
        called = {_plain(identifier): repr(identifier) for identifier in self.ids}
        called |= {
            _plain(title): f"{title!r} ({identifier})"
            for identifier, title in zip(self.ids, self.titles, strict=True)
            if title
        }
        few = len(called) <= _MOST
        near = difflib.get_close_matches(_plain(name), called, NEAR, 0.5) if few else []
        alike = [one for one in called if few and unpadded(one) == unpadded(_plain(name))]
        near = list(dict.fromkeys([*alike, *near]))[:NEAR]
        if near:
            return "did you mean " + " or ".join(called[one] for one in near) + "?"
        return f"name items by id or title, such as {', '.join(list(called.values())[-NEAR:])}."


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
