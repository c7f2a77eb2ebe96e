"""A push into a real PostgreSQL with pgvector, and what is served of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import darec
from command_line import call, refused
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DatabaseError, DataError
from darec.export.bundle import Bundle
from darec.export.postgres import push as pushing
from darec.export.postgres import versions
from darec.export.postgres.conditions import postgres_condition
from darec.export.postgres.connection import Database
from darec.export.postgres.store import PgVectorStore
from darec.ids.idmap import IdMap
from darec.run import Run
from darec.scoring import AddedScorer, MatrixScorer, Scorer, TableScorer
from darec.types import Interactions, Tables
from postgres import SECRET, as_role

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (darec[postgres])")

USERS, ITEMS = 12, 400


@pytest.fixture
def sql(postgres: str) -> Iterator[Callable[..., list[Any]]]:
    """Asks the server something."""
    with psycopg.connect(postgres, autocommit=True) as connection:

        def ask(query: str) -> list[Any]:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

        yield ask


@pytest.fixture
def schema(request: pytest.FixtureRequest, sql: Callable[..., list[Any]]) -> Iterator[str]:
    """A schema that is this test's alone."""
    name = f"s{abs(hash(request.node.name)) % 10**9}"
    yield name
    sql(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def shop(
    seed: int = 0,
    *,
    item: Callable[[int], Any] = lambda n: f'it\'em "{n}" \\ %',
    kind: str = "tables",
    copies: int = 4,
    width: int = 6,
) -> Run:
    draw = np.random.default_rng(seed)
    pairs = np.repeat(np.arange(USERS - 1), 9), draw.integers(0, ITEMS, 9 * (USERS - 1))
    train = Interactions.from_pairs(*pairs, USERS, ITEMS)
    empty = Interactions.from_pairs(*np.zeros((2, 0), np.int64), USERS, ITEMS)
    ids = IdMap("user", range(USERS), "int64"), IdMap("item", map(item, range(ITEMS)))
    titles = pl.DataFrame(
        {
            "item_id": ids[1].texts,
            "title": [None if n % 7 == 0 else f"Thing {n}" for n in range(ITEMS)],
            "text": [f"word{n % 3} 50% off" for n in range(ITEMS)],
        }
    )
    extra = pl.DataFrame(
        {
            "item_id": ids[1].texts,
            "price": [None if n % 11 == 0 else n / 4 for n in range(ITEMS)],
            "stock": [n % 5 for n in range(ITEMS)],
            "in stock": [n % 2 == 0 for n in range(ITEMS)],
            "brand": [None if n % 13 == 0 else f"b'{n % 9}" for n in range(ITEMS)],
            "tags": [None if n % 17 == 0 else [f"t{n % 4}", f"t{n % 6}"] for n in range(ITEMS)],
            "sizes": [[n % 3, n % 5] for n in range(ITEMS)],
            "odd": [float("nan") if n % 2 else float("inf") for n in range(ITEMS)],
        }
    )
    data = Dataset(*ids, train, empty, empty, titles, extra=extra.lazy())
    rows = np.repeat(draw.standard_normal((ITEMS // copies, width)), copies, axis=0)
    rows[5:9] = 0  # items of which nothing is known
    users = draw.standard_normal((USERS, width))
    users[-1] = 0
    tables = Tables(*(torch.from_numpy(one.astype(np.float32)) for one in (users, rows)))
    scorer: Scorer = TableScorer(tables, ids[1].tie_order)
    if kind != "tables":
        histories = np.zeros((USERS, ITEMS), np.float32)
        from scipy import sparse

        histories[train.users, train.items] = 1
        B = draw.standard_normal((ITEMS, ITEMS)).astype(np.float32)
        matrix = MatrixScorer(B, sparse.csr_array(histories), scorer.ties)
        scorer = matrix if kind == "matrix" else AddedScorer([scorer, matrix], [1, 1])
    return Run(resolve_config(), data, scorer, {})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return darec.export_bundle(shop(), tmp_path_factory.mktemp("push") / "shop.darec")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return darec.export_bundle(shop(1), tmp_path_factory.mktemp("push") / "other.darec")


@pytest.fixture(scope="module")
def store(postgres: str, bundle: Bundle) -> Iterator[PgVectorStore]:
    darec.push_bundle(bundle, postgres, schema="shared")
    with PgVectorStore(postgres, "shared") as store:
        yield store


def same(ours: Any, theirs: Any) -> None:
    assert [(one.rank, one.item_id, one.title) for one in ours] == [
        (one.rank, one.item_id, one.title) for one in theirs
    ]
    scores = [[one.score for one in found] for found in (ours, theirs)]
    np.testing.assert_allclose(*scores, rtol=1e-5, atol=1e-5)


def test_it_answers_as_the_bundle_does(store: PgVectorStore, bundle: Bundle) -> None:
    """Order, titles, scores and ties, of users with and without a history, and rows of zeros."""
    for user in bundle.users.ids:
        same(store.recommend(user, 7), bundle.recommend(user, 7))
    same(store.recommend(3, 7, exclude_seen=False), bundle.recommend(3, 7, exclude_seen=False))
    for where in ("price < 3", "\"in stock\" = true and 't2' = any(tags)", "stock = 4"):
        same(store.recommend(3, 7, where=where), bundle.recommend(3, 7, where=where))
    for row in (6, 77, 399):
        item = bundle.items.ids[row]
        same(store.similar(item, 9), bundle.similar(item, 9))
    same(store.recommend(3, ITEMS), bundle.recommend(3, ITEMS))
    same(store.similar(bundle.items.ids[6], ITEMS), bundle.similar(bundle.items.ids[6], ITEMS))


FIELDS = ("price", "stock", '"in stock"', "brand", "tags", "sizes", "title", "text", "odd")
conditions = st.recursive(
    st.sampled_from(
        [
            *(f"{field} is null" for field in FIELDS),
            *(f"{field} is not null" for field in FIELDS),
            *(f"price {sign} {n}" for sign in ("<", "<=", "=", "<>", ">=", ">") for n in (0, 7.25)),
            *("price between 3 and 50", "stock in (1, 3)", "stock not in (1, 3)", "stock * 2 > 5"),
            *('"in stock"', '"in stock" = false', "brand = 'b''3'", "brand > 'b''5'"),
            *("'t3' = any(tags)", "array_length(tags) > 1", "2 = any(sizes)", "odd > 5", "odd < 5"),
            *("title like '%1%'", "title like 'Thing _'", "lower(title) = 'thing 9'"),
            *("length(title) = 8", "coalesce(price, 1) = 1", "abs(price - 9) < 2", "stock + -1 > 1"),
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda one: f"({' '.join(one)})"),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(condition=conditions)
def test_a_condition_means_the_same_in_both(
    store: PgVectorStore, bundle: Bundle, condition: str
) -> None:
    assert store.filter(condition) == bundle.filter(condition)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("prize < 3", "did you mean 'price'"),
        ("1 = 1; drop table items", "is not a condition at '; drop table items'"),
        ("true) or (select true", "no field 'select'"),
        ("price < 3 -- all", "no field 'all'"),
        ("pg_sleep(9) is null", "the database does not know 'pg_sleep'"),
        ("version() = 'x'", "the database does not know 'version'"),
        ("vector is null", "no field 'vector'"),
        ("fields is null", "no field 'fields'"),
        ("number = 3", "no field 'number'"),
        ('"price"";x" = 1', "no field 'price\";x'"),
        ("price = $1", "is not a condition at '\\$1'"),
        ("price = %s", "no field 's'"),
        ("title = 'a\0b'", "is not a condition"),
        ("title = E'a'", "no field 'E'"),
        ("price <", "does not fit the fields"),
        ("price", "does not fit the fields"),
        ("brand < 3 + 'x'", "does not fit the fields"),
        ("price / 0 > 1", "does not fit the fields|no item meets"),
        ("", "is empty"),
        ("price < 1" + " or price < 1" * 300, "at most 2,000 are allowed"),
        ("price > 1e9", "no item meets where='price > 1e9'|no item meets where 'price > 1e9'"),
    ],
)
def test_conditions_that_are_none(store: PgVectorStore, where: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        store.recommend(3, 2, where=where)
    assert len(store.recommend(3, 2)) == 2, "the connection is as good as before"


@settings(max_examples=200, deadline=None)
@given(condition=st.text(st.sampled_from("price'\"()=<>-*/;%$\\ \n\0ünot,.1e9E{}"), max_size=25))
def test_whatever_a_condition_is_it_is_read_or_refused(condition: str) -> None:
    try:
        made = postgres_condition(condition, {"price": "float8"}).as_string()
    except ConfigError:
        return
    outside = "".join(made.split("'")[::2])  # of text
    assert ";" not in outside and "--" not in outside and "/*" not in outside


def test_what_a_store_refuses(store: PgVectorStore) -> None:
    with pytest.raises(DataError, match="no user '99' in"):
        store.recommend(99)
    for item in ("nothing", "a\0b", "'; drop table x"):
        with pytest.raises(DataError, match="no item"):
            store.similar(item)
    with pytest.raises(ConfigError, match="K = 401 is larger than the catalogue"):
        store.recommend(3, 401)
    with pytest.raises(ConfigError, match="K = 0"):
        store.similar("x", 0)


def test_a_large_catalogue_is_searched_by_its_index(
    postgres: str, schema: str, sql: Callable[..., list[Any]], tmp_path: Path
) -> None:
    """With seen items, with a filter that admits many and with one that admits five."""
    from test_index import shop as large

    run = large(copies=4)
    bundle = darec.export_bundle(run, tmp_path / "b")
    pushed = darec.push_bundle(bundle, postgres, schema=schema)
    assert pushed.recall is not None and 0.95 < pushed.recall <= 1
    with PgVectorStore(postgres, schema) as store:
        plan = "\n".join(
            row[0]
            for row in sql(
                f"EXPLAIN SELECT number FROM {schema}.items_1 WHERE number <> ALL (ARRAY(SELECT item_number FROM "
                f"{schema}.seen_1 WHERE user_number = 3)) ORDER BY vector <#> (SELECT vector FROM {schema}.users_1 "
                "WHERE number = 3) LIMIT 20"
            )
        )
        assert "Index Scan using items_1_vector_idx on items_1" in plan
        overlap = []
        for user in range(20):
            ours, theirs = store.recommend(user, 10), bundle.recommend(user, 10)
            overlap.append(len({one.item_id for one in ours} & {one.item_id for one in theirs}))
            few = store.recommend(user, 10, where="price >= 3995")
            same(few, bundle.recommend(user, 10, where="price >= 3995"))
            assert len(few) <= 5
            half = store.recommend(user, 10, where="price < 2000")
            assert len(half) == 10 and all(one.item_id < 2000 for one in half)
        assert np.mean(overlap) > 9


def test_a_new_version_is_served_at_once_and_old_ones_go(
    postgres: str, schema: str, bundle: Bundle, other: Bundle, sql: Callable[..., list[Any]]
) -> None:
    first = darec.push_bundle(bundle, postgres, schema=schema)
    assert (first.version, first.new, first.dropped) == (1, True, ())
    again = darec.push_bundle(bundle, postgres, schema=schema)
    assert (again.version, again.new) == (1, False)
    with PgVectorStore(postgres, schema) as store:
        same(store.recommend(3, 5), bundle.recommend(3, 5))
        assert darec.push_bundle(other, postgres, schema=schema).version == 2
        same(store.recommend(3, 5), other.recommend(3, 5))
        assert store.version == 2
        third = darec.push_bundle(bundle, postgres, schema=schema)
        assert (third.version, third.dropped) == (3, (1,))
        same(store.recommend(3, 5), bundle.recommend(3, 5))
    there = {row[0] for row in sql(f"SELECT tablename FROM pg_tables WHERE schemaname='{schema}'")}
    assert there == {"versions", *(f"{one}_{n}" for one in ("items", "users", "seen") for n in (2, 3))}  # fmt: skip
    assert darec.push_bundle(other, postgres, schema=schema, keep=1).dropped == (2, 3)


def test_an_old_version_that_is_read_stays_until_the_next_push(
    postgres: str, schema: str, bundle: Bundle, other: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_PATIENCE", "100ms")
    darec.push_bundle(bundle, postgres, schema=schema)
    with psycopg.connect(postgres) as reader:
        reader.execute(f"SELECT 1 FROM {schema}.items_1")
        pushed = darec.push_bundle(other, postgres, schema=schema, keep=1)
        assert (pushed.version, pushed.dropped, pushed.kept) == (2, (), (1,))
        assert reader.execute(f"SELECT count(*) FROM {schema}.items_1").fetchone() == (ITEMS,)
    assert darec.push_bundle(other, postgres, schema=schema, keep=1).dropped == (1,)


def test_a_push_that_fails_changes_nothing(
    postgres: str,
    schema: str,
    bundle: Bundle,
    other: Bundle,
    sql: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    darec.push_bundle(bundle, postgres, schema=schema)
    with monkeypatch.context() as patched:
        patched.setitem(pushing._INDEXES, "the index of items like one", "SELECT 1 / 0")
        with pytest.raises(DatabaseError, match="division by zero"):
            darec.push_bundle(other, postgres, schema=schema)
    assert sql(f"SELECT to_regclass('{schema}.items_2')") == [(None,)]
    with PgVectorStore(postgres, schema) as store:
        same(store.recommend(3, 5), bundle.recommend(3, 5))
    assert darec.push_bundle(other, postgres, schema=schema).version == 2


def test_a_push_whose_client_is_killed_leaves_the_old_version(
    postgres: str,
    schema: str,
    bundle: Bundle,
    other: Bundle,
    sql: Callable[..., list[Any]],
) -> None:
    """Killed once items, users and what they have are written."""
    darec.push_bundle(bundle, postgres, schema=schema)
    code = (
        "import darec, time\n"
        "from darec.export.postgres import push\n"
        "inner = push._copy_pairs\n"
        "def stop(*given):\n"
        "    inner(*given)\n"
        "    print('there', flush=True)\n"
        "    time.sleep(60)\n"
        "push._copy_pairs = stop\n"
        f"darec.push_bundle({str(other.path)!r}, {postgres!r}, schema={schema!r})\n"
    )
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert client.stdout and client.stdout.readline() == b"there\n"
    with PgVectorStore(postgres, schema) as store:
        same(store.recommend(3, 5), bundle.recommend(3, 5))
        with pytest.raises(DatabaseError, match=r"another push to the schema .* is under way"):
            darec.push_bundle(other, postgres, schema=schema)
        os.kill(client.pid, signal.SIGKILL)
        client.wait()
        same(store.recommend(3, 5), bundle.recommend(3, 5))
        for _ in range(100):  # until the server has noticed
            if not sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"):
                break
            time.sleep(0.02)
        assert sql(f"SELECT to_regclass('{schema}.items_2')") == [(None,)]
        assert darec.push_bundle(other, postgres, schema=schema).version == 2
        same(store.recommend(3, 5), other.recommend(3, 5))


def test_a_store_connects_anew(
    postgres: str, bundle: Bundle, sql: Callable[..., list[Any]], schema: str
) -> None:
    darec.push_bundle(bundle, postgres, schema=schema)
    with PgVectorStore(postgres, schema) as store:
        before = store.recommend(3, 5)
        sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
            "application_name = 'darec'"
        )
        assert store.recommend(3, 5) == before
    assert store.recommend(3, 5) == before, "closing is no end"
    store.close()


def test_rights(postgres: str, schema: str, bundle: Bundle, sql: Callable[..., list[Any]]) -> None:
    nobody = as_role(postgres, "nobody")
    with pytest.raises(DatabaseError, match="permission denied for database"):
        darec.push_bundle(bundle, nobody, schema=schema)
    darec.push_bundle(bundle, postgres, schema=schema)
    for ask in (
        lambda: PgVectorStore(nobody, schema),
        lambda: darec.push_bundle(bundle, nobody, schema=schema),
    ):
        with pytest.raises(DatabaseError, match=f"permission denied for schema {schema}"):
            ask()
    sql(f"GRANT USAGE ON SCHEMA {schema} TO nobody")
    sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO nobody")
    with PgVectorStore(nobody, schema) as store:
        same(store.recommend(3, 5), bundle.recommend(3, 5))


def test_passwords_are_used_and_never_told(
    postgres: str, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = as_role(postgres, "reader", SECRET)
    with pytest.raises(DatabaseError, match="permission denied"):  # it has come in
        darec.push_bundle(bundle, right, schema="readers")
    port = free_port()
    urls = [
        as_role(postgres, "reader", "wr0ng"),
        f"postgresql://me:wr0ng@127.0.0.1:{port}/shop",
        "postgresql://me:wr0ng@nowhere.invalid/shop",
        "postgresql://me:wr0ng/x@host/shop",
        "postgresql://me:x/wr0ng@host/shop",
        "postgresql://me:wr0ng?x@host/shop",
        "postgresql://me:x#wr0ng@127.0.0.1:1/shop",
        "postgresql://me:p:wr0ng@x@host:12x/shop",
        "postgresql://me:wr0ng%zz@host/shop",
        "postgresql://me@127.0.0.1:1/shop?password=wr0ng",
        "postgresql://me:wr0ng@127.0.0.1:1/shop?sslmode=wr0ng",
        "mysql://me:wr0ng@host/shop",
        "me:wr0ng@host",
        "host=127.0.0.1 port=1 password=wr0ng",
    ]
    for url in urls:
        said = refused(capsys, "push", bundle.path, "--to", url)
        assert "wr0ng" not in said, said
    assert "password authentication failed for user \"reader\"" in refused(
        capsys, "push", bundle.path, "--to", urls[0]
    )  # fmt: skip
    assert f"no connection to the database 127.0.0.1:{port}/shop" in refused(
        capsys, "push", bundle.path, "--to", urls[1]
    )
    assert "wr0ng" not in repr(Database(urls[1]))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_without_pgvector(
    postgres: str,
    bundle: Bundle,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(versions, "EXTENSION", "vector_of_old")
        said = refused(capsys, "push", bundle.path, "--to", postgres)
    assert "has no pgvector (extension \"vector_of_old\" is not available)" in said  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(versions, "OLDEST", (99, 0))
        assert "99.0 is the oldest" in refused(capsys, "push", bundle.path, "--to", postgres)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bare")
        connection.execute("CREATE DATABASE bare")
    bare = as_role(postgres, "nobody").replace("/postgres?", "/bare?")
    assert "permission denied to create extension" in refused(
        capsys, "push", bundle.path, "--to", bare
    )
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install 'darec[postgres]'" in refused(capsys, "push", bundle.path, "--to", postgres)


def test_nothing_pushed_and_later_versions(
    postgres: str, schema: str, bundle: Bundle, sql: Callable[..., list[Any]]
) -> None:
    with pytest.raises(DatabaseError, match="nothing was pushed to the schema"):
        PgVectorStore(postgres, schema)
    darec.push_bundle(bundle, postgres, schema=schema)
    sql(f"UPDATE {schema}.versions SET format = 2")
    for ask in (
        lambda: PgVectorStore(postgres, schema),
        lambda: darec.push_bundle(bundle, postgres, schema=schema),
    ):
        with pytest.raises(DatabaseError, match="written by a later darec"):
            ask()
    sql(f"DELETE FROM {schema}.versions")
    with pytest.raises(DatabaseError, match="nothing was pushed"):
        PgVectorStore(postgres, schema)
    sql(f"DROP SCHEMA {schema} CASCADE")
    sql(f"CREATE SCHEMA {schema}")
    sql(f"CREATE TABLE {schema}.versions (mine int)")
    with pytest.raises(DatabaseError, match="does not exist"):
        darec.push_bundle(bundle, postgres, schema=schema)
    for name in ("Wrong", "pg_x", "a b", "x'; --", "", "9x"):
        with pytest.raises(ConfigError, match="schema"):
            PgVectorStore(postgres, name)


def test_what_is_no_pair_of_tables_is_pushed_as_lists(
    postgres: str, schema: str, tmp_path: Path, sql: Callable[..., list[Any]]
) -> None:
    for number, kind in enumerate(("matrix", "both"), 1):
        bundle = darec.export_bundle(shop(kind=kind), tmp_path / kind)
        pushed = darec.push_bundle(bundle, postgres, schema=schema, depth=30)
        assert (pushed.version, pushed.depth) == (number, 30)
        assert not darec.push_bundle(bundle, postgres, schema=schema, depth=30).new
        with PgVectorStore(postgres, schema) as store:
            for user in bundle.users.ids:
                same(store.recommend(user, 7), bundle.recommend(user, 7))
            item = bundle.items.ids[3]
            same(store.similar(item, 30), bundle.similar(item, 30))
            whole = bundle.recommend(3, 30)
            cheap = set(bundle.filter("price < 50"))
            some = store.recommend(3, 9, where="price < 50")
            assert [one.item_id for one in some] == [
                one.item_id for one in whole if one.item_id in cheap
            ][:9]
            with pytest.raises(ConfigError, match=r"lists of 30 were pushed.*depth=31"):
                store.recommend(3, 31)
            with pytest.raises(ConfigError, match=r"exclude_seen=False: lists were pushed"):
                store.recommend(3, 3, exclude_seen=False)
            with pytest.raises(ConfigError, match="no item meets"):
                store.recommend(3, 3, where="price > 1e9")
            first = bundle.items.row(whole[0].item_id)
            sql(f"INSERT INTO {schema}.seen_{number} VALUES (3, {first})")  # bought today
            assert [one.item_id for one in store.recommend(3, 5)] == [
                one.item_id for one in whole[1:6]
            ]
    assert darec.push_bundle(bundle, postgres, schema=schema, depth=10).new
    small = darec.push_bundle(bundle, postgres, schema=schema, depth=10_000, keep=1)
    assert (small.depth, small.dropped) == (ITEMS, (2, 3))


def test_what_is_not_pushed(postgres: str, schema: str, tmp_path: Path) -> None:
    wide = darec.export_bundle(shop(width=2001), tmp_path / "wide")
    with pytest.raises(ConfigError, match="2,001 columns, and pgvector's HNSW takes 2,000"):
        darec.push_bundle(wide, postgres, schema=schema)
    nul = darec.export_bundle(shop(item=lambda n: f"x\0{n}"), tmp_path / "nul")
    with pytest.raises(DataError, match=r"item id 'x\\x000' \(row 0\) has a NUL"):
        darec.push_bundle(nul, postgres, schema=schema)


def test_odd_text_and_the_command(
    postgres: str, schema: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shop(item=lambda n: f"ü\t{n}\n\\N '\";--")
    odd = run.dataset.catalogue.with_columns(title=pl.lit("a\0b\t\\.'"))
    from dataclasses import replace

    data = replace(run.dataset, catalogue=odd)
    bundle = darec.export_bundle(Run(run.config, data, run.scorer, {}), tmp_path / "b")
    push = ["push", bundle.path, "--to", postgres, "--schema", schema]
    assert call(*push) == 0
    said = capsys.readouterr()
    assert (
        "version 1, 12 users, 400 items, as vectors, in" in said.out
        and "writing 400 items" in said.err
    )
    assert "800 NUL characters in titles" in said.err
    assert "recall@20 1.0000 against exact lists" in said.out
    assert call(*push) == 0
    assert "version 1 already holds this bundle" in capsys.readouterr().out
    assert call(*push, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["new"] is False
    with PgVectorStore(postgres, schema) as store:
        found = store.recommend(3, 3)
        assert found[0].item_id == bundle.recommend(3, 3)[0].item_id
        assert found[0].title == "a\N{REPLACEMENT CHARACTER}b\t\\.'"
        assert store.similar(found[0].item_id, 2)
    assert "no bundle at" in refused(capsys, "push", tmp_path / "x", "--to", postgres)
    assert "Missing option '--to'" in refused(capsys, "push", bundle.path)
