"""Versions of what was pushed: which is served, which comes next, and which may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from darec.errors import DatabaseError
from darec.export.postgres.connection import Database, Names, import_psycopg

if TYPE_CHECKING:
    from psycopg import Connection

FORMAT: Final = 1
"""Of the tables."""
EXTENSION: Final = "vector"
OLDEST: Final = (0, 8)
"""Version of pgvector with iterative scans, which lists by a filter need."""
_PATIENCE: Final = "5s"  # for readers of a version that is to be dropped
_VERSIONS: Final = """
CREATE TABLE {versions} (version int PRIMARY KEY, format int NOT NULL, pushed timestamptz NOT NULL DEFAULT now(),
    bundle text NOT NULL, darec text NOT NULL, users int NOT NULL, items int NOT NULL, width int, depth int,
    ids jsonb NOT NULL, kinds jsonb NOT NULL)
"""


@dataclass(frozen=True)
class Version:
    """What one push wrote.

    Attributes:
        names: of its tables.
        n_items: I.
        ids: types of the ids of users and items.
        kinds: types of the items' fields, see :func:`darec.export.postgres.conditions.kind_of`.
        depth: length of the lists that it holds; None: it holds vectors.
    """

    names: Names
    n_items: int
    ids: dict[str, Any]
    kinds: dict[str, str]
    depth: int | None


def newest(connection: Connection[Any], database: Database, schema: str) -> Version:
    """What is served. Raises ``DatabaseError`` where nothing was pushed, or by a later darec."""
    row = connection.execute(
        Names(schema).fill(
            "SELECT version, format, items, ids, kinds, depth FROM {versions} ORDER BY version DESC LIMIT 1"
        )
    ).fetchone()
    if row is None:
        raise DatabaseError(
            f"nothing was pushed to the schema {schema} of {database.place}: run 'darec push'."
        )
    if row[1] > FORMAT:
        raise DatabaseError(
            f"the schema {schema} of {database.place} was written by a later darec: upgrade darec."
        )
    return Version(Names(schema, row[0]), *row[2:])


def prepare(
    connection: Connection[Any], database: Database, names: Names, *, vectors: bool
) -> None:
    """Make the extension, the schema and the table of versions where they are missing; keep other pushes out."""
    lock = f"SELECT pg_try_advisory_xact_lock(hashtextextended('darec {names.schema}', 0))"
    if not _value(connection, lock):
        raise DatabaseError(
            f"{database.place}: another push to the schema {names.schema} is under way: wait until it ends."
        )
    # So that the server notices a client that is gone while it builds an index.
    connection.execute("SET LOCAL client_connection_check_interval = '1s'")
    if vectors:
        _extend(connection, database)
    if _value(connection, f"SELECT to_regnamespace('{names.schema}')") is None:
        connection.execute(names.fill("CREATE SCHEMA {schema}"))
    if _value(connection, f"SELECT to_regclass('{names.schema}.versions')") is None:
        connection.execute(names.fill(_VERSIONS))


def _extend(connection: Connection[Any], database: Database) -> None:
    """Have pgvector, and recent enough."""
    errors = import_psycopg().errors
    installed = f"SELECT extversion FROM pg_extension WHERE extname = '{EXTENSION}'"
    if _value(connection, installed) is None:
        try:
            connection.execute(f'CREATE EXTENSION "{EXTENSION}"')
        except (
            errors.FeatureNotSupported,
            errors.UndefinedFile,
            errors.InsufficientPrivilege,
        ) as error:
            raise DatabaseError(
                f"{database.place} has no pgvector ({error.diag.message_primary}): install it on the server, and have "
                f"its owner run CREATE EXTENSION {EXTENSION}."
            ) from None
    found = str(_value(connection, installed))
    if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
        raise DatabaseError(
            f"{database.place} has pgvector {found}, and {OLDEST[0]}.{OLDEST[1]} is the oldest that darec uses: have "
            f"its owner run ALTER EXTENSION {EXTENSION} UPDATE."
        )


def _value(connection: Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def next_version(connection: Connection[Any], names: Names, content: str) -> tuple[int, bool]:
    """The number of the version, and whether the newest holds the same already."""
    last = connection.execute(
        names.fill("SELECT version, bundle, format FROM {versions} ORDER BY version DESC LIMIT 1")
    ).fetchone()
    if last is None:
        return 1, False
    if last[2] > FORMAT:
        raise DatabaseError(
            f"the schema {names.schema} was written by a later darec: upgrade darec, or name another --schema."
        )
    return (last[0], True) if last[1] == content else (last[0] + 1, False)


def prune(
    connection: Connection[Any], names: Names, keep: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Drop old versions; those that somebody reads, or another role owns, stay until the next push.

    Args:
        connection: in no transaction.
        names: with the schema.
        keep: how many stay.

    Returns:
        What was dropped, and what should have been.
    """
    errors = import_psycopg().errors
    rows = connection.execute(
        names.fill("SELECT version FROM {versions} ORDER BY version DESC")
    ).fetchall()
    dropped, kept = [], []
    for (old,) in rows[keep:]:
        gone = Names(names.schema, old)
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
                tables = "{items}, {users}, {seen}, {lists}, {alike}"
                connection.execute(gone.fill(f"DROP TABLE IF EXISTS {tables}"))
                connection.execute(
                    gone.fill("DELETE FROM {versions} WHERE version = {old}", old=old)
                )
            dropped.append(old)
        except (errors.LockNotAvailable, errors.InsufficientPrivilege):
            kept.append(old)
    return tuple(sorted(dropped)), tuple(sorted(kept))
