"""Lists out of PostgreSQL, of the version that was pushed last."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import numpy as np
import torch

from darec.errors import ConfigError, DatabaseError, DataError, shown
from darec.export.postgres import FORMAT, Database, Names, import_psycopg
from darec.export.sql_conditions import postgres_condition
from darec.ids.idmap import Id, typed
from darec.listing.lists import Recommendation, RecommendationList
from darec.scoring import check_k, select

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

T = TypeVar("T")
_MORE: Final = 10  # rows that are read beyond those asked for, to settle ties
_DEEPEST: Final = 1000  # hnsw.ef_search at most
_ROUNDING: Final = (
    2.0**-20
)  # by which scores may differ and count as equal, as in darec.scoring.ranking

_BEST: Final = """
SELECT number, item_id, shown, place, {score}::float4 FROM {items}
WHERE number <> ALL (ARRAY({without})) AND ({condition}) ORDER BY {distance} LIMIT {most}
"""


@dataclass(frozen=True)
class _Version:
    names: Names
    n_items: int
    ids: dict[str, Any]
    kinds: dict[str, str]


class PgVectorStore:
    """Recommends from a database that 'darec push' wrote to.

    A store holds one connection, and makes another where that is lost. Each call reads the newest version. It may be
    called from several threads, one after the other.

    Args:
        url: ``postgresql://user:password@host:port/database``. Rights to read are enough.
        schema: of the tables.

    Raises:
        ConfigError: another URL, or psycopg is not installed.
        DatabaseError: the database cannot be reached, or nothing was pushed there.
    """

    def __init__(self, url: str, schema: str = "darec") -> None:
        self._database, self._schema = Database(url), Names(schema).schema
        self._connection: Connection[Any] | None = None
        self._lock = Lock()  # a transaction belongs to one thread
        self._read(lambda connection, version: None)

    def __repr__(self) -> str:
        return f"<PgVectorStore {self._database.place}, schema {self._schema}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    @property
    def version(self) -> int:
        """What is served."""
        return self._read(lambda _, version: version.names.version)

    def recommend(
        self, user: Id, k: int = 10, *, where: str | None = None, exclude_seen: bool = True
    ) -> RecommendationList[Recommendation]:
        """The ``k`` best items for a known user; what the user has is left out.

        The index is followed until it has found enough items that may be listed. Where a condition admits so few that
        it gives up, those are scored one by one.

        Args:
            user: the user's id.
            k: how many; a list is shorter where fewer items are left.
            where: a condition over the items' fields, as bundles take it
                (:func:`~darec.export.sql_conditions.postgres_condition`).
            exclude_seen: leave out what the user has.

        Raises:
            DataError: an unknown user.
            ConfigError: ``k`` larger than the catalogue, or a condition that is none or admits no item.
            DatabaseError: the database cannot be reached.
        """
        from psycopg.sql import SQL, Literal

        def ask(
            connection: Connection[Any], version: _Version
        ) -> RecommendationList[Recommendation]:
            check_k(k, version.n_items)
            condition = SQL("true") if where is None else postgres_condition(where, version.kinds)
            number = self._number(connection, version, "user", user)
            one = Literal(number)
            without: Composable = SQL("SELECT 0 WHERE false")
            if exclude_seen:
                without = version.names.fill(
                    "SELECT item_number FROM {seen} WHERE user_number = {one}", one=one
                )
            distance = version.names.fill(
                "vector <#> (SELECT vector FROM {users} WHERE number = {one})", one=one
            )
            score = SQL("-({})").format(distance)
            found = _best(connection, version, k, condition, without, score, distance, distance)
            if not found and where is not None and not _any(connection, version, condition):
                raise ConfigError(f"no item meets --where {shown(where)}: loosen it.")
            return found

        return self._read(ask, where)

    def similar(self, item: Id, k: int = 10) -> RecommendationList[Recommendation]:
        """The ``k`` items most similar to one, by the cosine of their rows.

        Raises:
            DataError: an unknown item.
            ConfigError: ``k`` larger than the catalogue.
            DatabaseError: the database cannot be reached.
        """
        from psycopg.sql import SQL, Literal

        def ask(
            connection: Connection[Any], version: _Version
        ) -> RecommendationList[Recommendation]:
            check_k(k, version.n_items)
            one = Literal(self._number(connection, version, "item", item))
            distance = version.names.fill(
                "vector <=> (SELECT vector FROM {items} WHERE number = {one})", one=one
            )
            # A row of zeros has no direction: its cosine is 0, and pgvector's is no number.
            plain = SQL("coalesce(nullif({}, 'NaN'), 1)").format(distance)
            without = SQL("SELECT {}::int").format(one)
            score = SQL("1 - {}").format(plain)
            return _best(connection, version, k, SQL("true"), without, score, distance, plain)

        return self._read(ask)

    def filter(self, where: str) -> list[Id]:
        """Ids of the items that meet a condition over their fields."""

        def ask(connection: Connection[Any], version: _Version) -> list[Id]:
            condition = postgres_condition(where, version.kinds)
            query = "SELECT item_id FROM {items} WHERE {condition} ORDER BY number"
            rows = connection.execute(version.names.fill(query, condition=condition)).fetchall()
            return typed((row[0] for row in rows), version.ids["item"])

        return self._read(ask, where)

    def _number(self, connection: Connection[Any], version: _Version, kind: str, one: Id) -> int:
        from psycopg.sql import SQL, Literal

        text = str(one)
        found = None
        if "\0" not in text:  # which no id there has
            found = connection.execute(
                version.names.fill(
                    f"SELECT number FROM {{{kind}s}} WHERE {{column}} = {{text}}",
                    column=SQL(f"{kind}_id"),
                    text=Literal(text),
                )
            ).fetchone()
        if found is None:
            raise DataError(f"no {kind} {shown(text)} in {self._database.place}.")
        return int(found[0])

    def _read(self, ask: Callable[[Connection[Any], _Version], T], where: str | None = None) -> T:
        """Ask in one transaction, which changes nothing."""
        psycopg = import_psycopg()
        with self._lock, self._database.errors():
            for last in (False, True):
                try:
                    connection = self._connected()
                    with connection.transaction():
                        connection.execute("SET TRANSACTION READ ONLY")
                        return ask(connection, self._newest(connection))
                except (
                    psycopg.errors.UndefinedTable
                ) as error:  # a version that was dropped meanwhile
                    if last:
                        raise DatabaseError(
                            f"nothing was pushed to the schema {self._schema} of {self._database.place} "
                            f"({error.diag.message_primary}): run 'darec push'."
                        ) from None
                except psycopg.OperationalError:  # a connection that was lost meanwhile
                    if last or self._connection is None or not self._connection.closed:
                        raise
                except (psycopg.ProgrammingError, psycopg.DataError) as error:
                    if where is None or isinstance(error, psycopg.errors.InsufficientPrivilege):
                        raise
                    raise ConfigError(
                        f"--where {shown(where)} does not fit the fields ({error.diag.message_primary})."
                    ) from None
        raise AssertionError

    def _connected(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._database.connect()
        return self._connection

    def _newest(self, connection: Connection[Any]) -> _Version:
        row = connection.execute(
            Names(self._schema).fill(
                "SELECT version, format, items, ids, kinds FROM {versions} ORDER BY version DESC LIMIT 1"
            )
        ).fetchone()
        if row is None:
            raise DatabaseError(
                f"nothing was pushed to the schema {self._schema} of {self._database.place}: run 'darec push'."
            )
        if row[1] > FORMAT:
            raise DatabaseError(
                f"the schema {self._schema} of {self._database.place} was written by a later darec: upgrade darec."
            )
        return _Version(Names(self._schema, row[0]), *row[2:])


def _best(
    connection: Connection[Any],
    version: _Version,
    k: int,
    condition: Composable,
    without: Composable,
    score: Composable,
    distance: Composable,
    exact: Composable,
) -> RecommendationList[Recommendation]:
    """The best rows by the index, or by scoring all that may be listed where it finds too few of them.

    Args:
        connection: in a transaction.
        version: what is read.
        k: how many.
        condition: which items may be listed.
        without: a query for the numbers of those that may not.
        score: of an item.
        distance: by which the index is sorted.
        exact: the same for every item, where those of score 0 are missing in the index.
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
        order = distance if by_index else SQL("({}) + 0").format(exact)
        query = version.names.fill(_BEST, **parts, distance=order, most=most)
        rows = connection.execute(query).fetchall()
        scores = np.array([[row[4] for row in rows]], np.float32)
        if by_index and (len(rows) < most or (exact is not distance and scores[0, k - 1] <= 0)):
            by_index = False  # the index has given up, or does not hold what may come now
        elif len(rows) == most < version.n_items and _tied(scores[0], k):
            most = min(4 * most, version.n_items)
        else:
            break
    if not rows:
        return RecommendationList()
    places = np.array([row[3] for row in rows], np.int64)
    chosen = select(torch.from_numpy(scores), min(k, len(rows)), places)
    ids = typed((rows[at][1] for at in chosen.items[0]), version.ids["item"])
    return RecommendationList(
        Recommendation(rank, ids[rank - 1], rows[at][2], float(value))
        for rank, (at, value) in enumerate(zip(chosen.items[0], chosen.scores[0], strict=True), 1)
    )


def _tied(scores: Any, k: int) -> bool:
    """Whether the k-th score goes on to the end of what was read."""
    last, best = float(scores[-1]), float(scores[0])
    return len(scores) > k and math.isclose(
        scores[k - 1], last, rel_tol=0, abs_tol=_ROUNDING * max(abs(best), abs(last))
    )


def _any(connection: Connection[Any], version: _Version, condition: Composable) -> bool:
    query = "SELECT 1 FROM {items} WHERE {condition} LIMIT 1"
    return connection.execute(version.names.fill(query, condition=condition)).fetchone() is not None
