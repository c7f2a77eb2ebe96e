"""Pushes a bundle to PostgreSQL as a new version, in one transaction.

A scorer of two tables is pushed as vectors, and the database ranks items. For any other scorer, lists are ranked here
and pushed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from darec.errors import ConfigError, DataError, shown
from darec.export.bundle import Bundle, open_bundle
from darec.export.postgres.conditions import kind_of
from darec.export.postgres.connection import Database, Names
from darec.export.postgres.queries import best_for_user
from darec.export.postgres.rows import ITEM_TYPES, USER_TYPES, Rows, vectors
from darec.export.postgres.versions import FORMAT, Version, next_version, prepare, prune
from darec.listing.fields import OWN
from darec.listing.search import EXACT
from darec.progress import OnStage, counted
from darec.scoring import TableScorer
from darec.types import FloatArray, IntArray, Interactions

if TYPE_CHECKING:
    from psycopg import Connection

WIDEST: Final = 2000
"""The most columns of a vector that pgvector's HNSW accepts."""
DEPTH: Final = 200
"""Length of a list, if lists are pushed."""
K: Final = 20
"""Length of the lists that measure the database's index."""
_SAMPLE: Final = 100  # number of users whose lists are compared
_ROWS: Final = 5_000  # rows that are sent between two reports of progress
_USERS: Final = 500  # users whose lists are made between two reports of progress
_TABLES: Final = """
CREATE TABLE {items} (number int NOT NULL, item_id text NOT NULL, shown text NOT NULL, title text, text text,
    fields jsonb NOT NULL, place int NOT NULL{vector});
CREATE TABLE {users} (number int NOT NULL, user_id text NOT NULL{vector});
CREATE TABLE {seen} (user_number int NOT NULL, item_number int NOT NULL)
"""
_LISTS: Final = """
CREATE TABLE {lists} (number int NOT NULL, items int[] NOT NULL, scores float4[] NOT NULL);
CREATE TABLE {alike} (number int NOT NULL, items int[] NOT NULL, scores float4[] NOT NULL)
"""
_KEYS: Final = """
ALTER TABLE {items} ADD PRIMARY KEY (number), ADD UNIQUE (item_id);
ALTER TABLE {users} ADD PRIMARY KEY (number), ADD UNIQUE (user_id);
ALTER TABLE {seen} ADD PRIMARY KEY (user_number, item_number);
ANALYZE {items}; ANALYZE {users}; ANALYZE {seen}
"""
_LIST_KEYS: Final = (
    "ALTER TABLE {lists} ADD PRIMARY KEY (number); ALTER TABLE {alike} ADD PRIMARY KEY (number)"
)
_INDEXES: Final = {
    "the index of items": "CREATE INDEX ON {items} USING hnsw (vector vector_ip_ops)",
    "the index of items like one": "CREATE INDEX ON {items} USING hnsw (vector vector_cosine_ops)",
}
_VERSION: Final = """
INSERT INTO {versions} (version, format, bundle, darec, users, items, width, depth, ids, kinds)
VALUES ({version}, {format}, {bundle}, {darec}, {n_users}, {n_items}, {width}, {depth}, {ids}, {kinds})
"""


