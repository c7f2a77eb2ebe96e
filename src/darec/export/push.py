"""From a bundle to PostgreSQL: a new version, which is served from one moment to the next or not at all."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from darec.errors import ConfigError, DatabaseError, DataError, shown
from darec.export.bundle import Bundle, open_bundle
from darec.export.postgres import (
    EXTENSION,
    FORMAT,
    OLDEST,
    WIDEST,
    Database,
    Names,
    import_psycopg,
)
from darec.export.sql_conditions import kind_of
from darec.listing.fields import OWN
from darec.progress import OnStage, counted
from darec.scoring import AddedScorer, Scorer, TableScorer
from darec.types import FloatArray, Interactions

if TYPE_CHECKING:
    from psycopg import Connection

_ROWS: Final = 5_000  # sent between two looks at progress
_PATIENCE: Final = "5s"  # for readers of a version that is to be dropped
_TABLES: Final = """
CREATE TABLE {items} (number int NOT NULL, item_id text NOT NULL, shown text NOT NULL, title text, text text,
    fields jsonb NOT NULL, place int NOT NULL, vector vector({width}) NOT NULL);
CREATE TABLE {users} (number int NOT NULL, user_id text NOT NULL, vector vector({width}) NOT NULL);
CREATE TABLE {seen} (user_number int NOT NULL, item_number int NOT NULL)
"""
_INDEXES: Final = {
    "keys": """
ALTER TABLE {items} ADD PRIMARY KEY (number), ADD UNIQUE (item_id);
ALTER TABLE {users} ADD PRIMARY KEY (number), ADD UNIQUE (user_id);
ALTER TABLE {seen} ADD PRIMARY KEY (user_number, item_number)
""",
    "the index of items": "CREATE INDEX ON {items} USING hnsw (vector vector_ip_ops)",
    "the index of items like one": "CREATE INDEX ON {items} USING hnsw (vector vector_cosine_ops)",
    "statistics": "ANALYZE {items}; ANALYZE {users}; ANALYZE {seen}",
}
_VERSIONS: Final = """
CREATE TABLE {versions} (version int PRIMARY KEY, format int NOT NULL, pushed timestamptz NOT NULL DEFAULT now(),
    bundle text NOT NULL, darec text NOT NULL, users int NOT NULL, items int NOT NULL, width int NOT NULL,
    ids jsonb NOT NULL, kinds jsonb NOT NULL)
