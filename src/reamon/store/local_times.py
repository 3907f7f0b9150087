"""Days and hours of a time zone, as SQL that every database understands.

SQLite knows no time zones, and databases that do have rules of their own age. So Python looks up between which moments
the zone has which offset, and SQL adds that offset: one truth, and a `CASE` of a few branches at most.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, case, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import String

from reamon.errors import ConfigurationError

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_FORMATS = {"day": ("%Y-%m-%d", "YYYY-MM-DD", 10), "hour": ("%Y-%m-%dT%H:00", 'YYYY-MM-DD"T"HH24:00', 13)}


class Stretch(NamedTuple):
    """A stretch of time in which a zone has one offset.

    Attributes:
        until: Its end; None for the last one.
        offset: What is added to UTC.
    """

    until: datetime | None
    offset: timedelta


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises:
        ConfigurationError: There is none.

    Example:
        >>> zone_of("Europe/Berlin").key
        'Europe/Berlin'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            f"there is no time zone {name!r}: give a name of the IANA database, like 'UTC' or 'America/New_York'"
        ) from None


def stretches(zone: ZoneInfo, first: datetime, last: datetime) -> tuple[Stretch, ...]:
    """The offsets that `zone` has from `first` to `last`, in order.

    Example:
        >>> summer, winter = stretches(zone_of("Europe/Berlin"), datetime(2026, 10, 1, tzinfo=UTC),
        ...                            datetime(2026, 11, 1, tzinfo=UTC))
        >>> summer.until.isoformat(), str(summer.offset), str(winter.offset)
        ('2026-10-25T01:00:00+00:00', '2:00:00', '1:00:00')
    """
    found: list[Stretch] = []
    at = first.astimezone(UTC).replace(microsecond=0)
    offset = _offset(zone, at)
    while at < last:
        following = at + _DAY
        if _offset(zone, following) != offset:
            change = _first_moment_of_another(zone, at, following, offset)
            found.append(Stretch(change, offset))
            offset = _offset(zone, change)
        at = following
    return (*found, Stretch(None, offset))


def local(unit: str, moment: ColumnElement[Any], offsets: Sequence[Stretch]) -> ColumnElement[Any]:
    """The local day ("2026-11-23") or hour ("2026-11-23T07:00+01:00") that a moment lies in, as text.

    Args:
        unit: "day" or "hour".
        moment: A column of the store's times.
        offsets: What `stretches` found for all moments that there can be.
    """
    *earlier, latest = ((each.until, _text_at(unit, moment, each.offset)) for each in offsets)
    if not earlier:
        return latest[1]
    return case(*((moment < until, text) for until, text in earlier), else_=latest[1])


def _text_at(unit: str, moment: ColumnElement[Any], offset: timedelta) -> ColumnElement[Any]:
    text: ColumnElement[Any] = _shifted(
        moment, literal_column(str(int(offset.total_seconds()))), literal_column(f"'{unit}'")
    )
    return text if unit == "day" else text + literal_column(f"'{_suffix(offset)}'", String)


def _suffix(offset: timedelta) -> str:
    """An offset as ISO 8601 writes it; Z for none."""
    if not offset:
        return "Z"
    sign, size = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    return f"{sign}{size // timedelta(hours=1):02d}:{size // timedelta(minutes=1) % 60:02d}"


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _first_moment_of_another(zone: ZoneInfo, low: datetime, high: datetime, offset: timedelta) -> datetime:
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
    return high


class _shifted(FunctionElement[Any]):  # noqa: N801 - named like an SQL function
    """A moment, moved by so many seconds, as the text of its day or hour."""

    inherit_cache = True
    type = String()


@compiles(_shifted)
def _on_postgres(element: _shifted, compiler: SQLCompiler, **options: Any) -> str:
    moment, seconds, form = _arguments(element, compiler, options)
    return f"to_char(({moment} AT TIME ZONE 'UTC') + {seconds} * INTERVAL '1 second', '{form[1]}')"


@compiles(_shifted, "sqlite")
def _on_sqlite(element: _shifted, compiler: SQLCompiler, **options: Any) -> str:
    moment, seconds, form = _arguments(element, compiler, options)
    if seconds == "0":  # the text itself begins with it, and cutting that off is quicker than reading a date
        return f"substr({moment}, 1, {form[2]})" + ("" if form[2] == 10 else " || ':00'")
    whole = f"substr({moment}, 1, 19)"  # SQLite would round the last microseconds of a day up to the next one
    return f"strftime('{form[0]}', {whole}, '{int(seconds):+d} seconds')"


def _arguments(
    element: _shifted, compiler: SQLCompiler, options: dict[str, Any]
) -> tuple[str, str, tuple[str, str, int]]:
    moment, seconds, unit = (compiler.process(clause, **options) for clause in element.clauses)
    return moment, seconds, _FORMATS[unit.strip("'")]
