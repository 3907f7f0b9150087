"""Weeks: the partition in which a row is, and what it is called. Known without a connection, and without psycopg."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from reamon.model.ids import row_id_at
from reamon.model.times import from_datetime

PARTITIONED: Final = ("operations", "agent_executions")
"""The tables that are partitioned by the start of their rows' spans."""

_FIRST_WEEK: Final = datetime(2020, 1, 6, tzinfo=UTC)  # the first Monday that row ids know
_WEEK: Final = timedelta(days=7)
_MILLIS_A_WEEK: Final = 604_800_000
_FIRST_MILLIS: Final = 5 * 86_400_000  # from 2020-01-01, where row ids begin, to the first Monday
_ROW_ID_MILLIS: Final = 22  # so many bits of a row id are below its milliseconds
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


def week_of(row_id: int) -> int:
    """The week in which the span started that has this row id, counted from the first one of 2020.

    Example:
        >>> week_of(0), week_of(5 * 86_400_000 << 22)
        (-1, 0)
    """
    return ((row_id >> _ROW_ID_MILLIS) - _FIRST_MILLIS) // _MILLIS_A_WEEK


def is_partition(name: str) -> bool:
    """Whether a table of that name is a partition of ours, the default ones included.

    Example:
        >>> is_partition("operations_default"), is_partition("operations")
        (True, False)
    """
    return Partition.named(name) is not None or name in {f"{table}_default" for table in PARTITIONED}


def _bound(moment: datetime) -> int:
    return row_id_at(from_datetime(moment), "000")