"""


@dataclass(frozen=True)
class Pushed:
    """What a push has done.

    Attributes:
        place: the database.
        version: what is served now.
        new: whether it was made now; the same bundle is not pushed twice.
        users: how many.
        items: how many.
        replaced: characters that PostgreSQL cannot hold, in titles, texts and fields.
        dropped: earlier versions that were removed.
        kept: earlier versions that could not be removed, since they are read or owned by another role.
        seconds: it took.
    """

    place: str
    version: int
    new: bool
    users: int
    items: int
    replaced: int
    dropped: tuple[int, ...]
    kept: tuple[int, ...]
    seconds: float


def push_bundle(
    bundle: Bundle | str | Path,
    to: str,
    *,
    schema: str = "darec",
    keep: int = 2,
    on_stage: OnStage = lambda _: None,
) -> Pushed:
    """Write a bundle into a database as a new version.

    All is one transaction. Until it ends the earlier version is served, and whatever is killed on the way leaves that.

    Args:
        bundle: whose scorer is two tables, of 2,000 columns at most.
        to: URL of the database, ``postgresql://user:password@host:port/database``.
        schema: of the tables; it is made where it is not there.
        keep: versions that stay, the new one among them.
        on_stage: is told what is done.

    Raises:
        ConfigError: another scorer, tables too wide, or a URL that is none.
        DataError: an id that PostgreSQL cannot hold.
        DatabaseError: the database cannot be reached, lacks pgvector or a right, or is being pushed to already.
        RunError: no whole bundle.
    """
    started = time.monotonic()
    database = Database(to)
    names = Names(schema)
    if keep < 1:
        raise ConfigError(f"--keep={keep}: give at least 1.")
    bundle = bundle if isinstance(bundle, Bundle) else open_bundle(bundle, index=False)
    scorer = _tables(bundle.scorer, str(bundle.path))
    for kind, ids in (("user", bundle.users.texts), ("item", bundle.items.texts)):
        _check_ids(kind, ids)
    push = _Push(bundle, scorer)
    with database.connect() as connection, database.errors():
        with connection.transaction():
            _prepare(connection, database, names)
            number, same = _next(connection, names, bundle.manifest["sha256"])
            if not same:
                push.write(connection, Names(schema, number), on_stage)
        dropped, kept = _prune(connection, names, number, keep)
    return Pushed(
        database.place,
        number,
        not same,
        len(bundle.users),
        len(bundle.items),
        push.replaced,
        dropped,
        kept,
        time.monotonic() - started,
    )


def _tables(scorer: Scorer, path: str) -> TableScorer:
    if not isinstance(scorer, TableScorer):
        what = "tables beside a matrix" if isinstance(scorer, AddedScorer) else "a matrix"
        raise ConfigError(
            f"{path} scores by {what}, and a database ranks by one inner product: push a bundle whose run ends in "
            "tables, or write its lists with 'darec recommend --all' and load that file."
        )
    if not 1 <= scorer.width <= WIDEST:
        raise ConfigError(
            f"{path} has tables of {scorer.width:,} columns, and pgvector's HNSW takes {WIDEST:,} at most: train a "
            "narrower run."
        )
    return scorer


def _check_ids(kind: str, ids: Sequence[str]) -> None:
    for row, one in enumerate(ids):
        if "\0" in one:
            raise DataError(
                f"{kind} id {shown(one)} (row {row}) has a NUL character, which PostgreSQL cannot hold: clean the ids "
                "and import again."
            )


def _prepare(connection: Connection[Any], database: Database, names: Names) -> None:
    """Make the extension, the schema and the table of versions where they are missing; keep other pushes out."""
    psycopg = import_psycopg()
    lock = f"SELECT pg_try_advisory_xact_lock(hashtextextended('darec {names.schema}', 0))"
    if not _value(connection, lock):
        raise DatabaseError(
            f"{database.place}: another push to the schema {names.schema} is under way: wait until it ends."
        )
    # So that the server notices a client that is gone while it builds an index.
    connection.execute("SET LOCAL client_connection_check_interval = '1s'")
    installed = f"SELECT extversion FROM pg_extension WHERE extname = '{EXTENSION}'"
    if _value(connection, installed) is None:
        try:
            connection.execute(f'CREATE EXTENSION "{EXTENSION}"')
        except (
            psycopg.errors.FeatureNotSupported,
            psycopg.errors.UndefinedFile,
            psycopg.errors.InsufficientPrivilege,
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
    if _value(connection, f"SELECT to_regnamespace('{names.schema}')") is None:
        connection.execute(names.fill("CREATE SCHEMA {schema}"))
    if _value(connection, f"SELECT to_regclass('{names.schema}.versions')") is None:
        connection.execute(names.fill(_VERSIONS))


def _value(connection: Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def _next(connection: Connection[Any], names: Names, bundle: str) -> tuple[int, bool]:
    """The number of the version, and whether the newest holds the same bundle already."""
    newest = connection.execute(
        names.fill("SELECT version, bundle, format FROM {versions} ORDER BY version DESC LIMIT 1")
    ).fetchone()
    if newest is None:
        return 1, False
    if newest[2] > FORMAT:
        raise DatabaseError(
            f"the schema {names.schema} was written by a later darec: upgrade darec, or name another --schema."
        )
    return (newest[0], True) if newest[1] == bundle else (newest[0] + 1, False)


def _prune(
    connection: Connection[Any], names: Names, newest: int, keep: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Drop old versions; those that somebody reads, or another role owns, stay until the next push."""
    psycopg = import_psycopg()
    rows = connection.execute(
        names.fill("SELECT version FROM {versions} ORDER BY version DESC")
    ).fetchall()
    dropped, kept = [], []
    for (old,) in rows[keep:]:
        gone = Names(names.schema, old)
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
                connection.execute(gone.fill("DROP TABLE IF EXISTS {items}, {users}, {seen}"))
                connection.execute(
                    gone.fill("DELETE FROM {versions} WHERE version = {old}", old=old)
                )
            dropped.append(old)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
            kept.append(old)
    return tuple(sorted(dropped)), tuple(sorted(kept))


