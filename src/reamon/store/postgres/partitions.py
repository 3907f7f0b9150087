"""Partitions: one for each week, of the tables that grow fastest, made ahead of time and dropped whole.

What belongs to no week's partition (its span's clock is years off, or nobody may create tables) is in the default one,
so a row always has a place. Making a partition takes a lock that stops writers to the *default* partition only, which
is empty as a rule; dropping one stops all of them. So neither waits long for its lock: they let the queue behind them
pass, and try again.
"""

import logging
import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from reamon.guard import describe, log
from reamon.model.ids import row_id_at
from reamon.model.times import from_datetime
from reamon.store.postgres.locks import lock_number

PARTITIONED: Final = ("operations", "agent_executions")

_FIRST_WEEK: Final = datetime(2020, 1, 6, tzinfo=UTC)  # the first Monday that row ids know
_WEEK: Final = timedelta(days=7)
_MILLIS_A_WEEK: Final = 604_800_000
_FIRST_MILLIS: Final = 5 * 86_400_000  # from 2020-01-01, where row ids begin, to the first Monday
_ROW_ID_MILLIS: Final = 22  # so many bits of a row id are below its milliseconds
_AHEAD: Final = 4  # weeks
_BACK: Final = 105  # weeks; what is older than two years is a mistake rather than late
_MOVED: Final = 50_000  # rows of the default partition that are moved to a new one, at most
_MAKING_WAITS: Final = "500ms"
_DROPPING_WAITS: Final = "200ms"
_DROP_ATTEMPTS: Final = 20
_PAUSE: Final = 0.2  # seconds between two attempts, in which the queue gets through
_AFTER_A_FAILURE: Final = 60.0  # seconds until a partition is tried again
_NAME: Final = re.compile(rf"({'|'.join(PARTITIONED)})_p(\d{{8}})_(\d{{8}})")


class Partition(NamedTuple):
    """The rows of one table whose spans started in one week.

    Attributes:
        table: The table.
        first: When the week begins, included.
        end: When it ends, not included.
    """

    table: str
    first: datetime
    end: datetime

    @property
    def name(self) -> str:
        """The partition's own name, which says its range: `operations_p20261123_20261130`."""
        return f"{self.table}_p{self.first:%Y%m%d}_{self.end:%Y%m%d}"

    @property
    def bounds(self) -> tuple[int, int]:
        """The row ids from which and to which it goes."""
        return _bound(self.first), _bound(self.end)

    @classmethod
    def of_week(cls, table: str, week: int) -> "Partition":
        """The partition of a week, counted from the first one of 2020."""
        first = _FIRST_WEEK + week * _WEEK
        return cls(table, first, first + _WEEK)

    @classmethod
    def named(cls, name: str) -> "Partition | None":
        """The partition of that name; None if it is none of ours.

        Example:
            >>> str(Partition.named("operations_p20261123_20261130").end)
            '2026-11-30 00:00:00+00:00'
        """
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        first, end = (datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) for day in match.groups()[1:])
        return cls(match[1], first, end)


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

    def __init__(self, connection: psycopg.Connection[Any], schema: str, now: Any = time.time) -> None:
        self._connection = connection
        self._schema = schema
        self._now = now
        self._known: set[int] = set()
        self._retry_at = 0.0

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
        except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege) as error:
            self._retry_at = self._now() + _AFTER_A_FAILURE
            log(
                "reamon.store",
                logging.WARNING,
                "partition_not_made",
                schema=self._schema,
                error=describe(error),
                then="retried, and its rows are in the default partition",
            )

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
            log("reamon.store", logging.WARNING, "partition_in_use", partition=partition.name, then="dropped next time")
            break
        dropped.append(DroppedPartition(partition.name, partition.table, rows[0] if rows else 0))
    return dropped


def list_partitions(connection: psycopg.Connection[Any]) -> list[Partition]:
    """The partitions of weeks that there are, by table and time."""
    return sorted(_all(connection))


def week_of(row_id: int) -> int:
    """The week in which the span started that has this row id, counted from the first one of 2020.

    Example:
        >>> week_of(0), week_of(5 * 86_400_000 << 22)
        (-1, 0)
    """
    return ((row_id >> _ROW_ID_MILLIS) - _FIRST_MILLIS) // _MILLIS_A_WEEK


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
        except psycopg.errors.LockNotAvailable:
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
        weeks[partition.table].add((partition.first - _FIRST_WEEK) // _WEEK)
    return set.intersection(*weeks.values())


def _bound(moment: datetime) -> int:
    return row_id_at(from_datetime(moment), "000")
