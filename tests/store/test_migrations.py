"""Migrations: up and down with data in the file, and no difference between their result and the models."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import reamon.store.migrations
from reamon.model import CostData
from reamon.store.migrate import downgrade, upgrade
from reamon.store.sqlite import connect, schema_version
from reamon.store.tables import metadata
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE
from reamon.store.writer import SpanWriter
from reamon.testing import make_span


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@contextmanager
def plain(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def names(path: Path) -> set[str]:
    with plain(path) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_models_ask_for_nothing_that_the_migrations_do_not_make(path: Path) -> None:
    upgrade(path)
    with create_engine(f"sqlite:///{path}").connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_version_that_the_writer_knows() -> None:
    scripts = ScriptDirectory(reamon.store.migrations.__path__[0])
    assert scripts.get_heads() == [SCHEMA_VERSION]


def test_a_downgrade_takes_our_tables_and_leaves_the_hosts(path: Path) -> None:
    with closing(connect(path)) as connection:
        SpanWriter(connection).write([make_span("turn", "workflow")])
        connection.execute("CREATE TABLE leads (name TEXT)")
        connection.execute("INSERT INTO leads VALUES ('Ada')")
    downgrade(path, "base")
    assert names(path) == {"leads", VERSION_TABLE}
    with plain(path) as connection:
        assert connection.execute("SELECT name FROM leads").fetchall() == [("Ada",)]


def test_a_step_back_and_forward_keeps_what_was_recorded(path: Path) -> None:
    cost = CostData(cost_type="llm", amount=Decimal("0.000000000001"), price_version="1")
    turn = make_span("turn", "workflow", project="east", costs=(cost,))
    with closing(connect(path)) as connection:
        SpanWriter(connection).write([turn])
    downgrade(path, "0001")
    with plain(path) as connection:
        assert "project" not in {row[1] for row in connection.execute("PRAGMA table_info(cost_details)")}
    upgrade(path)
    with plain(path) as connection:
        stored = connection.execute("SELECT project, estimated, cost_amount FROM cost_details").fetchall()
        assert stored == [("east", 0, "0.000000000001")]
        assert connection.execute("SELECT total_cost FROM workflow_traces").fetchall() == [("0.000000000001",)]


def test_a_step_back_takes_the_superseded_details_with_it(path: Path) -> None:
    details = tuple(CostData(cost_type="llm", amount=Decimal(1), price_version=version) for version in ("old", "new"))
    with closing(connect(path)) as connection:
        SpanWriter(connection).write([make_span("turn", "workflow", costs=details)])
        connection.execute("INSERT INTO repricings VALUES ('r', '2026-11-27', 'new', NULL, NULL, NULL, 1, '1', '1')")
        connection.execute("UPDATE cost_details SET superseded_by = 'r' WHERE price_version = 'old'")
    downgrade(path, "0001")
    with plain(path) as connection:
        assert connection.execute("SELECT price_version FROM cost_details").fetchall() == [("new",)]


def test_an_upgrade_of_a_current_store_changes_nothing(path: Path) -> None:
    turn = make_span("turn", "workflow")
    with closing(connect(path)) as connection:
        SpanWriter(connection).write([turn])
    upgrade(path)
    with plain(path) as connection:
        assert connection.execute("SELECT trace_id FROM workflow_traces").fetchall() == [(turn.trace_id,)]


def test_opening_an_older_store_brings_it_up_to_date_and_keeps_what_is_in_it(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE leads (name TEXT)")
    downgrade(path, "base")
    with closing(connect(path)) as connection:
        assert schema_version(connection) == SCHEMA_VERSION
        SpanWriter(connection).write([make_span("turn", "workflow")])
    assert names(path) >= {"leads", *metadata.tables}


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    with plain(path) as connection:
        connection.execute("CREATE TABLE workflow_traces (mine TEXT)")  # the last table that the migration makes
    with pytest.raises(Exception, match="already exists"):
        upgrade(path)
    assert names(path) == {"workflow_traces"}


def test_a_path_with_a_percent_sign_can_be_migrated(tmp_path: Path) -> None:
    path = tmp_path / "100% mine.db"
    upgrade(path)
    assert names(path) >= set(metadata.tables)


def test_two_threads_migrate_two_stores_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.db" for number in range(8)]
    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(upgrade, paths))
    assert all(names(path) >= set(metadata.tables) for path in paths)


def test_an_application_that_is_migrating_its_own_tables_meanwhile_is_not_disturbed(tmp_path: Path) -> None:
    """Alembic's commands have one `op` and one `context` for the whole process: they are the application's."""
    theirs, ours = tmp_path / "theirs.db", tmp_path / "ours.db"
    under_way, go_on = threading.Event(), threading.Event()

    def pause() -> None:
        under_way.set()
        assert go_on.wait(20)

    config = Config(attributes={"path": theirs, "pause": pause})
    config.set_main_option("script_location", str(scripts_of_an_application(tmp_path / "migrations")))
    with ThreadPoolExecutor(1) as pool:
        application = pool.submit(command.upgrade, config, "head")
        assert under_way.wait(20)
        upgrade(ours)
        downgrade(ours, "0001")
        go_on.set()
        application.result(20)
    assert names(theirs) == {"alembic_version", "before", "after"}
    assert names(ours).isdisjoint({"before", "after"})


def scripts_of_an_application(directory: Path) -> Path:
    """Migrations that are paused between two tables."""
    (directory / "versions").mkdir(parents=True)
    (directory / "env.py").write_text(
        "from alembic import context\n"
        "from sqlalchemy import create_engine\n"
        "with create_engine(f\"sqlite:///{context.config.attributes['path']}\").begin() as connection:\n"
        "    context.configure(connection=connection)\n"
        "    context.run_migrations()\n"
    )
    (directory / "versions" / "first.py").write_text(
        "from alembic import context, op\n"
        "revision, down_revision = 'first', None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE before (id INTEGER)')\n"
        "    context.config.attributes['pause']()\n"
        "    op.execute('CREATE TABLE after (id INTEGER)')\n"
    )
    return directory
