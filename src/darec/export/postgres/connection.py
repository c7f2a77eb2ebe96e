"""The connection to PostgreSQL, the names of darec's tables, and errors in one line.

One push writes one version: tables of its own, such as ``items_7``, ``users_7`` and ``seen_7``, and, last, a row in
``versions``. The version of the newest row is served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from darec.errors import ConfigError, DatabaseError

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed, Identifier

INSTALL: Final = "pip install 'darec[postgres]'"
SECONDS: Final = 10
"""Seconds to wait for a connection, unless the URL says otherwise."""
TABLES: Final = ("items", "users", "seen", "lists", "alike")
"""Tables of a version: items, users, the items of users; with lists also lists of users and of items like one."""
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_URL: Final = re.compile(r"postgres(ql)?://.+", re.DOTALL)


def import_psycopg() -> Any:
    """Import psycopg. Raises ``ConfigError`` if it is not installed."""
    try:
        import psycopg
    except ImportError:
        raise ConfigError(f"PostgreSQL needs psycopg, which is not installed: {INSTALL}.") from None
    return psycopg


@dataclass(frozen=True)
class Names:
    """Names of the tables of one version, and of those that all versions share.

    Attributes:
        schema: of the tables.
        version: of the push.
    """

    schema: str
    version: int = 0

    def __post_init__(self) -> None:
        if not _SCHEMA.fullmatch(self.schema) or self.schema.startswith("pg_"):
            raise ConfigError(
                f"--schema={self.schema!r}: use small letters, digits and underscores, 40 at most. A schema must not "
                "begin with a digit or pg_."
            )

    def of(self, table: str) -> Identifier:
        """Return the name of a table of the version."""
        return self.plain(f"{table}_{self.version}")

    def plain(self, name: str) -> Identifier:
        """Return the name of a table of the schema."""
        from psycopg.sql import Identifier

        return Identifier(self.schema, name)

    def fill(self, query: str, **more: Any) -> Composed:
        """Fill names into a query: ``{schema}``, ``{versions}`` and the tables of the version."""
        from psycopg.sql import SQL, Identifier

        names = {table: self.of(table) for table in TABLES}
        own = {"versions": self.plain("versions"), "schema": Identifier(self.schema)}
        return SQL(query).format(**names, **own, **more)


class Database:
    """A database by its URL; it is shown without its password.

    Args:
        url: ``postgresql://user:password@host:port/database``.

    Attributes:
        place: the name of the database in messages.

    Raises:
        ConfigError: the URL is not one of PostgreSQL, or psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        psycopg = import_psycopg()
        self._url = url
        wrong = ConfigError(
            "the URL of the database cannot be read: write postgresql://HOST:PORT/DATABASE, with USER:PASSWORD@ before "
            "the host, and in a password %40 for @, %2F for / and %25 for %."
        )
        if not _URL.fullmatch(url) or "\0" in url:
            raise wrong
        try:
            parts = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            raise wrong from None  # libpq's message may hold the password
        given, written = str(parts.get("password") or ""), _written_password(url)
        host, port = parts.get("host") or "the local socket", str(parts.get("port") or "")
        # A / or : in a password that is not escaped makes parts of it a host, a port or a database.
        if (written and unquote(written) != given) or port.strip("0123456789,"):
            raise wrong
        self._secrets = {one for one in (given, written) if one}
        self.user = parts.get("user")
        self.place = f"{host}{f':{port}' if port else ''}/{parts.get('dbname') or self.user or ''}"
        self._wait = {} if "connect_timeout" in parts else {"connect_timeout": SECONDS}

    def __repr__(self) -> str:
        return f"<Database {self.place}>"

    def connect(self) -> Connection[Any]:
        """Connect. Each statement is a transaction unless one is begun. Raises ``DatabaseError``."""
        psycopg = import_psycopg()
        with self.errors():
            connection: Connection[Any] = psycopg.connect(
                self._url, autocommit=True, application_name="darec", **self._wait
            )
            return connection

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of the database into one line that says what was wrong and how to mend it."""
        psycopg = import_psycopg()
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseError(
                f"{self.place}: {self._said(error)}: have its owner grant that, or name another --schema."
            ) from None
        except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory) as error:
            raise DatabaseError(
                f"{self.place}: {self._said(error)}: make room there and run again."
            ) from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise DatabaseError(
                f"no connection to the database {self.place}: {self._said(error)}. Start it, or mend the URL."
            ) from None
        except psycopg.Error as error:
            raise DatabaseError(f"{self.place}: {self._said(error)}.") from None

    def _said(self, error: BaseException) -> str:
        """Return the first line of the message of the server or driver, without the password."""
        diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
        text = " ".join(str(diagnosis or error).strip().partition("\n")[0].split())
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text.rstrip(".:")


def _written_password(url: str) -> str:
    """Return the text between the first colon and the last @ before the query."""
    login = url.partition("://")[2].partition("?")[0].rpartition("@")[0]
    return login.partition(":")[2]
