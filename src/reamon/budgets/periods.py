"""Periods: the hour, day, week or month of a time zone that a moment lies in."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reamon.errors import ConfigurationError
from reamon.model.times import from_datetime, to_datetime

Per = Literal["call", "hour", "day", "week", "month", "total"]
PERS: Final = get_args(Per)

_KEPT: Final = 16


class Period(NamedTuple):
    """A stretch of time, in nanoseconds since 1970.

    Attributes:
        start: Its first moment.
        end: The first moment after it; None for a period without end, that of a call or of all time.
    """

    start: int
    end: int | None


ENDLESS: Final = Period(0, None)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises:
        ConfigurationError: There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            f"there is no time zone {name!r}: give a name of the IANA database, like 'UTC' or 'America/New_York'"
        ) from None


class Calendar:
    """The periods of one kind in one time zone.

    A day begins at local midnight, or at the first moment after it where the clocks are put forward over midnight; it
    has 23 or 25 hours when they change. A week begins on Monday, a month on its first day.

    Args:
        per: Which kind.
        zone: The time zone.

    Example:
        >>> day = Calendar("day", zone_of("Europe/Berlin"))
        >>> period = day.period_of(from_datetime(datetime(2026, 3, 29, 12, tzinfo=UTC)))
        >>> (period.end - period.start) // 3_600_000_000_000
        23
    """

    def __init__(self, per: Per, zone: ZoneInfo) -> None:
        self.per = per
        self._zone = zone
        self._known: tuple[Period, ...] = (ENDLESS,) if per in ("call", "total") else ()

    def period_of(self, moment: int) -> Period:
        """The period that a moment, in nanoseconds since 1970, lies in."""
        for period in self._known:
            if period.end is None or period.start <= moment < period.end:
                return period
        local = to_datetime(moment).astimezone(self._zone)
        start = _STARTS[self.per](local)
        found = Period(self._moment(start), self._moment(_NEXT[self.per](start)))
        self._known = (found, *self._known[: _KEPT - 1])
        return found

    def _moment(self, local: datetime) -> int:
        return from_datetime(local.astimezone(UTC))


def _hour(local: datetime) -> datetime:
    return local.replace(minute=0, second=0, microsecond=0)


def _day(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _week(local: datetime) -> datetime:
    return _day(local - timedelta(days=local.weekday()))


def _month(local: datetime) -> datetime:
    return _day(local.replace(day=1))


def _after_hour(start: datetime) -> datetime:
    following = (start.astimezone(UTC) + timedelta(hours=1)).astimezone(start.tzinfo)
    return _hour(following) if _hour(following).astimezone(UTC) > start.astimezone(UTC) else following


_STARTS: Final[dict[str, Callable[[datetime], datetime]]] = {
    "hour": _hour,
    "day": _day,
    "week": _week,
    "month": _month,
}
_NEXT: Final[dict[str, Callable[[datetime], datetime]]] = {
    "hour": _after_hour,
    "day": lambda start: _day(start + timedelta(days=1)),
    "week": lambda start: _day(start + timedelta(days=7)),
    "month": lambda start: _month(start + timedelta(days=31)),
}
