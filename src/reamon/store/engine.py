"""The way to the database for readers: which one is meant, and an engine that only reads."""

from pathlib import Path
from urllib.parse import quote, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from reamon.errors import StoreError
from reamon.store.sqlite import SCHEMA_VERSION, VERSION_TABLE


def open_engine(target: Path | str) -> AsyncEngine:
    """An engine that reads the store at `target` and cannot change it.

    Args:
        target: The path of a SQLite file, or its URL (`sqlite:///calls.db`).

    Raises:
        StoreError: There is no such file, or `target` is a URL of another database.
    """
    path = _sqlite_path(target)
    if not path.is_file():
        raise StoreError(
            f"no store at {path}: run your application with reamon.configure(), or `reamon demo`, first; "
            "or say where the store is (--db, REAMON_SQLITE__PATH)"
        )
    return create_async_engine(_read_only(path))


def open_writing_engine(target: Path | str) -> AsyncEngine:
    """An engine that can change the store at `target`, which was opened before (`open_engine`).

    Args:
        target: The path of a SQLite file, or its URL.
    """
    return create_async_engine(URL.create("sqlite+aiosqlite", database=str(_sqlite_path(target))))


async def check_schema(connection: AsyncConnection) -> None:
    """See that the tables are those that this version reads.

    Raises:
        StoreError: The store is one of an older or a newer reamon.
        DatabaseError: There is no store in the database.
    """
    found = (await connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()
    if found == SCHEMA_VERSION:
        return
    advice = "upgrade reamon" if str(found) > SCHEMA_VERSION else "run `reamon migrate`"
    where = location(connection.engine)
    raise StoreError(f"{where} has schema {found} and this reamon reads {SCHEMA_VERSION}: {advice}")


def location(engine: AsyncEngine) -> str:
    """Where an engine's database is, for messages."""
    return unquote((engine.url.database or "").removeprefix("file:"))


def _sqlite_path(target: Path | str) -> Path:
    if isinstance(target, Path) or "://" not in target:
        return Path(target)
    try:
        url = make_url(target)
    except ArgumentError:
        raise StoreError(f"{target!r} is no database URL: give a path, or sqlite:///path") from None
    if url.get_backend_name() != "sqlite" or not url.database:
        raise StoreError(f"{url.render_as_string()} is not a SQLite file: give a path, or sqlite:///path")
    return Path(url.database)


def _read_only(path: Path) -> URL:
    return URL.create(
        "sqlite+aiosqlite", database=f"file:{quote(str(path.absolute()))}", query={"mode": "ro", "uri": "true"}
    )
