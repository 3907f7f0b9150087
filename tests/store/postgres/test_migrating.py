"""Migrations on PostgreSQL: in a schema of their own, whole, by one process, and beside an application's own."""

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, create_engine
from sqlalchemy.exc import DBAPIError

from reamon.errors import StoreError
from reamon.model import CostData
from reamon.store import Store, keep_tables
from reamon.store.keeping import is_beside_the_models
from reamon.store.migrate import downgrade, upgrade
from reamon.store.postgres import migrating
from reamon.store.postgres.connection import BoundedConnection
from reamon.store.postgres.partitions import PartitionMaker
from reamon.store.postgres.schema import bring_up_to_date, schema_version
from reamon.store.postgres.tables import metadata as postgres_metadata
from reamon.store.postgres.urls import parse_url
from reamon.store.postgres.writer import PostgresWriter
from reamon.store.tables import metadata
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE
from reamon.testing import make_span
from support.exporters import wait_until
from support.postgres import POSTGRES_URL, connected, postgres_database, read, with_schema


@pytest.fixture
def url(empty_url: str) -> str:
    """The URL of a schema that a migration has made."""
    upgrade(empty_url)
    return empty_url


def tables(url: str) -> set[str]:
    return set(
        read(
            url,
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace AND relkind IN ('r', 'p')",
        )
    )


def sqlalchemy_connection(url: str) -> Connection:
    address = parse_url(url)
    options = f"-c search_path={address.schema}"
    engine = create_engine(address.sqlalchemy_url, connect_args={**address.parameters, "options": options})
    return engine.connect()


def differences(url: str) -> list[Any]:
    with sqlalchemy_connection(url) as connection:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, _: kind != "table" or not is_beside_the_models(name),
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, [metadata, postgres_metadata]))  # type: ignore[arg-type]


COST = CostData(cost_type="llm", amount=Decimal("0.000000000001"), price_version="1")


def write_a_turn(url: str, schema: str) -> None:
    turn = make_span("turn", "workflow", project="east", costs=(COST,))
    with connected(url) as connection:
        PostgresWriter(connection, schema).write([turn, make_span("step", "step", parent=turn)])


def test_the_models_ask_for_nothing_that_the_migrations_do_not_make(
    url: str, connection: BoundedConnection, schema: str
) -> None:
    PartitionMaker(connection, schema).make_ahead()
    assert differences(url) == []


def test_all_is_in_a_schema_of_its_own_with_a_version_table_of_its_own(url: str, schema: str) -> None:
    partitions = {"operations_default", "agent_executions_default"}
    assert tables(url) == {*metadata.tables, *postgres_metadata.tables, VERSION_TABLE, *partitions}
    with connected(url) as connection:
        assert schema_version(connection, schema) == SCHEMA_VERSION


def test_an_upgrade_of_a_current_store_changes_nothing(url: str, schema: str) -> None:
    write_a_turn(url, schema)
    upgrade(url)
    assert read(url, "SELECT total_cost FROM workflow_traces") == [Decimal("0.000000000001")]


def test_a_step_back_and_forward_keeps_what_was_recorded(url: str, schema: str) -> None:
    write_a_turn(url, schema)
    downgrade(url, "0001")
    assert "processes" not in tables(url)
    assert read(url, "SELECT count(*) FROM operations") == [1]
    upgrade(url)
    assert read(url, "SELECT project, cost_amount FROM cost_details") == [("east", Decimal("0.000000000001"))]
    assert differences(url) == []
    write_a_turn(url, schema)
    assert read(url, "SELECT count(*) FROM operations") == [2]


def test_a_downgrade_to_nothing_takes_our_tables_and_leaves_the_applications(url: str, schema: str) -> None:
    write_a_turn(url, schema)
    with connected(url) as connection:
        connection.execute("CREATE TABLE leads AS SELECT 'Ada' AS name")
    downgrade(url, "base")
    assert tables(url) == {"leads", VERSION_TABLE}
    upgrade(url)
    assert read(url, "SELECT name FROM leads") == ["Ada"]


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_url: str, schema: str) -> None:
    with psycopg.connect(POSTGRES_URL, autocommit=True) as owner:
        owner.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.workflow_traces (mine text)")
    with pytest.raises(DBAPIError, match="already exists"):
        upgrade(empty_url)
    assert tables(empty_url) == {"workflow_traces"}


def test_the_schema_can_be_named_apart_from_the_url(empty_url: str, schema: str) -> None:
    upgrade(POSTGRES_URL, schema=schema)
    assert "operations" in tables(empty_url)


def test_who_may_not_create_schemas_migrates_the_one_that_was_made_for_them(empty_url: str, schema: str) -> None:
    role = f"{schema}_owner"
    with psycopg.connect(POSTGRES_URL, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {role}")
        try:
            address = parse_url(empty_url)
            address.parameters.update(user=role)
            upgrade(address.url, schema=schema)
            assert read(
                empty_url, "SELECT tableowner FROM pg_tables WHERE tablename = 'erasures' AND schemaname = %s", schema
            ) == [role]
        finally:
            owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_newer_store_is_refused_and_an_older_one_where_nobody_is_to_migrate(
    url: str, connection: BoundedConnection
) -> None:
    address = parse_url(url)
    connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreError, match="was made by a newer reamon"):
        bring_up_to_date(connection, address, migrate=True)
    connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0001'")
    with pytest.raises(StoreError, match=r"has schema 0001, and 0002 is due: run `reamon migrate`"):
        bring_up_to_date(connection, address, migrate=False)
    connection.execute(f"DROP TABLE {VERSION_TABLE}")
    with pytest.raises(StoreError, match="has no tables of reamon's"):
        bring_up_to_date(connection, address, migrate=False)


