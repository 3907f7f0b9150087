"""Migrations: Alembic run from the package, with no ini file and no global state.

Migration ids count up ("0001", "0002", ...), which is how a file that is newer than this reamon is recognised without
Alembic.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.pool import NullPool

_SCRIPTS = Path(__file__).with_name("migrations")


def upgrade(path: Path, revision: str = "head") -> None:
    """Bring the store at `path` up to `revision`, in one transaction; it is made where it does not exist.

    Several processes may do so at once: one migrates, the others wait and find it done.
    """
    with _transaction(path) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(path: Path, revision: str) -> None:
    """Take the store at `path` back to `revision` ("base": no tables of ours), in one transaction."""
    with _transaction(path) as connection:
        command.downgrade(_config(connection), revision)


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


@contextmanager
def _transaction(path: Path) -> Iterator[Connection]:
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
