"""Checks of a store in PostgreSQL: is it reachable, current, alive, and has it partitions for the weeks to come."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reamon.cli._checks import Finding, bad, good, note
from reamon.errors import ReamonError
from reamon.guard import describe
from reamon.settings import MonitoringSettings
from reamon.store.versions import SCHEMA_VERSION, remedy_for
from reamon.terminal.figures import count, moment, volume

if TYPE_CHECKING:
    from reamon.store.postgres.connection import BoundedConnection
    from reamon.store.postgres.urls import PostgresAddress

_TOPIC: Final = "postgres"
_WRITTEN: Final = ["agent_executions", "cost_details", "operations", "processes", "workflow_traces"]
_PATIENCE: Final = 10.0  # seconds that one question may take


def postgres(settings: MonitoringSettings, url: str | None = None, now: datetime | None = None) -> Iterator[Finding]:
    """How the store in PostgreSQL is, where one is configured; never with its password.

    Args:
        settings: The settings.
        url: Another store than that of the settings.
        now: The time; injected by tests.
    """
    own, is_named = settings.postgres, _TOPIC in settings.exporters_in_use
    if own.url is not None and not is_named:
        yield note(_TOPIC, "a URL is set, but nothing is written there: add postgres to REAMON_EXPORTERS")
    if own.url is None and is_named:
        yield bad(_TOPIC, "named as an exporter, but without an address: set REAMON_POSTGRES__URL")
    chosen = url or (own.store_url if is_named else None)
    if chosen is None:
        return
    try:
        from reamon.store.postgres.urls import parse_url  # noqa: PLC0415 - needs the extra

        address = parse_url(chosen)
    except ReamonError as error:
        yield bad(_TOPIC, str(error))
        return
    yield from _look(settings, address, now or datetime.now(UTC))


def _look(settings: MonitoringSettings, address: "PostgresAddress", now: datetime) -> Iterator[Finding]:
    import psycopg  # noqa: PLC0415 - an optional package

    from reamon.exporters._postgres_errors import fix_of  # noqa: PLC0415 - needs psycopg
    from reamon.store.postgres.connection import Timeouts, connect  # noqa: PLC0415 - needs psycopg

    try:
        timeouts = Timeouts(connect=settings.postgres.connect_timeout, statement=_PATIENCE)
        with connect(address, timeouts) as connection:
            yield good(_TOPIC, f"{address.place}, PostgreSQL {connection.info.parameter_status('server_version')}")
            yield from _content(connection, address, now)
    except psycopg.Error as error:
        fix = fix_of(error) or "what is recorded waits in the outbox until it answers"
        yield bad(_TOPIC, f"{address.place}: {describe(error).strip()}: {fix}")
    except ReamonError as error:
        yield bad(_TOPIC, str(error))


def _content(connection: "BoundedConnection", address: "PostgresAddress", now: datetime) -> Iterator[Finding]:
    from reamon.store.postgres.schema import schema_version  # noqa: PLC0415 - needs psycopg

    version = schema_version(connection, address.schema)
    if version is None:
        yield note("postgres schema", "no tables yet: the first start makes them, or `reamon migrate`")
        return
    if version != SCHEMA_VERSION:
        yield bad("postgres schema", f"{version}, and this reamon needs {SCHEMA_VERSION}: {remedy_for(version)}")
        return
    yield good("postgres schema", f"{version}, current")
    yield from _access(connection)
    yield _size(connection, address.schema)
    yield from _partitions(connection, now)
    yield from _processes(connection)


def _access(connection: "BoundedConnection") -> Iterator[Finding]:
    """What would keep this user from writing, which reading the store does not show."""
    from reamon.exporters._postgres_errors import PERMISSION, READ_ONLY  # noqa: PLC0415 - needs psycopg

    is_read_only, may_stage, closed = connection.execute(
        "SELECT current_setting('transaction_read_only')::bool,"
        " has_database_privilege(current_database(), 'TEMPORARY'),"
        " (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class"
        " WHERE relnamespace = current_schema::regnamespace AND relname = ANY(%s) AND NOT"
        " (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')"
        " AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')))",
        (_WRITTEN,),
    ).fetchall()[0]
    if is_read_only:
        yield bad(_TOPIC, f"the server is read-only: {READ_ONLY}")
    elif not may_stage:
        yield bad(_TOPIC, f"this user may not make temporary tables in the database: {PERMISSION}")
    elif closed:
        yield bad(_TOPIC, f"this user may not write to {closed}: {PERMISSION}")


def _size(connection: "BoundedConnection", schema: str) -> Finding:
    octets, newest = connection.execute(
        "SELECT (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
        " WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'),"
        " (SELECT start_time FROM workflow_traces ORDER BY id DESC LIMIT 1)",
        (f'"{schema}"',),
    ).fetchall()[0]
    latest = "nothing recorded yet" if newest is None else f"the newest workflow began {moment(newest)}"
    return good("postgres content", f"{volume(octets)}, {latest}")


def _partitions(connection: "BoundedConnection", now: datetime) -> Iterator[Finding]:
    from reamon.store.postgres.partitions import list_partitions  # noqa: PLC0415 - needs psycopg
    from reamon.store.postgres.weeks import PARTITIONED  # noqa: PLC0415 - here alone

    partitions = list_partitions(connection)
    for table in PARTITIONED:
        of_table = [partition for partition in partitions if partition.table == table]
        current = [partition for partition in of_table if partition.first <= now < partition.end]
        (left_over,) = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {table}_default LIMIT 100000) AS found"
        ).fetchall()[0]
        topic = f"partitions of {table}"
        if not current:
            yield note(topic, "none for this week: a running application makes it, or `reamon migrate`")
        else:
            yield good(topic, f"{of_table[0].first:%Y-%m-%d} to {of_table[-1].end:%Y-%m-%d}, {len(of_table)} weeks")
        if left_over:
            rows = count(left_over, "row")
            yield note(
                topic, f"{rows} in the default partition: started outside of these weeks, or while none was made"
            )


def _processes(connection: "BoundedConnection") -> Iterator[Finding]:
    (alive, running) = connection.execute(
        "SELECT (SELECT count(*) FROM processes), (SELECT count(*) FROM workflow_traces WHERE status = 'running')"
    ).fetchall()[0]
    if alive or running:
        yield good(
            "postgres processes", f"{count(alive, 'process', 'processes')}, {count(running, 'running workflow')}"
        )
