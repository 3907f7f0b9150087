"""Periods: the options `--since`, `--until` and `--tz`, as people write times."""

import argparse
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from reamon.errors import ReamonError

_AGO: Final = re.compile(r"(\d+)([smhdw])")
_SPANS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS: Final = {"today": 0, "yesterday": 1}


def add_period_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the options `--since`, `--until` and `--tz`."""
    form = "a day (2026-11-23, today, yesterday), a time (2026-11-23T14:30) or how long ago (90m, 12h, 7d)"
    parser.add_argument("--since", metavar="WHEN", help=f"from then on: {form}")
    parser.add_argument("--until", metavar="WHEN", help="until then; a day is included")
    parser.add_argument("--tz", metavar="ZONE", default="UTC", help="the time zone of days (default: %(default)s)")


def period_of(
    arguments: argparse.Namespace, zone: ZoneInfo, now: datetime | None = None
) -> tuple[datetime | None, datetime | None]:
    """The two ends that a command was given, in UTC; the second one is not included.

    Raises:
        ReamonError: One of them cannot be read as a time.
    """
    now = datetime.now(UTC) if now is None else now
    since, until = arguments.since, arguments.until
    return (
        None if since is None else moment_of("--since", since, zone, now),
        None if until is None else moment_of("--until", until, zone, now, is_end=True),
    )


def moment_of(option: str, text: str, zone: ZoneInfo, now: datetime, *, is_end: bool = False) -> datetime:
    """What somebody means by a time.

    Args:
        option: Where it was given, for the message.
        text: What was written.
        zone: Whose days they are.
        now: The present.
        is_end: Whether a day means its end.

    Raises:
        ReamonError: It cannot be read as a time.

    Example:
        >>> now = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
        >>> moment_of("--since", "today", ZoneInfo("America/New_York"), now).isoformat()
        '2026-11-23T05:00:00+00:00'
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - timedelta(**{_SPANS[ago[2]]: int(ago[1])})
        day = _day(text, now.astimezone(zone).date())
        if day is not None:
            return datetime.combine(day + timedelta(days=is_end), time(), zone).astimezone(UTC)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ReamonError(
            f"{option} {text}: give a day (2026-11-23, today, yesterday), a time (2026-11-23T14:30) "
            "or how long ago (90m, 12h, 7d)"
        ) from None


def _day(text: str, today: date) -> date | None:
    """The day that is named, or None where more than a day is."""
    if text in _DAYS:
        return today - timedelta(days=_DAYS[text])
    return date.fromisoformat(text) if len(text) == len("2026-11-23") else None