@dataclass(frozen=True)
class Pushed:
    """The result of a push.

    Attributes:
        place: the database.
        version: that is served now.
        new: whether this push made the version; the same bundle is not pushed twice.
        users: number of users.
        items: number of items.
        depth: length of the lists that were pushed; None: vectors were pushed.
        recall: share of the exact lists of :data:`K` that the database finds by its index, over a sample of users; None
            if lists or nothing were pushed, or there is no user to measure it on.
        replaced: number of characters in titles, texts and fields that PostgreSQL cannot hold.
        dropped: earlier versions that were removed.
        kept: earlier versions that could not be removed because somebody reads them or another role owns them.
        seconds: duration of the push.
    """

    place: str
    version: int
    new: bool
    users: int
    items: int
    depth: int | None
    recall: float | None
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
    depth: int = DEPTH,
    on_stage: OnStage = lambda _: None,
) -> Pushed:
    """Write a bundle into a database as a new version.

    All is one transaction. Until it ends, the earlier version is served; it stays if the push is killed.

    Args:
        bundle: to push. If its scorer is two tables of at most 2,000 columns, vectors are pushed; otherwise lists.
        to: URL of the database, ``postgresql://user:password@host:port/database``.
        schema: of the tables; it is created if it does not exist.
        keep: number of versions that stay, including the new one.
        depth: length of the lists, if lists are pushed.
        on_stage: is called with the name of each stage.

    Raises:
        ConfigError: the tables are too wide, a number is out of range, or the URL is not valid.
        DataError: PostgreSQL cannot hold an id.
        DatabaseError: the database cannot be reached, lacks pgvector or a right, or another push is under way.
        RunError: the bundle is not complete.
    """
    started = time.monotonic()
    database, names = Database(to), Names(schema)
    for option, number in (("keep", keep), ("depth", depth)):
        if number < 1:
            raise ConfigError(f"--{option}={number}: must be at least 1.")
    bundle = bundle if isinstance(bundle, Bundle) else open_bundle(bundle, index=False)
    for kind, ids in (("user", bundle.users.texts), ("item", bundle.items.texts)):
        _check_ids(kind, ids)
    push = _Push(bundle, min(depth, len(bundle.items)))
    with database.connect() as connection, database.errors():
        with connection.transaction():
            prepare(connection, database, names, vectors=push.depth is None)
            number, same = next_version(connection, names, push.content)
            if not same:
                push.write(connection, Names(schema, number), on_stage)
        dropped, kept = prune(connection, names, keep)
    return Pushed(
        place=database.place,
        version=number,
        new=not same,
        users=len(bundle.users),
        items=len(bundle.items),
        depth=push.depth,
        recall=push.recall,
        replaced=push.rows.replaced,
        dropped=dropped,
        kept=kept,
        seconds=time.monotonic() - started,
    )


def _check_ids(kind: str, ids: Sequence[str]) -> None:
    for row, one in enumerate(ids):
        if "\0" in one:
            raise DataError(
                f"{kind} id {shown(one)} (row {row}) has a NUL character, which PostgreSQL cannot hold: clean the ids "
                "and import again."
            )


