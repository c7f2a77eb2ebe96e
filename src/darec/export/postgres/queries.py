"""The queries of a store: the best items by vectors, or from lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from darec.errors import ConfigError
from darec.export.postgres.versions import Version
from darec.ids.idmap import typed
from darec.listing.lists import Recommendation, RecommendationList
from darec.scoring import select

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

_MORE: Final = 10  # rows that are read beyond those asked for, to break ties
_DEEPEST: Final = 1000  # the largest hnsw.ef_search
_ROUNDING: Final = (
    2.0**-20
)  # scores that differ by less count as equal, as in darec.scoring.ranking

_BEST: Final = """
SELECT item_id, shown, {score}::float4, place FROM {items}
WHERE number <> ALL (ARRAY({without})) AND ({condition}) ORDER BY {distance} LIMIT {most}
"""
_LISTED: Final = """
SELECT item_id, shown, score
FROM {list} AS list, unnest(list.items, list.scores) WITH ORDINALITY AS one(item, score, rank)
JOIN {items} ON {items}.number = one.item
WHERE list.number = {one} AND one.item <> ALL (ARRAY({without})) AND ({condition}) ORDER BY one.rank LIMIT {k}
"""


def best_for_user(
    connection: Connection[Any],
    version: Version,
    user: int,
    k: int,
    condition: Composable,
    *,
    exclude_seen: bool,
) -> RecommendationList[Recommendation]:
    """Return the best items of a user that meet a condition."""
    from psycopg.sql import SQL, Literal

    names, one = version.names, Literal(user)
    seen = names.fill("SELECT item_number FROM {seen} WHERE user_number = {one}", one=one)
    without = seen if exclude_seen else SQL("SELECT 0 WHERE false")
    if version.depth is not None:
        if not exclude_seen:
            raise ConfigError(
                "exclude_seen=False: lists were pushed, and these leave out the items that a user has: ask the bundle."
            )
        return _listed(connection, version, "lists", user, k, without, condition)
    distance = names.fill("vector <#> (SELECT vector FROM {users} WHERE number = {one})", one=one)
    score = SQL("-({})").format(distance)
    return _best(connection, version, k, condition, without, score, distance)


def most_similar(
    connection: Connection[Any], version: Version, item: int, k: int
) -> RecommendationList[Recommendation]:
    """Return the items that are most similar to one."""
    from psycopg.sql import SQL, Literal

    one, all_ = Literal(item), SQL("true")
    without = SQL("SELECT {}::int").format(one)
    if version.depth is not None:
        return _listed(connection, version, "alike", item, k, without, all_)
    distance = version.names.fill(
        "vector <=> (SELECT vector FROM {items} WHERE number = {one})", one=one
    )
    # A row of zeros has no direction. Its cosine is 0 here; pgvector's is NaN, which no index holds.
    exact = SQL("coalesce(nullif({}, 'NaN'), 1)").format(distance)
    score = SQL("1 - {}").format(exact)
    return _best(connection, version, k, all_, without, score, distance, exact)


def _listed(
    connection: Connection[Any],
    version: Version,
    table: str,
    number: int,
    k: int,
    without: Composable,
    condition: Composable,
) -> RecommendationList[Recommendation]:
    """Return items from a list, in its order."""
    depth = version.depth or 0
    if k > depth:
        raise ConfigError(
            f"K = {k}: lists of {depth} were pushed: lower K, or push with --depth={k}."
        )
    names = version.names
    query = names.fill(
        _LISTED, list=names.of(table), one=number, k=k, without=without, condition=condition
    )
    return _recommended(version, connection.execute(query).fetchall())


def _best(
    connection: Connection[Any],
    version: Version,
    k: int,
    condition: Composable,
    without: Composable,
    score: Composable,
    distance: Composable,
    exact: Composable | None = None,
) -> RecommendationList[Recommendation]:
    """Return the best items by the index; if it finds too few, score all items that may be listed.

    Args:
        connection: in a transaction.
        version: to read.
        k: number of items.
        condition: that listed items must meet.
        without: a query for the numbers of items that must not be listed.
        score: expression of an item's score.
        distance: expression that the index is sorted by.
        exact: the distance of every item, including items of score 0, which the index does not hold.
    """
    from psycopg.sql import SQL

    parts = {"condition": condition, "without": without, "score": score}
    most, by_index = min(k + _MORE, version.n_items), True
    while True:
        connection.execute(
            SQL(
                "SELECT set_config('hnsw.iterative_scan', 'strict_order', true), "
                "set_config('hnsw.ef_search', {}::text, true)"
            ).format(min(max(100, 2 * most), _DEEPEST))
        )
        order = distance if by_index else SQL("({}) + 0").format(exact or distance)
        query = version.names.fill(_BEST, **parts, distance=order, most=most)
        rows = connection.execute(query).fetchall()
        scores = np.array([[row[2] for row in rows]], np.float32)
        if by_index and (len(rows) < most or (exact is not None and scores[0, k - 1] <= 0)):
            by_index = False  # the index has given up, or the next items are not in it
        elif len(rows) == most < version.n_items and _tied(scores[0], k):
            most = min(4 * most, version.n_items)
        else:
            break
    if not rows:
        return RecommendationList()
    places = np.array([row[3] for row in rows], np.int64)
    chosen = select(torch.from_numpy(scores), min(k, len(rows)), places).items[0]
    return _recommended(version, [rows[at] for at in chosen])


def _tied(scores: Any, k: int) -> bool:
    """Whether the last row that was read has the same score as the k-th."""
    last, best = float(scores[-1]), float(scores[0])
    return len(scores) > k and math.isclose(
        scores[k - 1], last, rel_tol=0, abs_tol=_ROUNDING * max(abs(best), abs(last))
    )


def _recommended(
    version: Version, rows: Sequence[tuple[Any, ...]]
) -> RecommendationList[Recommendation]:
    """Make a list of rows of id, title and score."""
    ids = typed((row[0] for row in rows), version.ids["item"])
    return RecommendationList(
        Recommendation(rank, item, row[1], float(row[2]))
        for rank, (item, row) in enumerate(zip(ids, rows, strict=True), 1)
    )
