"""Times: nanoseconds inside, ISO 8601 and aware datetimes outside."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from reamon.model.times import NANOS_PER_SECOND, from_datetime, iso, iso_pair, to_datetime

moments = st.integers(-62_135_596_800 * NANOS_PER_SECOND, 250_000_000_000 * NANOS_PER_SECOND)


@given(moments)
def test_iso_is_what_datetime_says_with_microseconds(nanos: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanos // 1000)
    assert iso(nanos) == expected.isoformat(timespec="microseconds").replace("+00:00", "Z")


@given(st.lists(moments, min_size=2))
def test_texts_sort_as_the_moments_do(nanos: list[int]) -> None:
    assert [iso(moment) for moment in sorted(nanos)] == sorted(iso(moment) for moment in nanos)


def test_iso_is_right_however_many_seconds_were_asked_before() -> None:
    for second in range(2000):
        iso(second * NANOS_PER_SECOND)
    assert iso(5 * NANOS_PER_SECOND + 7000) == "1970-01-01T00:00:05.000007Z"
    assert iso(0) == "1970-01-01T00:00:00.000000Z"
    assert iso(999_999_999) == "1970-01-01T00:00:00.999999Z"


@given(moments)
def test_datetimes_are_aware_and_come_back(nanos: int) -> None:
    moment = to_datetime(nanos)
    assert moment.tzinfo is UTC
    assert from_datetime(moment) == nanos // 1000 * 1000


def test_a_datetime_of_another_zone_is_the_same_moment() -> None:
    there = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert from_datetime(there) == from_datetime(datetime(2026, 1, 1, tzinfo=UTC))


def test_a_naive_datetime_is_local_time() -> None:
    naive = datetime(2026, 7, 1, 12)
    assert from_datetime(naive) == round(naive.timestamp() * NANOS_PER_SECOND)


@given(start=st.integers(0, 4 * 10**18), length=st.integers(0, 3 * 10**9))
def test_a_pair_is_the_texts_of_both(start: int, length: int) -> None:
    assert iso_pair(start, start + length) == (iso(start), iso(start + length))


def test_a_pair_may_run_backwards() -> None:
    assert iso_pair(2_000_000_000, 1_999_999_000) == (iso(2_000_000_000), iso(1_999_999_000))