async def test_where_the_schema_is_another_one_the_message_says_how_it_is_named(empty_url: str) -> None:
    with pytest.raises(
        StoreError, match=r"there is no store in .*/reamon_test_\w+: run `reamon migrate`, or name the schema"
    ) as refused:
        async with Store.open(empty_url):
            pass
    assert "LINE" not in str(refused.value)


def test_a_newer_reamon_that_was_faster_is_noticed_under_the_lock(url: str, connection: BoundedConnection) -> None:
    connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"newer reamon \(schema 9999, .* upgrade reamon"):
        upgrade(url)
    with pytest.raises(StoreError, match="newer reamon"):
        downgrade(url, "0001")


def test_a_version_that_does_not_exist_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="0042"):
        upgrade(url, "0042")


def test_a_migration_takes_as_long_as_it_takes_whatever_the_database_allows_a_statement(empty_url: str) -> None:
    address = parse_url(f"{empty_url}&options=-c%20statement_timeout%3D1s")
    with migrating.transaction(address) as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"


def test_a_migration_and_a_writer_in_the_middle_of_a_batch_do_not_wait_for_each_other(
    url: str, connection: BoundedConnection, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_ATTEMPT", "20ms")
    with ThreadPoolExecutor(1) as pool:
        with connection.transaction():
            connection.execute("LOCK TABLE cost_details IN ROW EXCLUSIVE MODE")
            migration = pool.submit(downgrade, url, "0001")
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'cost_details'::regclass"
            wait_until(lambda: bool(read(url, waits)))
            for table in ("operations", "agent_executions", "workflow_traces", "processes"):
                connection.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        migration.result(30)
    assert "processes" not in tables(url)


def test_a_migration_gives_up_in_the_end_where_a_table_is_never_free(
    url: str, connection: BoundedConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_ATTEMPT", "5ms")
    monkeypatch.setattr(migrating, "_PATIENCE", 0.05)
    monkeypatch.setattr(migrating, "_PAUSE", 0.01)
    with connection.transaction():
        connection.execute("SELECT 1 FROM operations")
        with pytest.raises(DBAPIError, match="lock timeout"):
            downgrade(url, "0001")
        upgrade(url)  # there is nothing to do, and nobody is in the way
    assert "processes" in tables(url)


def test_threads_that_migrate_at_once_find_it_done(empty_url: str) -> None:
    errors: list[Exception] = []

    def migrate() -> None:
        try:
            with connected(empty_url) as connection:
                bring_up_to_date(connection, parse_url(empty_url), migrate=True)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert read(empty_url, f"SELECT version_num FROM {VERSION_TABLE}") == [SCHEMA_VERSION]


@pytest.mark.slow
def test_eight_processes_that_start_on_an_empty_database_migrate_it_once() -> None:
    with postgres_database() as url:
        context = multiprocessing.get_context("spawn")
        others = [context.Process(target=_start, args=(url,)) for _ in range(8)]
        for other in others:
            other.start()
        for other in others:
            other.join(120)
        assert [other.exitcode for other in others] == [0] * 8
        assert read(url, "SELECT count(*), count(DISTINCT trace_id) FROM workflow_traces") == [(8, 8)]
        assert read(url, f"SELECT version_num FROM {VERSION_TABLE}") == [SCHEMA_VERSION]
        assert read(url, "SELECT count(*) FROM operations_default") == [0]


def _start(url: str) -> None:
    import os
    import time

    from reamon.exporters import PostgresExporter
    from reamon.model.ids import uuid7
    from reamon.testing import make_span

    exporter = PostgresExporter(url)
    exporter.open()
    exporter.export(
        [make_span("turn", "workflow", span_id=uuid7(time.time_ns(), int.from_bytes(os.urandom(7), "big")))]
    )
    exporter.shutdown(5.0)


# Beside an application's own migrations

LEADS = MetaData()
Table("leads", LEADS, Column("id", Integer, primary_key=True), Column("name", String))


@pytest.fixture(params=["another schema", "the same schema"])
def shared(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with an application's table in `public`, and ours with rows and partitions."""
    with postgres_database() as database:
        url = with_schema(database, "public" if request.param == "the same schema" else "reamon")
        with create_engine(parse_url(url).sqlalchemy_url, connect_args=parse_url(url).parameters).begin() as connection:
            LEADS.create_all(connection)
        upgrade(url)
        write_a_turn(url, parse_url(url).schema)
        yield url


def generated(url: str, **options: Any) -> list[Any]:
    """What `alembic revision --autogenerate` of the application would do."""
    address = parse_url(url)
    with create_engine(address.sqlalchemy_url, connect_args=address.parameters).connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_schemas": True, **options})
        return list(compare_metadata(context, LEADS))


def test_autogenerate_would_drop_our_tables_and_with_keep_tables_it_does_not(shared: str) -> None:
    assert any(action[0] == "remove_table" for action in generated(shared))
    assert generated(shared, include_object=keep_tables) == []


def test_a_table_of_the_applications_own_is_dropped_as_ever_whatever_its_name(shared: str) -> None:
    address = parse_url(shared)
    with psycopg.connect(**address.parameters, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE public.calls (id int); CREATE SCHEMA theirs; CREATE TABLE theirs.operations (surgeon text)"
        )
    gone = [action[1].fullname for action in generated(shared, include_object=keep_tables)]
    assert sorted(name.removeprefix("public.") for name in gone) == ["calls", "theirs.operations"]
