"""Recommendations: a list for one user, a table for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import polars as pl

from darec.ids.idmap import Id
from darec.listing.named import Named
from darec.tabular import Tabular
from darec.types import FloatArray, IntArray

ENDED = -1
"""Placeholder after the end of a shorter list."""


@dataclass(frozen=True, repr=False)
class Recommendation:
    """A recommended item.

    Attributes:
        rank: from 1.
        item_id: the item's id, in its original type.
        title: the title.
        score: the scorer's score, or a similarity for :meth:`darec.run.Run.similar`; comparable only within one list.
    """

    rank: int
    item_id: Id
    title: str
    score: float

    def __repr__(self) -> str:
        return f"<{self.rank}. {self.title} ({self.item_id}) {self.score:.4g}>"


R = TypeVar("R", bound=Recommendation)


class RecommendationList(list[R], Tabular):
    """The items recommended to one user, best first: a list that is also a table."""

    def __init__(
        self, items: Iterable[R] = (), *, kind: type[Recommendation] = Recommendation
    ) -> None:
        super().__init__(items)
        self._kind = kind

    def to_polars(self) -> pl.DataFrame:
        """The columns ``rank``, ``item_id``, ``title`` and ``score``; UUIDs as text."""
        names = [field.name for field in fields(self._kind)]
        columns = {name: [getattr(item, name) for item in self] for name in names}
        if not all(isinstance(one, int) for one in columns["item_id"]):
            columns["item_id"] = [str(one) for one in columns["item_id"]]
        types = {"rank": pl.Int64, "title": pl.String, "score": pl.Float64}
        return pl.DataFrame(columns, schema_overrides=types)

    def objects(self) -> Mapping[str, list[Any]]:
        """See :meth:`Tabular.objects`."""
        return {"item_id": [item.item_id for item in self]}


class Recommendations(Tabular):
    """The items recommended to many users: one row for each user and item, best first.

    Attributes:
        columns: ``user_id``, ``rank``, ``item_id``, ``title`` and ``score``.

    Args:
        named: ids and titles of users and items.
        users: [n] rows of users.
        items: [n, k] rows of items, -1 where a list ends early.
        scores: [n, k].
    """

    columns = ("user_id", "rank", "item_id", "title", "score")

    def __init__(self, named: Named, users: IntArray, items: IntArray, scores: FloatArray) -> None:
        self._named = named
        self._users, self._items, self._scores = users, items, scores

    def __len__(self) -> int:
        """Number of rows."""
        return int((self._items != ENDED).sum())

    def __repr__(self) -> str:
        return f"<Recommendations for {len(self._users):,} users, {len(self):,} rows>"

    def __iter__(self) -> Iterator[tuple[Id, RecommendationList[Recommendation]]]:
        """Each user's id and list."""
        ids = self._named.users.ids
        for user, items, scores in zip(self._users, self._items, self._scores, strict=True):
            yield ids[user], listed(self._named, items, scores)

    def to_polars(self) -> pl.DataFrame:
        """The table as a polars frame; UUIDs as text."""
        there = self._items != ENDED
        places, ranks = np.nonzero(there)
        items = self._items[there]
        named = self._named
        return pl.DataFrame(
            [
                named.users.column(self._users[places]),
                pl.Series("rank", ranks + 1),
                named.items.column(items),
                named.titles.gather(items),
                pl.Series("score", self._scores[there]),
            ]
        )

    def objects(self) -> Mapping[str, list[Any]]:
        """See :meth:`Tabular.objects`."""
        places, _ = np.nonzero(self._items != ENDED)
        rows = {"user": self._users[places], "item": self._items[self._items != ENDED]}
        maps = {"user": self._named.users, "item": self._named.items}
        return {
            f"{kind}_id": [maps[kind].ids[row] for row in rows[kind]]
            for kind in maps
            if maps[kind].type == "uuid"
        }


def listed(named: Named, items: IntArray, scores: FloatArray) -> RecommendationList[Recommendation]:
    """One user's list from [k] rows of items and their scores."""
    titles = named.titles
    return RecommendationList(
        Recommendation(rank, named.items.ids[item], str(titles[int(item)]), float(score))
        for rank, (item, score) in enumerate(zip(items, scores, strict=True), 1)
        if item != ENDED
    )
