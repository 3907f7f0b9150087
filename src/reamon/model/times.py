"""Times at the edges: integer nanoseconds inside, ISO 8601 in UTC and aware datetimes outside."""

from datetime import UTC, datetime, timedelta

NANOS_PER_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_START = _EPOCH.replace(tzinfo=None)
_DIGITS = [f"{number:03d}" for number in range(1_000)]
_seconds: dict[int, str] = {}
_SECONDS_KEPT = 512


def iso(nanos: int) -> str:
    """`nanos` since 1970 as ISO 8601 in UTC with microseconds.

    Spans come in runs of the same second, so the text of a second is made once, and the rest is looked up: both the
    JSONL lines and the SQLite rows pay for it twice a span.

    Example:
        >>> iso(1_700_000_000_123_456_789)
        '2023-11-14T22:13:20.123456Z'
    """
    second, rest = divmod(nanos, NANOS_PER_SECOND)
    text = _seconds.get(second) or _keep_second(second)
    return f"{text}{_DIGITS[rest // 1_000_000]}{_DIGITS[rest // 1_000 % 1_000]}Z"


def iso_pair(start: int, end: int) -> tuple[str, str]:
    """`iso` of a start and an end, for little more than the price of one where both lie in the same second.

    Example:
        >>> iso_pair(1_700_000_000_123_456_789, 1_700_000_000_124_000_000)
        ('2023-11-14T22:13:20.123456Z', '2023-11-14T22:13:20.124000Z')
    """
    second, rest = divmod(start, NANOS_PER_SECOND)
    text = _seconds.get(second) or _keep_second(second)
    begun = f"{text}{_DIGITS[rest // 1_000_000]}{_DIGITS[rest // 1_000 % 1_000]}Z"
    rest += end - start
    if not 0 <= rest < NANOS_PER_SECOND:
        return begun, iso(end)
    return begun, f"{text}{_DIGITS[rest // 1_000_000]}{_DIGITS[rest // 1_000 % 1_000]}Z"


def _keep_second(second: int) -> str:
    if len(_seconds) >= _SECONDS_KEPT:
        _seconds.clear()
    text = _seconds[second] = (_START + timedelta(seconds=second)).isoformat() + "."  # years have four digits
    return text


def to_datetime(nanos: int) -> datetime:
    """`nanos` since 1970 as an aware datetime in UTC, rounded down to microseconds."""
    return _EPOCH + timedelta(microseconds=nanos // 1000)


def from_datetime(moment: datetime) -> int:
    """An aware datetime as nanoseconds since 1970; a naive one is taken as local time, as `datetime` itself does."""
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1000


def is_in_utc(moment: datetime) -> bool:
    """Whether an aware datetime has an equal in UTC: the first and the last hours of some zones have none.

    Example:
        >>> is_in_utc(datetime(2026, 11, 23, tzinfo=UTC)), is_in_utc(datetime.fromisoformat("0001-01-01T00:00+09:00"))
        (True, False)
    """
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True