class _Push:
    """Writes the tables of one version.

    Args:
        bundle: to write.
        depth: length of lists.

    Attributes:
        rows: of the bundle.
        depth: length of lists; None if vectors are written.
        content: hash of the content of the version.
        recall: see :class:`Pushed`.
    """

    recall: float | None = None

    def __init__(self, bundle: Bundle, depth: int) -> None:
        self.bundle, self.rows = bundle, Rows(bundle)
        scorer = bundle.scorer
        self.tables = scorer.tables if isinstance(scorer, TableScorer) else None
        self.depth = depth if self.tables is None else None
        lists = "" if self.depth is None else f" lists of {self.depth}"
        self.content = f"{bundle.manifest['sha256']}{lists}"
        if self.tables is not None and not 1 <= scorer.width <= WIDEST:
            raise ConfigError(
                f"{bundle.path} has tables of {scorer.width:,} columns, and pgvector's HNSW takes {WIDEST:,} at most: "
                "train a narrower run."
            )

    def write(self, connection: Connection[Any], names: Names, on_stage: OnStage) -> None:
        """Write all tables, and last the row of the version."""
        from psycopg.sql import SQL

        bundle, width = self.bundle, self.bundle.scorer.width
        plain = self.tables is None
        column = SQL("" if plain else f", vector vector({width}) NOT NULL")
        connection.execute(names.fill(_TABLES, vector=column))
        items: Iterator[tuple[Any, ...]] = self.rows.items()
        users: Iterator[tuple[Any, ...]] = self.rows.users()
        types: tuple[str, ...] = ()
        if self.tables is not None:
            items = _beside(items, vectors(self.tables.items.cpu().float().numpy()))
            users = _beside(users, vectors(self.tables.users.cpu().float().numpy()))
            types = ("bytea",)
        on_stage(f"writing {len(bundle.items):,} items")
        _copy(connection, names, "items", (*ITEM_TYPES, *types), items, len(bundle.items))
        on_stage(f"writing {len(bundle.users):,} users")
        _copy(connection, names, "users", (*USER_TYPES, *types), users, len(bundle.users))
        on_stage(f"writing their items, {len(bundle.seen):,} pairs")
        _copy_pairs(connection, names, bundle.seen)
        on_stage("making keys")
        connection.execute(names.fill(_KEYS))
        if self.depth is not None:
            self._write_lists(connection, names, self.depth, on_stage)
        else:
            for what, statements in _INDEXES.items():
                on_stage(f"making {what}")
                connection.execute(names.fill(statements))
            on_stage("comparing its lists with exact ones")
            self.recall = self._measured(connection, names)
        fields = bundle.fields.types.items()
        about = {
            "version": names.version,
            "format": FORMAT,
            "bundle": self.content,
            "darec": version("darec"),
            "n_users": len(bundle.users),
            "n_items": len(bundle.items),
            "width": None if plain else width,
            "depth": self.depth,
            "ids": json.dumps(bundle.manifest["ids"]),
            "kinds": json.dumps({name: kind_of(one) for name, one in fields if name not in OWN}),
        }
        connection.execute(names.fill(_VERSION, **about))

    def _measured(self, connection: Connection[Any], names: Names) -> float | None:
        """Return the share of a sample of exact lists that the index finds through a store."""
        from psycopg.sql import SQL

        bundle, k = self.bundle, min(K, len(self.bundle.items))
        draw = np.random.default_rng(0)
        users = draw.permutation(np.flatnonzero(bundle.seen.user_degree))[:_SAMPLE]
        version = Version(names, len(bundle.items), bundle.manifest["ids"], {}, None)
        shares = []
        for user, row in zip(
            users, bundle.scorer.top_k(users, k, exclude=bundle.seen)[0], strict=True
        ):
            exact = {bundle.items.ids[item] for item in row if item >= 0}
            found = best_for_user(connection, version, int(user), k, SQL("true"), exclude_seen=True)
            shares.append(len(exact & {one.item_id for one in found}) / max(len(exact), 1))
        return float(np.mean(shares)) if shares else None

    def _write_lists(
        self, connection: Connection[Any], names: Names, depth: int, on_stage: OnStage
    ) -> None:
        """Write lists of users, without the items that they have, and lists of items like one."""
        bundle, scorer = self.bundle, self.bundle.scorer

        def of_users(rows: IntArray) -> tuple[IntArray, FloatArray]:
            return scorer.top_k(rows, depth, exclude=bundle.seen)

        def of_items(rows: IntArray) -> tuple[IntArray, FloatArray]:
            found = [EXACT.similar(scorer, int(row), depth) for row in rows]
            return np.concatenate([one.items for one in found]), np.concatenate(
                [one.scores for one in found]
            )

        connection.execute(names.fill(_LISTS))
        for table, size, ranked in (
            ("lists", len(bundle.users), of_users),
            ("alike", len(bundle.items), of_items),
        ):
            what = "users" if table == "lists" else "items like one"
            on_stage(f"ranking and writing {size:,} lists of {what}")
            types = ("int4", "int4[]", "float4[]")
            _copy(connection, names, table, types, _lists(size, ranked), size)
        connection.execute(names.fill(_LIST_KEYS))


def _lists(
    size: int, ranked: Callable[[IntArray], tuple[IntArray, FloatArray]]
) -> Iterator[tuple[Any, ...]]:
    for start in range(0, size, _USERS):
        rows = np.arange(start, min(start + _USERS, size))
        for row, items, scores in zip(rows, *ranked(rows), strict=True):
            there = items >= 0
            yield int(row), items[there].tolist(), scores[there].tolist()


def _beside(rows: Iterator[tuple[Any, ...]], more: Iterator[bytes]) -> Iterator[tuple[Any, ...]]:
    return ((*row, one) for row, one in zip(rows, more, strict=True))


def _copy(
    connection: Connection[Any],
    names: Names,
    table: str,
    types: Sequence[str],
    rows: Iterator[tuple[Any, ...]],
    size: int,
) -> None:
    query = names.fill("COPY {" + table + "} FROM STDIN (FORMAT BINARY)")
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.set_types(types)
        for start in counted(range(0, size, _ROWS), f"writing {table}"):
            for _ in range(min(_ROWS, size - start)):
                copy.write_row(next(rows))


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
