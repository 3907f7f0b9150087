"""Periods: where days, weeks and months of a time zone begin and end, whatever the clocks there do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reamon.budgets.periods import ENDLESS, PERS, Calendar, zone_of
from reamon.errors import ConfigurationError
from reamon.model.times import from_datetime, to_datetime

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kolkata",
)
HOUR = 3_600_000_000_000


def at(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def shown(per: str, zone: str, moment: str) -> tuple[str, str]:
    period = Calendar(per, zone_of(zone)).period_of(at(moment))  # type: ignore[arg-type]
    assert period.end is not None
    return (f"{to_datetime(period.start):%Y-%m-%dT%H:%M}", f"{to_datetime(period.end):%Y-%m-%dT%H:%M}")


@pytest.mark.parametrize(
    ("per", "zone", "moment", "start", "end"),
    [
        ("hour", "UTC", "2026-05-04T13:45:10", "2026-05-04T13:00", "2026-05-04T14:00"),
        ("hour", "Asia/Kolkata", "2026-05-04T13:45:10", "2026-05-04T13:30", "2026-05-04T14:30"),
        ("day", "UTC", "2026-05-04T13:45:10", "2026-05-04T00:00", "2026-05-05T00:00"),
        ("day", "America/New_York", "2026-05-04T03:59:59", "2026-05-03T04:00", "2026-05-04T04:00"),
        ("day", "America/New_York", "2026-05-04T04:00:00", "2026-05-04T04:00", "2026-05-05T04:00"),
        ("week", "UTC", "2026-05-03T23:59:59", "2026-04-27T00:00", "2026-05-04T00:00"),
        ("week", "UTC", "2026-05-04T00:00:00", "2026-05-04T00:00", "2026-05-11T00:00"),
        ("month", "UTC", "2026-12-31T13:00:00", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", "Europe/Berlin", "2026-03-31T21:59:00", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("month", "UTC", "2027-02-28T23:59:59", "2027-02-01T00:00", "2027-03-01T00:00"),
        ("month", "UTC", "2028-02-29T12:00:00", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "UTC", "2026-04-30T12:00:00", "2026-04-01T00:00", "2026-05-01T00:00"),
        # a week goes on over the new year
        ("week", "UTC", "2026-12-31T12:00:00", "2026-12-28T00:00", "2027-01-04T00:00"),
        ("week", "UTC", "2027-01-03T23:59:59", "2026-12-28T00:00", "2027-01-04T00:00"),
        # weeks and months in which the clocks change are an hour shorter or longer
        ("week", "America/New_York", "2026-03-08T12:00:00", "2026-03-02T05:00", "2026-03-09T04:00"),
        ("week", "Europe/Berlin", "2026-10-25T12:00:00", "2026-10-18T22:00", "2026-10-25T23:00"),
        ("month", "America/New_York", "2026-11-15T12:00:00", "2026-11-01T04:00", "2026-12-01T05:00"),
        # 23 and 25 hours
        ("day", "America/New_York", "2026-03-08T12:00:00", "2026-03-08T05:00", "2026-03-09T04:00"),
        ("day", "America/New_York", "2026-11-01T12:00:00", "2026-11-01T04:00", "2026-11-02T05:00"),
        ("day", "Europe/Berlin", "2026-03-29T12:00:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("day", "Europe/Berlin", "2026-10-25T12:00:00", "2026-10-24T22:00", "2026-10-25T23:00"),
        # midnight does not exist: the clocks are put from 00:00 to 01:00
        ("day", "America/Sao_Paulo", "2018-11-04T12:00:00", "2018-11-04T03:00", "2018-11-05T02:00"),
        # midnight is there twice: the clocks are put back from 01:00 to 00:00
        ("day", "America/Havana", "2026-11-01T05:30:00", "2026-11-01T04:00", "2026-11-02T05:00"),
        # the hour that is there twice is two hours
        ("hour", "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T00:00", "2026-10-25T01:00"),
        ("hour", "Europe/Berlin", "2026-10-25T01:30:00", "2026-10-25T01:00", "2026-10-25T02:00"),
    ],
)
def test_a_period_begins_and_ends_where_people_there_say(
    per: str, zone: str, moment: str, start: str, end: str
) -> None:
    assert shown(per, zone, moment) == (start, end)


def test_calls_and_all_time_have_no_end() -> None:
    assert Calendar("call", zone_of("UTC")).period_of(at("2026-05-04T00:00:00")) == ENDLESS
    assert Calendar("total", zone_of("UTC")).period_of(0) == ENDLESS


@given(
    per=st.sampled_from([per for per in PERS if per not in ("call", "total")]),
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, 60 * 24 * 365 * 12),
)
@example(per="day", zone="Asia/Beirut", minutes=6_468_840)
def test_periods_follow_each_other_without_a_gap(per: str, zone: str, minutes: int) -> None:
    moment = from_datetime(datetime(2017, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))
    calendar = Calendar(per, zone_of(zone))  # type: ignore[arg-type]
    period = calendar.period_of(moment)
    assert period.end is not None
    assert period.start <= moment < period.end
    fresh = Calendar(per, zone_of(zone))  # type: ignore[arg-type]
    assert fresh.period_of(period.start) == period
    assert fresh.period_of(period.end - 1) == period
    assert fresh.period_of(period.end).start == period.end


def test_a_zone_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="no time zone 'Mars/Olympus'"):
        zone_of("Mars/Olympus")
