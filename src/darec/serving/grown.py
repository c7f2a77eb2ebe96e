"""A bundle that is extended by new items, which are described by their texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from darec.errors import ConfigError, did_you_mean
from darec.export.bundle import Bundle
from darec.export.reader import TextReader
from darec.export.search import IndexSearch
from darec.ids.idmap import IdMap
from darec.ids.names import ItemNames
from darec.listing.fields import OWN, ItemFields
from darec.listing.reasons import Words
from darec.listing.recommending import Recommending
from darec.scoring import Scorer
from darec.scoring.extending import extended
from darec.types import FloatArray, Interactions


@dataclass(frozen=True)
class NewItem:
    """A new item, and the vectors that were made from its text.

    Attributes:
        item_id: its id, as text.
        title: its title; None if it has none.
        text: its text.
        fields: [1, ...] further fields, of the bundle's types.
        vector: [1, d_L] language vector.
        row: [1, d] row of the item table; None without tables.
        weights: [1, I] weights of the items that replace it in matrices.
    """

    item_id: str
    title: str | None
    text: str
    fields: pl.DataFrame
    vector: FloatArray
    row: FloatArray | None
    weights: sparse.csr_array

    @property
    def shown(self) -> str:
        """Its name on screen."""
        return self.title or self.text


def read_item(
    bundle: Bundle,
    reader: TextReader,
    item_id: str,
    title: str | None,
    text: str,
    fields: dict[str, Any],
) -> NewItem:
    """Read a new item.

    Raises:
        ConfigError: the bundle's items do not have a field, or a value has another type.
        TextError: the encoder finds no known word in the text.
    """
    types = {name: kind for name, kind in bundle.fields.types.items() if name not in OWN}
    for name in fields:
        if name not in types:
            known = did_you_mean(name, types) if types else "they have none beside title and text."
            raise ConfigError(f"the bundle's items have no field {name!r}: {known}")
    columns = [_column(name, fields.get(name), kind) for name, kind in types.items()]
    vector = reader.encode([(title or "") if reader.source == "titles" else text])
    return NewItem(
        item_id,
        title,
        text,
        pl.DataFrame(columns),
        vector,
        reader.rows(vector),
        reader.weights(vector),
    )


class Grown(Recommending):
    """Recommends the items of a bundle and new ones.

    Args:
        bundle: the bundle.
        new: at least one item that the bundle does not have.
    """

    def __init__(self, bundle: Bundle, new: Sequence[NewItem]) -> None:
        self.bundle, self.new = bundle, tuple(new)
        self.users = bundle.users
        ids = [item.item_id for item in new]
        self.items = IdMap("item", [*bundle.items.texts, *ids], bundle.items.type)
        rows = [item.row for item in new if item.row is not None]
        self.scorer: Scorer = extended(
            bundle.scorer,
            np.concatenate(rows) if rows else None,
            sparse.csr_array(sparse.vstack([item.weights for item in new])),
            self.items.tie_order,
        )
        self.scorer.trusted = bundle.scorer.trusted
        if isinstance(bundle.search, IndexSearch):
            self.search = bundle.search.extended(self.scorer)
        self.titles = pl.concat(
            [bundle.titles, pl.Series("title", [item.shown for item in new], pl.String)]
        )
        self.fields = self._fields()

    @property
    def named(self) -> Grown:
        """Ids, titles and fields of the bundle and the new items."""
        return self

    @cached_property
    def names(self) -> ItemNames:
        """Finds items by id or title."""
        return ItemNames(self.items.texts, self.titles.to_list())

    @cached_property
    def seen(self) -> Interactions:
        """The items of each user; none of them is new."""
        return _wider(self.bundle.seen, len(self.items))

    @cached_property
    def learned(self) -> Interactions:
        """The items that each user had when the run was trained; none of them is new."""
        return _wider(self.bundle.learned, len(self.items))

    @cached_property
    def words(self) -> Words:
        """The weight of each word of the texts, including those of new items."""
        return self.bundle.words.extended([item.text for item in self.new])

    def item_vectors(self) -> FloatArray:
        """[I + m, d_L] language vectors; a bundle that reads new texts has them."""
        return self._vectors

    @cached_property
    def _vectors(self) -> FloatArray:
        return np.concatenate([self.bundle.item_vectors(), *(item.vector for item in self.new)])

    def _fields(self) -> ItemFields:
        fields = self.bundle.fields
        extra = [name for name in fields.types if name not in OWN]
        own = fields.columns(OWN)
        more = pl.DataFrame(
            {
                "item_id": [item.item_id for item in self.new],
                "title": [item.title for item in self.new],
                "text": [item.text for item in self.new],
            },
            schema=own.schema,
        )
        catalogue = pl.concat([own, more])
        if not extra:
            return ItemFields(catalogue, None, fields.name)
        values = pl.concat([fields.columns(extra), *(item.fields for item in self.new)])
        others = pl.concat([catalogue.select("item_id"), values], how="horizontal")
        return ItemFields(catalogue, others.lazy(), fields.name)


def _wider(pairs: Interactions, n_items: int) -> Interactions:
    """Return the same pairs among more items."""
    more = Interactions(pairs.users, pairs.items, pairs.n_users, n_items)
    more.__dict__["indptr"] = pairs.indptr
    return more


def _column(name: str, value: Any, kind: pl.DataType) -> pl.Series:
    try:
        return pl.Series(name, [value], dtype=kind, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        raise ConfigError(
            f"field {name!r} of the bundle's items is {kind}: {value!r} is not."
        ) from None