class _Push:
    """Writes the tables of one version.

    Args:
        bundle: what is written.
        scorer: its two tables.

    Attributes:
        replaced: characters that PostgreSQL cannot hold.
    """

    def __init__(self, bundle: Bundle, scorer: TableScorer) -> None:
        self.bundle, self.scorer = bundle, scorer
        self.replaced = 0

    def write(self, connection: Connection[Any], names: Names, on_stage: OnStage) -> None:
        """Write all of them, and the version at last."""
        bundle, width = self.bundle, self.scorer.width
        connection.execute(names.fill(_TABLES, width=width))
        tables = self.scorer.tables
        on_stage(f"writing {len(bundle.items):,} items")
        columns = ["int4", "text", "text", "text", "text", "jsonb", "int4", "bytea"]
        self._copy(connection, names, "items", columns, self._items(tables.items.cpu().numpy()))
        on_stage(f"writing {len(bundle.users):,} users")
        rows = enumerate(zip(bundle.users.texts, _binary(tables.users.cpu().numpy()), strict=True))
        self._copy(
            connection,
            names,
            "users",
            ["int4", "text", "bytea"],
            ((number, user, vector) for number, (user, vector) in rows),
        )
        on_stage(f"writing what they have, {len(bundle.seen):,} pairs")
        _copy_pairs(connection, names, bundle.seen)
        for what, statements in _INDEXES.items():
            on_stage(f"making {what}")
            connection.execute(names.fill(statements))
        kinds = {
            name: kind_of(type_) for name, type_ in bundle.fields.types.items() if name not in OWN
        }
        connection.execute(
            names.fill(
                "INSERT INTO {versions} (version, format, bundle, darec, users, items, width, ids, kinds) VALUES "
                "({version}, {format}, {bundle}, {darec}, {n_users}, {n_items}, {width}, {ids}, {kinds})",
                version=names.version,
                format=FORMAT,
                bundle=bundle.manifest["sha256"],
                darec=version("darec"),
                n_users=len(bundle.users),
                n_items=len(bundle.items),
                width=width,
                ids=json.dumps(bundle.manifest["ids"]),
                kinds=json.dumps(kinds),
            )
        )

    def _copy(
        self,
        connection: Connection[Any],
        names: Names,
        table: str,
        types: list[str],
        rows: Iterator[tuple[Any, ...]],
    ) -> None:
        size = len(self.bundle.items if table == "items" else self.bundle.users)
        query = names.fill("COPY {" + table + "} FROM STDIN (FORMAT BINARY)")
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            copy.set_types(types)
            for start in counted(range(0, size, _ROWS), f"writing {table}"):
                for _ in range(min(_ROWS, size - start)):
                    copy.write_row(next(rows))

    def _items(self, vectors: FloatArray) -> Iterator[tuple[Any, ...]]:
        from psycopg.types.json import Jsonb

        bundle = self.bundle
        own = bundle.fields.columns(OWN)
        others = bundle.fields.columns([name for name in bundle.fields.types if name not in OWN])
        rows = zip(
            own.iter_rows(),
            bundle.titles,
            others.iter_rows(named=True) if others.width else ({} for _ in range(len(own))),
            bundle.scorer.ties.tolist(),
            _binary(vectors),
            strict=True,
        )
        for number, ((item, title, text), shown_, fields, place, vector) in enumerate(rows):
            known = {name: self._json(value) for name, value in fields.items() if value is not None}
            yield (
                number,
                item,
                self._text(shown_),
                self._text(title),
                self._text(text),
                Jsonb(known, _dumps),
                place,
                vector,
            )

    def _text(self, text: str | None) -> str | None:
        if text is None or "\0" not in text:
            return text
        self.replaced += text.count("\0")
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def _json(self, value: Any) -> Any:
        """A value as JSON can hold it; numbers that it cannot are texts, which PostgreSQL reads as those numbers."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        if isinstance(value, dict):
            return {self._text(name): self._json(one) for name, one in value.items()}
        if isinstance(value, list | tuple | pl.Series):
            return [self._json(one) for one in value]
        return value


def _dumps(value: Any) -> str:
    """JSON, with dates and the like as text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _binary(vectors: FloatArray) -> Iterator[bytes]:
    """Each row as pgvector's binary form: its width and nothing as 16 bits each, then big-endian float32."""
    head = np.array([vectors.shape[1], 0], ">u2").tobytes()
    for start in range(0, len(vectors), _ROWS):
        for row in vectors[start : start + _ROWS].astype(">f4"):
            yield head + row.tobytes()


def _copy_pairs(connection: Connection[Any], names: Names, pairs: Interactions) -> None:
    size = 50 * _ROWS
    with (
        connection.cursor() as cursor,
        cursor.copy(names.fill("COPY {seen} FROM STDIN")) as copy,
    ):
        for start in counted(range(0, len(pairs), size), "writing what users have"):
            some = slice(start, start + size)
            frame = pl.DataFrame({"user": pairs.users[some], "item": pairs.items[some]})
            copy.write(frame.write_csv(None, include_header=False, separator="\t"))
