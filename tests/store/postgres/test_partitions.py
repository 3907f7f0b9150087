"""Partitions: made ahead, made for what is late, found by name, dropped whole."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.model.ids import row_id, row_id_at, uuid7
from reamon.store.postgres import partitions
from reamon.store.postgres.connection import BoundedConnection
from reamon.store.postgres.partitions import PartitionMaker, drop_partitions, list_partitions
from reamon.store.postgres.weeks import PARTITIONED, Partition, week_of
from reamon.store.postgres.writer import PostgresWriter
from reamon.testing import make_span
from support.postgres import connected

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000_000


def maker(connection: BoundedConnection, schema: str) -> PartitionMaker:
    return PartitionMaker(connection, schema, now=NOW.timestamp)


def row_at(moment: datetime) -> int:
    return row_id_at(nanoseconds(moment), "000")


def names(connection: BoundedConnection, table: str = "operations") -> list[str]:
    return [partition.name for partition in list_partitions(connection) if partition.table == table]


def step_at(moment: datetime, number: int = 0) -> str:
    return uuid7(nanoseconds(moment), number)


def write_steps(connection: BoundedConnection, *ids: str) -> None:
    for span_id in ids:
        connection.execute(
            "INSERT INTO operations (id, span_id, trace_id, kind, name, start_time, status)"
            " VALUES (%s, %s, 'trace', 'step', 'step', now(), 'ok')",
            (row_id(span_id), span_id),
        )


def where(connection: BoundedConnection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT tableoid::regclass::text FROM operations ORDER BY id")]


@given(st.datetimes(datetime(2020, 1, 6), datetime(2089, 1, 1)))
def test_a_row_id_is_in_the_week_of_its_span(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    partition = Partition.of_week("operations", week_of(row_at(moment)))
    assert partition.first <= moment < partition.end
    low, high = partition.bounds
    assert low <= row_at(moment) < high
    assert partition.first.weekday() == 0
    assert Partition.named(partition.name) == partition


@pytest.mark.parametrize("name", ["operations", "operations_default", "leads_p20261123_20261130", "operations_p2026"])
def test_other_tables_are_no_partitions_of_weeks(name: str) -> None:
    assert Partition.named(name) is None


def test_this_week_and_four_more_are_made_ahead_for_both_tables(connection: BoundedConnection, schema: str) -> None:
    maker(connection, schema).make_ahead()
    maker(connection, schema).make_ahead()
    found = list_partitions(connection)
    assert [partition.table for partition in found] == [table for table in sorted(PARTITIONED) for _ in range(5)]
    assert found[0].first <= NOW < found[0].end
    assert found[4].end - found[0].first == 5 * WEEK
    assert names(connection)[0] == "operations_p20261123_20261130"


def test_what_is_late_gets_a_partition_and_what_is_absurd_does_not(connection: BoundedConnection, schema: str) -> None:
    making = maker(connection, schema)
    making.make_ahead()
    late = NOW - timedelta(days=90)
    ids = [step_at(late), step_at(datetime(2021, 1, 1, tzinfo=UTC)), step_at(datetime(2060, 1, 1, tzinfo=UTC))]
    making.make_for(map(row_id, ids))
    write_steps(connection, *ids)
    assert where(connection) == ["operations_default", "operations_p20260824_20260831", "operations_default"]
    assert len(names(connection)) == 6


def test_the_next_weeks_are_made_before_the_last_of_them_begins(connection: BoundedConnection, schema: str) -> None:
    maker(connection, schema).make_ahead()
    later = NOW + 4 * WEEK
    making = PartitionMaker(connection, schema, now=later.timestamp)
    making.make_for([row_at(later)])
    assert list_partitions(connection)[-1].end > later + 4 * WEEK


def test_rows_that_came_before_their_partition_move_into_it(connection: BoundedConnection, schema: str) -> None:
    write_steps(connection, step_at(NOW), step_at(NOW + WEEK), step_at(NOW - 9 * WEEK))
    maker(connection, schema).make_ahead()
    assert where(connection) == [
        "operations_default",
        "operations_p20261123_20261130",
        "operations_p20261130_20261207",
    ]


def test_a_week_with_too_many_rows_in_the_default_partition_stays_there(
    connection: BoundedConnection, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_MOVED", 2)
    write_steps(connection, *(step_at(NOW, number) for number in range(3)))
    maker(connection, schema).make_ahead()
    assert set(where(connection)) == {"operations_default"}
    assert names(connection)[0] == "operations_p20261130_20261207"


def test_who_uses_the_default_partition_is_not_waited_for(
    url: str, connection: BoundedConnection, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(url) as reader, reader.transaction():
        reader.execute("SELECT 1 FROM operations")
        making = maker(connection, schema)
        making.make_ahead()
        making.make_ahead()
    assert names(connection) == []
    assert caplog.text.count("partition_not_made") == 1
    PartitionMaker(connection, schema, now=NOW.timestamp).make_ahead()
    assert len(names(connection)) == 5


def test_a_partition_that_takes_too_long_to_make_is_done_without(
    url: str, connection: BoundedConnection, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(url) as reader, reader.transaction():
        reader.execute("SELECT 1 FROM operations")
        connection.execute("SET statement_timeout = '50ms'")
        PostgresWriter(connection, schema).write([make_span(kind="step", parent=make_span())])
    assert where(connection) == ["operations_default"]
    assert "then='retried every hour" in caplog.text


def test_who_may_not_create_tables_writes_to_the_default_partition(
    connection: BoundedConnection, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    role = f"{schema}_app"
    connection.execute(f"CREATE ROLE {role}")
    try:
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        connection.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {schema} TO {role}")
        connection.execute(f"SET ROLE {role}")
        PostgresWriter(connection, schema).write([make_span(kind="step", parent=make_span())])
        connection.execute("RESET ROLE")
        assert where(connection) == ["operations_default"]
        assert "partition_not_made" in caplog.text
    finally:
        connection.execute("RESET ROLE")
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_partition_that_is_wholly_before_goes_with_its_rows(connection: BoundedConnection, schema: str) -> None:
    making = maker(connection, schema)
    making.make_for([row_at(NOW - n * WEEK) for n in range(3)])
    write_steps(connection, *(step_at(NOW - n * WEEK, n) for n in range(3)))
    dropped = drop_partitions(connection, NOW - WEEK + timedelta(days=1))
    assert {(one.name, one.rows) for one in dropped} == {
        ("operations_p20261109_20261116", 1),
        ("agent_executions_p20261109_20261116", 0),
    }
    assert len(where(connection)) == 2
    assert drop_partitions(connection, NOW - WEEK) == []


def test_a_partition_that_is_in_use_stays_until_the_next_time(
    url: str, connection: BoundedConnection, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_DROP_ATTEMPTS", 1)
    maker(connection, schema).make_ahead()
    end = NOW + 9 * WEEK
    with connected(url) as reader, reader.transaction():
        reader.execute("SELECT 1 FROM operations")
        assert {one.table for one in drop_partitions(connection, end)} <= {"agent_executions"}
    assert {one.table for one in drop_partitions(connection, end)} == set(PARTITIONED) or names(connection) == []


def test_several_make_the_same_partitions_at_once(url: str, connection: BoundedConnection, schema: str) -> None:
    begin = threading.Barrier(4)
    errors: list[psycopg.Error] = []

    def make() -> None:
        with connected(url) as own:
            begin.wait()
            try:
                maker(own, schema).make_ahead()
            except psycopg.Error as error:
                errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(names(connection)) == 5
