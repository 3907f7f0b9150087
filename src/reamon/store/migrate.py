"""Migrations: Alembic run from the package, with no ini file and no global state.

Alembic's commands, and its `op` and `context`, belong to one thread of the process. So they belong to the application,
which may be migrating its own tables while we migrate ours: we use the parts below them, and hand every migration its
operations.

Migration ids count up ("0001", "0002", ...), which is how a store that is newer than this reamon is recognised without
Alembic.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.pool import NullPool

from reamon.errors import StoreError
from reamon.store.administration import is_postgres, path_of
from reamon.store.search.fts import forget
from reamon.store.sqlite import schema_version
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE, is_newer

_SCRIPTS = Path(__file__).with_name("migrations")


def upgrade(target: Path | str, revision: str = "head", *, schema: str | None = None) -> None:
    """Bring a store up to `revision`, in one transaction; it is made where it does not exist.

    Several processes may do so at once: one migrates, the others wait and find it done.

    Args:
        target: The path or URL of a SQLite file, or the URL of a PostgreSQL database.
        revision: "0001", "0002", ..., or "head".
        schema: The schema on PostgreSQL; that of the URL, else `reamon`, if not given.

    Raises:
        StoreError: A newer reamon made the store, or there is no such revision.
    """
    with _transaction(target, schema) as connection:
        _forget_search(connection, revision)
        _migrate(connection, lambda scripts, current: scripts._upgrade_revs(revision, current))


def downgrade(target: Path | str, revision: str, *, schema: str | None = None) -> None:
    """Take a store back to `revision` ("base": no tables of ours), in one transaction. Newer tables and columns go.

    Args:
        target: The path or URL of a SQLite file, or the URL of a PostgreSQL database.
        revision: "0001", ..., or "base".
        schema: The schema on PostgreSQL; that of the URL, else `reamon`, if not given.

    Raises:
        StoreError: A newer reamon made the store, or there is no such revision.
    """
    with _transaction(target, schema) as connection:
        _forget_search(connection, revision)
        _migrate(connection, lambda scripts, current: scripts._downgrade_revs(revision, current))


def _migrate(connection: Connection, steps: Callable[[ScriptDirectory, Any], Any]) -> None:
    """Take the steps that lead from the store's version to the one that is wanted."""
    scripts = ScriptDirectory(str(_SCRIPTS))

    def due(current: Any, _context: MigrationContext) -> list[Any]:
        found = list(steps(scripts, current))
        if found and connection.dialect.name == "postgresql":
            from reamon.store.postgres.migrating import take_tables  # noqa: PLC0415 - brings psycopg

            take_tables(connection)
        return found

    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "fn": due})
    _refuse_newer(context.get_current_revision())
    try:
        context.run_migrations(op=Operations(context))
    except CommandError as error:
        raise StoreError(f"the store cannot be migrated: {error}") from error


def _refuse_newer(version: str | None) -> None:
    """Looked at again under the lock: whoever held it before us may have been a newer reamon."""
    if version is not None and is_newer(version):
        raise StoreError(
            f"the store was made by a newer reamon (schema {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade reamon, or give the store another place"
        )


def _forget_search(connection: Connection, revision: str) -> None:
    """Drop the index of SQLite's payload search where anything is about to change: its views would be in the way.

    The next search makes it anew.
    """
    if connection.dialect.name == "sqlite":
        file = connection.connection.driver_connection
        assert isinstance(file, sqlite3.Connection)  # noqa: S101 - that is SQLAlchemy's driver for a file
        if revision != "head" or schema_version(file) != SCHEMA_VERSION:
            forget(file)


def _transaction(target: Path | str, schema: str | None) -> AbstractContextManager[Connection]:
    if is_postgres(target):
        from reamon.store.postgres.migrating import transaction  # noqa: PLC0415 - brings psycopg
        from reamon.store.postgres.urls import parse_url  # noqa: PLC0415 - brings psycopg

        return transaction(parse_url(str(target), schema))
    return _of_sqlite(path_of(target))


@contextmanager
def _of_sqlite(path: Path) -> Iterator[Connection]:
    """A connection in a transaction that holds the write lock from the start, so that the version is read under it."""
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin)
    with engine.begin() as connection:
        yield connection


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    """The driver's own idea of transactions would commit at every CREATE."""
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
