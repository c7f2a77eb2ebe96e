"""The versions in a database: which is served, which comes next, and which are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from darec.errors import DatabaseError
from darec.export.postgres.connection import Database, Names, import_psycopg

if TYPE_CHECKING:
    from psycopg import Connection

FORMAT: Final = 1
"""Version of the tables' format."""
EXTENSION: Final = "vector"
OLDEST: Final = (0, 8)
"""The first version of pgvector with iterative scans; lists with a filter need them."""
_PATIENCE: Final = "5s"  # time to wait for readers of a version that is to be dropped
_VERSIONS: Final = """
CREATE TABLE {versions} (version int PRIMARY KEY, format int NOT NULL, pushed timestamptz NOT NULL DEFAULT now(),
    bundle text NOT NULL, darec text NOT NULL, users int NOT NULL, items int NOT NULL, width int, depth int,
    ids jsonb NOT NULL, kinds jsonb NOT NULL)
"""


@dataclass(frozen=True)
class Version:
    """The result of one push in the database.

    Attributes:
        names: of its tables.
        n_items: number of items I.
        ids: types of the ids of users and items.
        kinds: types of the items' fields, see :func:`darec.export.postgres.conditions.kind_of`.
        depth: length of its lists; None: it holds vectors.
    """

    names: Names
    n_items: int
    ids: dict[str, Any]
    kinds: dict[str, str]
    depth: int | None


def newest(connection: Connection[Any], database: Database, schema: str) -> Version:
    """Return the version that is served. Raises ``DatabaseError`` if nothing was pushed, or a later darec pushed it."""
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
    """Create the extension, the schema and the table of versions if they are missing, and lock out other pushes."""
    lock = f"SELECT pg_try_advisory_xact_lock(hashtextextended('darec {names.schema}', 0))"
    if not _value(connection, lock):
        raise DatabaseError(
            f"{database.place}: another push to the schema {names.schema} is under way: wait until it ends."
        )
    # With this the server notices during the build of an index that its client is gone.
    connection.execute("SET LOCAL client_connection_check_interval = '1s'")
    if vectors:
        _extend(connection, database)
    if _value(connection, f"SELECT to_regnamespace('{names.schema}')") is None:
        connection.execute(names.fill("CREATE SCHEMA {schema}"))
    if _value(connection, f"SELECT to_regclass('{names.schema}.versions')") is None:
        connection.execute(names.fill(_VERSIONS))


def _extend(connection: Connection[Any], database: Database) -> None:
    """Create pgvector if it is missing, and check its version."""
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
    """Return the number of the version, and whether the newest version already has the same content."""
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
    """Drop old versions; versions that somebody reads or another role owns stay until the next push.

    Args:
        connection: outside a transaction.
        names: of the schema.
        keep: number of versions that stay.

    Returns:
        The versions that were dropped, and those that could not be dropped.
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
