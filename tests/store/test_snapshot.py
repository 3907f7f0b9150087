"""The snapshot: the same tables whether the models, the migrations or the packaged statements make them."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

import reamon.store
from reamon.store.migrate import upgrade
from reamon.store.snapshot import render
from reamon.store.sqlite import connect
from reamon.store.tables import metadata
from reamon.store.versions import VERSION_TABLE

PACKAGED = Path(reamon.store.__file__).with_name("schema.sql")


def schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        statements = {name: " ".join(sql.split()) for name, sql in made if name != VERSION_TABLE}
    return {name: plain(name, sql) for name, sql in statements.items()}


def plain(name: str, sql: str) -> str:
    """The statement without the quotes that SQLite puts around what it renamed, or the brackets of old SQLAlchemys."""
    return sql.replace(f'"{name}"', name).replace("DEFAULT (0)", "DEFAULT 0")


def test_the_packaged_statements_are_what_the_migrations_make() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "reamon.store.snapshot"], capture_output=True, text=True, check=True
    )
    assert PACKAGED.read_text("utf-8") == printed.stdout == render()


def test_models_migrations_and_snapshot_make_the_same_tables(tmp_path: Path) -> None:
    metadata.create_all(create_engine(f"sqlite:///{tmp_path / 'models.db'}"))
    upgrade(tmp_path / "migrations.db")
    connect(tmp_path / "snapshot.db").close()
    by_snapshot = schema(tmp_path / "snapshot.db")
    assert by_snapshot == schema(tmp_path / "migrations.db")
    assert by_snapshot == schema(tmp_path / "models.db")
    assert set(metadata.tables) <= set(by_snapshot)
