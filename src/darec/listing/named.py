"""The names that lists need: ids of users and items, and titles of items."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from darec.ids.idmap import IdMap
from darec.ids.names import ItemNames
from darec.listing.fields import ItemFields


class Named(Protocol):
    """Users and items with ids and titles: a dataset, or a bundle."""

    @property
    def users(self) -> IdMap:
        """The users' ids, in row order."""

    @property
    def items(self) -> IdMap:
        """The items' ids, in row order."""

    @property
    def titles(self) -> pl.Series:
        """[I] title of each item for display."""

    @property
    def fields(self) -> ItemFields:
        """Fields of the items, for filters."""

    @property
    def names(self) -> ItemNames:
        """Finds items by id or title."""
