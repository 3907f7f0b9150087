"""Partitions: one for each week, of the tables that grow fastest, made ahead of time and dropped whole.

What belongs to no week's partition (its span's clock is years off, or nobody may create tables) is in the default one,
so a row always has a place. Making a partition takes a lock that stops writers to the *default* partition only, which
is empty as a rule; dropping one stops all of them. So neither waits long for its lock: they let the queue behind them
pass, and try again.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg
from psycopg import errors

from reamon.guard import describe, log
from reamon.model.ids import row_id_at
from reamon.store.postgres.locks import lock_number
from reamon.store.postgres.weeks import PARTITIONED, Partition, week_of

_LOGGER: Final = "reamon.store"
_AHEAD: Final = 4  # weeks
_BACK: Final = 105  # weeks; what is older than two years is a mistake rather than late
_MOVED: Final = 50_000  # rows of the default partition that are moved to a new one, at most
_MAKING_WAITS: Final = "500ms"
_DROPPING_WAITS: Final = "200ms"
_DROP_ATTEMPTS: Final = 20
_PAUSE: Final = 0.2  # seconds between two attempts, in which the queue gets through
_AFTER_A_FAILURE: Final = 60.0  # seconds until a partition is tried again
_AFTER_A_LONG_ONE: Final = (
    3600.0  # the same, where the default partition has so much that to look through it takes long
)


class DroppedPartition(msgspec.Struct, frozen=True):
    """A partition that is gone.

    Attributes:
        name: Its name.
        table: The table that it was of.
        rows: How many rows it had.
    """

    name: str
    table: str
    rows: int


class PartitionMaker:
    """Sees that the partitions are there into which rows are about to be written.

    Args:
        connection: In autocommit mode, with the store's schema in its search path.
        schema: The schema's name.
        now: The time in seconds since 1970; injected by tests.
    """

    def __init__(self, connection: psycopg.Connection[Any], schema: str, now: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._schema = schema
        self._now = now
        self._known: set[int] = set()
        self._retry_at = 0.0
        self._has_told = False

    def make_ahead(self) -> None:
        """Make those of this week and the next ones."""
        week = self._this_week()
        self._known = _weeks_of_all(self._connection)
        self._make(range(week, week + _AHEAD + 1))

    def make_for(self, row_ids: Iterable[int]) -> None:
        """Make those in which these rows belong, and in time those of the weeks to come."""
        weeks = {week_of(row_id) for row_id in row_ids}
        if weeks <= self._known and max(weeks, default=0) + 1 in self._known:
            return
        this = self._this_week()
        wanted = {week for week in weeks if this - _BACK <= week <= this + _AHEAD}
        if this in weeks:
            wanted |= set(range(this, this + _AHEAD + 1))
        self._make(sorted(wanted))

    def _make(self, weeks: Iterable[int]) -> None:
        missing = [week for week in weeks if week not in self._known]
        if not missing or self._now() < self._retry_at:
            return
        try:
            for week in missing:
                for table in PARTITIONED:
                    _make(self._connection, self._schema, Partition.of_week(table, week))
                self._known.add(week)
        except (errors.LockNotAvailable, errors.QueryCanceled, errors.InsufficientPrivilege) as error:
            took_long = isinstance(error, errors.QueryCanceled)
            self._retry_at = self._now() + (_AFTER_A_LONG_ONE if took_long else _AFTER_A_FAILURE)
            if not self._has_told:
                self._has_told = True
                often = "hour" if took_long else "minute"
                then = f"retried every {often}; its rows are in the default partition meanwhile"
                log(_LOGGER, logging.WARNING, "partition_not_made", error=describe(error).strip(), then=then)

    def _this_week(self) -> int:
        return week_of(row_id_at(int(self._now()) * 1_000_000_000, "000"))


def drop_partitions(connection: psycopg.Connection[Any], before: datetime) -> list[DroppedPartition]:
    """Drop the partitions whose rows are all of spans that started before `before`, the oldest first.

    Nobody waits for it longer than a fifth of a second at a time. A partition that is in use all the while stays, and
    so do those after it, until the next time.

    Args:
        connection: In autocommit mode, with the store's schema in its search path.
        before: An aware datetime.

    Returns:
        Those that are gone.

    Raises:
        psycopg.Error: The database does not let us.
    """
    dropped = []
    for partition in sorted(_all(connection), key=lambda partition: partition.end):
        if partition.end > before:
            continue
        rows = connection.execute(f'SELECT count(*) FROM "{partition.name}"').fetchone()
        if not _drop(connection, partition):
            log(_LOGGER, logging.WARNING, "partition_in_use", partition=partition.name, then="dropped next time")
            break
        dropped.append(DroppedPartition(partition.name, partition.table, rows[0] if rows else 0))
    return dropped


def list_partitions(connection: psycopg.Connection[Any]) -> list[Partition]:
    """The partitions of weeks that there are, by table and time."""
    return sorted(_all(connection))


def _make(connection: psycopg.Connection[Any], schema: str, partition: Partition) -> None:
    """Make a partition, unless it is there.

    It is attached, since to create it in place would lock all of the table. What the default partition has of its rows
    is moved; where that would take long, the rows stay there, and this week has no partition.
    """
    table, name, (low, high) = partition.table, partition.name, partition.bounds
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{_MAKING_WAITS}'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("partitions", schema),))
        if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,):
            return
        of_its_rows = f"FROM {table}_default WHERE id >= {low} AND id < {high}"
        found = connection.execute(f"SELECT count(*) FROM (SELECT 1 {of_its_rows} LIMIT {_MOVED + 1}) AS found")
        if found.fetchone() == (_MOVED + 1,):
            return
        connection.execute(f"CREATE TABLE {name} (LIKE {table})")
        connection.execute(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE")
        connection.execute(f"WITH moved AS (DELETE {of_its_rows} RETURNING *) INSERT INTO {name} SELECT * FROM moved")
        connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})")


def _drop(connection: psycopg.Connection[Any], partition: Partition) -> bool:
    for attempt in range(_DROP_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE)
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_DROPPING_WAITS}'")
                connection.execute(f'DROP TABLE IF EXISTS "{partition.name}"')
        except errors.LockNotAvailable:
            continue
        else:
            return True
    return False


def _all(connection: psycopg.Connection[Any]) -> Iterator[Partition]:
    names = connection.execute(
        "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
        " WHERE inhparent = ANY(ARRAY[to_regclass(%s), to_regclass(%s)])",
        PARTITIONED,
    ).fetchall()
    for (name,) in names:
        partition = Partition.named(name)
        if partition is not None:
            yield partition


def _weeks_of_all(connection: psycopg.Connection[Any]) -> set[int]:
    """The weeks for which every table has a partition."""
    weeks = {table: set[int]() for table in PARTITIONED}
    for partition in _all(connection):
        weeks[partition.table].add(week_of(partition.bounds[0]))
    return set.intersection(*weeks.values())
