"""Who lives, who is dead, and whose workflows are interrupted."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from reamon.model import Span
from reamon.store.postgres.connection import BoundedConnection
from reamon.store.postgres.life import LifeSigns
from reamon.store.postgres.writer import PostgresWriter
from reamon.testing import make_span
from support.exporters import wait_until
from support.postgres import connected, hang_up

A_WHILE = timedelta(seconds=5)


def signs(connection: BoundedConnection, schema: str) -> LifeSigns:
    return LifeSigns(connection, schema, A_WHILE)


def turn_of(process_id: str) -> Span:
    return make_span("turn", "workflow", status="running", process_id=process_id)


def not_seen_for(connection: BoundedConnection, minutes: int) -> None:
    """Let time pass on the server's clock, as far as life signs go."""
    connection.execute("UPDATE processes SET last_seen = last_seen - make_interval(mins => %s)", (minutes,))


def statuses(connection: BoundedConnection) -> list[str]:
    return [status for (status,) in connection.execute("SELECT status FROM workflow_traces ORDER BY id")]


@pytest.fixture(autouse=True)
def server_is_not_new(connection: BoundedConnection) -> None:
    """Wait, on a server that has just been started: until then, nobody is dead there."""
    query = "SELECT pg_postmaster_start_time() < now() - interval '6 s'"
    wait_until(lambda: connection.execute(query).fetchall() == [(True,)])


@pytest.fixture
def theirs(url: str, connection: BoundedConnection, schema: str) -> Iterator[BoundedConnection]:
    """The connection of a process "theirs" that has a workflow running and has shown itself."""
    with connected(url) as other:
        signs(other, schema).show("theirs")
        PostgresWriter(other, schema).write_started([turn_of("theirs")])
        yield other


def test_a_process_that_was_just_seen_lives_though_its_connection_is_lost(
    theirs: BoundedConnection, connection: BoundedConnection, schema: str
) -> None:
    hang_up(theirs)
    assert signs(connection, schema).settle_the_dead("mine") == (0, 0)
    assert statuses(connection) == ["running"]


def test_a_process_that_holds_its_connection_lives_though_nothing_was_seen_of_it(
    theirs: BoundedConnection, connection: BoundedConnection, schema: str
) -> None:
    not_seen_for(connection, 60)
    assert signs(connection, schema).settle_the_dead("mine") == (0, 0)


def test_a_process_of_which_neither_is_left_is_dead_and_its_workflows_are_interrupted(
    theirs: BoundedConnection, connection: BoundedConnection, schema: str
) -> None:
    hang_up(theirs)
    not_seen_for(connection, 2)
    assert signs(connection, schema).settle_the_dead("mine") == (1, 1)
    assert statuses(connection) == ["interrupted"]
    assert connection.execute("SELECT * FROM processes").fetchall() == []
    assert signs(connection, schema).settle_the_dead("mine") == (0, 0)


def test_a_process_that_nobody_has_ever_seen_is_dead(connection: BoundedConnection, schema: str) -> None:
    PostgresWriter(connection, schema).write_started([turn_of("unseen"), turn_of("mine")])
    assert signs(connection, schema).settle_the_dead("mine") == (1, 1)
    assert statuses(connection) == ["interrupted", "running"]


def test_who_comes_back_from_the_dead_goes_on_with_what_was_taken_for_interrupted(
    url: str, theirs: BoundedConnection, connection: BoundedConnection, schema: str
) -> None:
    hang_up(theirs)
    not_seen_for(connection, 2)
    signs(connection, schema).settle_the_dead("mine")
    with connected(url) as again:
        signs(again, schema).show("theirs")
        assert statuses(connection) == ["running"]


def test_a_sign_that_others_removed_is_left_again_at_the_next_beat(
    theirs: BoundedConnection, connection: BoundedConnection, schema: str
) -> None:
    connection.execute("DELETE FROM processes")
    signs(theirs, schema).see("theirs")
    assert connection.execute("SELECT process_id FROM processes").fetchall() == [("theirs",)]


def test_a_lock_that_the_last_connection_still_held_is_taken_as_soon_as_it_is_free(
    url: str, theirs: BoundedConnection, connection: BoundedConnection, schema: str
) -> None:
    with connected(url) as again:
        second = signs(again, schema)
        second.show("theirs")
        hang_up(theirs)
        second.see("theirs")
        not_seen_for(connection, 60)
        assert signs(connection, schema).settle_the_dead("mine") == (0, 0)


def test_who_withdraws_leaves_nothing(theirs: BoundedConnection, connection: BoundedConnection, schema: str) -> None:
    life = signs(theirs, schema)
    assert life.has_running("theirs")
    life.withdraw("theirs")
    assert connection.execute("SELECT * FROM processes").fetchall() == []
    assert signs(connection, schema).settle_the_dead("mine") == (1, 1)


def test_a_row_that_is_being_written_is_settled_the_next_time(
    url: str, theirs: BoundedConnection, connection: BoundedConnection, schema: str
) -> None:
    hang_up(theirs)
    not_seen_for(connection, 2)
    with connected(url) as third:
        with third.transaction():
            third.execute("SELECT 1 FROM workflow_traces FOR UPDATE")
            assert signs(connection, schema).settle_the_dead("mine") == (0, 0)
        assert signs(connection, schema).settle_the_dead("mine") == (1, 1)


def test_two_stores_in_one_database_do_not_share_life_signs(
    theirs: BoundedConnection, connection: BoundedConnection, schema: str
) -> None:
    not_seen_for(connection, 60)
    assert LifeSigns(connection, "another", A_WHILE).settle_the_dead("mine") == (1, 1)  # there, nobody holds the lock
