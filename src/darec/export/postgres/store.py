"""Recommendations from PostgreSQL, from the version that was pushed last."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from darec.errors import ConfigError, DatabaseError, DataError, shown
from darec.export.postgres.conditions import postgres_condition
from darec.export.postgres.connection import Database, Names, import_psycopg
from darec.export.postgres.queries import best_for_user, most_similar
from darec.export.postgres.versions import Version, newest
from darec.ids.idmap import Id, typed
from darec.listing.lists import Recommendation, RecommendationList
from darec.scoring import check_k

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

T = TypeVar("T")


class PgVectorStore:
    """Recommends from a database that 'darec push' wrote to.

    A store holds one connection and reconnects if that is lost. Each call reads the newest version. Several threads may
    call it; they take turns.

    Args:
        url: ``postgresql://user:password@host:port/database``. Rights to read are enough.
        schema: of the tables.

    Raises:
        ConfigError: the URL is not one of PostgreSQL, or psycopg is not installed.
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
        """The version that is served."""
        return self._read(lambda _, version: version.names.version)

    def recommend(
        self, user: Id, k: int = 10, *, where: str | None = None, exclude_seen: bool = True
    ) -> RecommendationList[Recommendation]:
        """Return the ``k`` best items for a known user, without the items that the user has.

        If vectors were pushed, the index is searched until it has found enough items that may be listed. If a condition
        admits so few items that the index gives up, these are scored one by one. If lists were pushed, a condition
        chooses from the user's list.

        Args:
            user: the user's id.
            k: number of items; a list is shorter if fewer items are left.
            where: a condition over the items' fields, in the same form as for bundles
                (:func:`~darec.export.postgres.conditions.postgres_condition`).
            exclude_seen: leave out the items that the user has.

        Raises:
            DataError: the user is unknown.
            ConfigError: ``k`` is larger than the catalogue or the lists, or the condition is not valid or admits no
                item.
            DatabaseError: the database cannot be reached.
        """

        def ask(
            connection: Connection[Any], version: Version
        ) -> RecommendationList[Recommendation]:
            check_k(k, version.n_items)
            condition = _condition(where, version)
            number = self._number(connection, version, "user", user)
            found = best_for_user(
                connection, version, number, k, condition, exclude_seen=exclude_seen
            )
            if not found and where is not None and not _any(connection, version, condition):
                raise ConfigError(f"no item meets --where {shown(where)}: loosen it.")
            return found

        return self._read(ask, where)

    def similar(self, item: Id, k: int = 10) -> RecommendationList[Recommendation]:
        """Return the ``k`` items most similar to one, the same as :meth:`darec.export.bundle.Bundle.similar` returns.

        Raises:
            DataError: the item is unknown.
            ConfigError: ``k`` is larger than the catalogue or the lists.
            DatabaseError: the database cannot be reached.
        """

        def ask(
            connection: Connection[Any], version: Version
        ) -> RecommendationList[Recommendation]:
            check_k(k, version.n_items)
            number = self._number(connection, version, "item", item)
            return most_similar(connection, version, number, k)

        return self._read(ask)

    def filter(self, where: str) -> list[Id]:
        """Return the ids of the items that meet a condition over their fields."""

        def ask(connection: Connection[Any], version: Version) -> list[Id]:
            query = version.names.fill(
                "SELECT item_id FROM {items} WHERE {condition} ORDER BY number",
                condition=_condition(where, version),
            )
            rows = connection.execute(query).fetchall()
            return typed((row[0] for row in rows), version.ids["item"])

        return self._read(ask, where)

    def _number(self, connection: Connection[Any], version: Version, kind: str, one: Id) -> int:
        from psycopg.sql import SQL, Literal

        text = str(one)
        found = None
        if "\0" not in text:  # no id in the database has such characters
            query = f"SELECT number FROM {{{kind}s}} WHERE {{column}} = {{text}}"
            column = SQL(f"{kind}_id")
            found = connection.execute(
                version.names.fill(query, column=column, text=Literal(text))
            ).fetchone()
        if found is None:
            raise DataError(f"no {kind} {shown(text)} in {self._database.place}.")
        return int(found[0])

    def _read(self, ask: Callable[[Connection[Any], Version], T], where: str | None = None) -> T:
        """Ask in one transaction that only reads."""
        psycopg = import_psycopg()
        with self._lock, self._database.errors():
            for last in (False, True):
                try:
                    connection = self._connected()
                    with connection.transaction():
                        connection.execute("SET TRANSACTION READ ONLY")
                        return ask(connection, newest(connection, self._database, self._schema))
                except psycopg.errors.UndefinedTable as error:  # the version was dropped meanwhile
                    if last:
                        raise DatabaseError(
                            f"nothing was pushed to the schema {self._schema} of {self._database.place} "
                            f"({error.diag.message_primary}): run 'darec push'."
                        ) from None
                except psycopg.OperationalError:  # the connection was lost meanwhile
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


def _condition(where: str | None, version: Version) -> Composable:
    from psycopg.sql import SQL

    return SQL("true") if where is None else postgres_condition(where, version.kinds)


def _any(connection: Connection[Any], version: Version, condition: Composable) -> bool:
    query = "SELECT 1 FROM {items} WHERE {condition} LIMIT 1"
    return connection.execute(version.names.fill(query, condition=condition)).fetchone() is not None
