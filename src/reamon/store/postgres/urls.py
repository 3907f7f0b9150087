"""Addresses of PostgreSQL databases: written in whatever way the application writes them, shown without a password."""

import os
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec

from reamon.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import URL

DEFAULT_SCHEMA: Final = "reamon"
"""Where our tables are, so that they and those of the application never meet."""

FEATURE: Final = "a store in PostgreSQL"

_SCHEMES: Final = re.compile(r"^(?:postgresql|postgres)(?:\+\w+)?://")
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PORTS: Final = re.compile(r"[0-9,]*")
_OF_ASYNCPG: Final = {"ssl": "sslmode"}
"""What asyncpg calls otherwise than PostgreSQL's own library."""

_NOT_FOR_US: Final = {
    "async_fallback",
    "command_timeout",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "statement_cache_size",
}
"""How SQLAlchemy and asyncpg are to behave for the application."""


class PostgresAddress(msgspec.Struct, frozen=True):
    """Where a store in PostgreSQL is.

    Attributes:
        parameters: Connection parameters by libpq's names, the password included.
        schema: The schema of the tables.
    """

    parameters: dict[str, Any]
    schema: str

    @property
    def place(self) -> str:
        """Host, port, database and schema, for people and as a name: without user and password."""
        given = self.parameters
        service = given.get("service") or os.environ.get("PGSERVICE")
        named = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST")
        host = named or (f"service={service}" if service else "localhost")
        port = given.get("port") or os.environ.get("PGPORT") or "5432"
        return f"{host}:{port}/{self.database}/{self.schema}"

    @property
    def database(self) -> str:
        """The database's name; empty where libpq would take the name of the operating system's user."""
        given = self.parameters
        named = given.get("dbname") or os.environ.get("PGDATABASE") or given.get("user") or os.environ.get("PGUSER")
        return str(named or "")

    @property
    def sqlalchemy_url(self) -> "URL":
        """The address for `create_engine` and `create_async_engine`, to be given with `connect_args=parameters`.

        It names the database and holds no password, so an engine that is shown in a log gives nothing away.
        """
        from sqlalchemy import URL  # noqa: PLC0415 - a writer needs none

        return URL.create("postgresql+psycopg", database=self.database)

    @property
    def url(self) -> str:
        """The address as one URL, the password included."""
        return f"postgresql:///?{urlencode(self.parameters, quote_via=quote)}"

    def __repr__(self) -> str:
        return f"PostgresAddress({self.place!r})"


def parse_url(url: str, schema: str | None = None) -> PostgresAddress:
    """The address that a URL says.

    `postgresql://` and `postgres://` are the same, and so are those with a driver in it (`postgresql+asyncpg://`,
    `+psycopg2`): what the application hands to SQLAlchemy can be used as it is. What the URL leaves open comes from
    `PGHOST`, `PGPASSWORD`, `~/.pgpass` and so on, as with every PostgreSQL program.

    Args:
        url: The URL. `?schema=name` names the schema; the last one, if there are several.
        schema: The schema of the tables; that of the URL if not given, else `reamon`.

    Raises:
        ConfigurationError: It cannot be read, or the schema's name cannot be used. The message has no password in it.
        MissingExtraError: psycopg is not installed.

    Example:
        >>> address = parse_url("postgresql+asyncpg://ada:secret@db.example/calls?ssl=require")
        >>> address
        PostgresAddress('db.example:5432/calls/reamon')
        >>> address.parameters["sslmode"]
        'require'
    """
    try:
        from psycopg import ProgrammingError  # noqa: PLC0415 - an optional package
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingExtraError(FEATURE, "postgres", error.name) from error
    bare, is_postgres = _SCHEMES.subn("postgresql://", url.strip())
    address, named = _without_our_own(bare)
    try:
        parameters = dict(conninfo_to_dict(address)) if is_postgres else None
    except ProgrammingError:
        parameters = None
    if "@" in _parts(bare)[1]:  # the rest of a password, which would pass for the host or the database, and be shown
        parameters = None
    if parameters is None or not _PORTS.fullmatch(str(parameters.get("port") or "")):
        raise ConfigurationError(
            "the address of the PostgreSQL database cannot be read; it has to look like "
            "postgresql://user:password@host:5432/database, with special characters percent-encoded"
        )
    return PostgresAddress(parameters, checked_schema(schema or named or DEFAULT_SCHEMA))


def checked_schema(schema: str) -> str:
    """The name, if a schema of ours can have it.

    Raises:
        ConfigurationError: It cannot.
    """
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_") or schema == "information_schema":
        raise ConfigurationError(
            f"the schema {schema!r} cannot be used: it has to be lower-case letters, digits and _, "
            "63 at most, not beginning with a digit or with pg_"
        )
    return schema


def _without_our_own(url: str) -> tuple[str, str | None]:
    """The URL as libpq reads it, and the schema that it names."""
    login, place, query = _parts(url)
    schema = None
    kept = []
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        if name == "schema":
            schema = value
        elif name not in _NOT_FOR_US:
            kept.append(f"{_OF_ASYNCPG.get(name, name)}={value}")
    return login + place + (f"?{'&'.join(kept)}" if kept else ""), schema


def _parts(url: str) -> tuple[str, str, str]:
    """Scheme, user and password; host, port and database; the query. A password may have a "?", as libpq sees it."""
    login, at, rest = url.partition("@")
    if not at or "/" in login.removeprefix("postgresql://"):
        login, rest = "", url
    place, _, query = rest.partition("?")
    return login + at if login else "", place, query
