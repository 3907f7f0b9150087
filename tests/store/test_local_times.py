"""Local days and hours in SQL are those that Python says, whatever the zone and the moment."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, select
from sqlalchemy.dialects import sqlite

from reamon.store.local_times import local, stretches, zone_of
from reamon.store.types import UtcDateTime

MOMENTS = Table("moments", MetaData(), Column("at", UtcDateTime))
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Pacific/Apia", "America/St_Johns", "Africa/Casablanca", "Antarctica/Troll",
]  # fmt: skip

moments = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


def in_sql(unit: str, zone: ZoneInfo, moment: datetime, around: timedelta = timedelta(days=400)) -> str:
    query = select(local(unit, MOMENTS.c.at, stretches(zone, moment - around, moment + around)))
    compiled = query.compile(dialect=sqlite.dialect())
    text = UtcDateTime().written(moment)
    values = [UtcDateTime().written(compiled.params[name]) for name in compiled.positiontup or ()]
    with closing(sqlite3.connect(":memory:")) as file:
        file.execute("CREATE TABLE moments (at TEXT)")
        file.execute("INSERT INTO moments VALUES (?)", (text,))
        return str(file.execute(str(compiled), values).fetchone()[0])


@given(moments, st.sampled_from(ZONES))
def test_a_local_day_is_the_one_that_python_says(moment: datetime, name: str) -> None:
    zone = zone_of(name)
    assert in_sql("day", zone, moment) == moment.astimezone(zone).date().isoformat()


@given(moments, st.sampled_from(ZONES))
def test_a_local_hour_is_the_one_that_python_says(moment: datetime, name: str) -> None:
    zone = zone_of(name)
    hour = moment.astimezone(zone).replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")
    assert in_sql("hour", zone, moment) == hour.replace("+00:00", "Z")


@pytest.mark.parametrize("at", ["2026-11-18T23:59:59.999999", "2026-11-18T00:00:00.000000"])
def test_the_ends_of_a_day_belong_to_it(at: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert in_sql("day", zone_of("UTC"), moment) == "2026-11-18"
    berlin = moment - timedelta(hours=1)
    assert in_sql("day", zone_of("Europe/Berlin"), berlin) == "2026-11-18"
