"""Type-ahead search: items by a part of their titles or ids, users by a part of their ids."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl

from darec.listing.recommending import Recommending

LONGEST = 200
"""Number of characters of a query that are used."""


class Finder:
    """Finds users and items of a bundle.

    Args:
        shown: the bundle, with or without new items.
    """

    def __init__(self, shown: Recommending) -> None:
        self._shown = shown

    @cached_property
    def _items(self) -> pl.DataFrame:
        named, seen = self._shown.named, self._shown.seen
        popularity = np.bincount(seen.items, minlength=len(named.items))[: len(named.items)]
        return pl.DataFrame(
            {
                "row": np.arange(len(named.items)),
                "title": named.titles.fill_null("").cast(pl.String).str.to_lowercase(),
                "id": pl.Series(named.items.texts, dtype=pl.String).str.to_lowercase(),
                "popularity": popularity,
            }
        )

    @cached_property
    def _users(self) -> pl.DataFrame:
        texts = pl.Series(self._shown.named.users.texts, dtype=pl.String)
        return pl.DataFrame({"row": np.arange(len(texts)), "id": texts.str.to_lowercase()})

    def items(self, query: str, limit: int) -> list[int]:
        """Return rows of items whose title or id contains a query.

        An equal id comes first, then beginnings, beginnings of words, and the rest.
        """
        query = _plain(query)
        title, identifier = pl.col("title"), pl.col("id")
        rank = (
            pl.when(identifier == query)
            .then(0)
            .when(title.str.starts_with(query))
            .then(1)
            .when(title.str.contains(f" {query}", literal=True))
            .then(2)
            .when(identifier.str.starts_with(query))
            .then(3)
            .when(title.str.contains(query, literal=True))
            .then(4)
        )
        return _first(self._items, rank, ["popularity"], limit)

    def users(self, query: str, limit: int) -> list[int]:
        """Return rows of users whose id contains a query; ids that begin with it come first."""
        query = _plain(query)
        identifier = pl.col("id")
        rank = (
            pl.when(identifier == query)
            .then(0)
            .when(identifier.str.starts_with(query))
            .then(1)
            .when(identifier.str.contains(query, literal=True))
            .then(2)
        )
        return _first(self._users, rank, [], limit)


def _plain(query: str) -> str:
    return pl.Series([query[:LONGEST].strip()]).str.to_lowercase().item()  # type: ignore[no-any-return]


def _first(frame: pl.DataFrame, rank: pl.Expr, down: list[str], limit: int) -> list[int]:
    found = frame.with_columns(rank=rank).filter(pl.col("rank").is_not_null())
    by = ["rank", *down, "row"]
    descending = [False, *[True] * len(down), False]
    rows = found.bottom_k(limit, by=by, reverse=descending).sort(by, descending=descending)
    return list(map(int, rows["row"]))
