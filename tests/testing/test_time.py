"""Time and chance under a test's control."""

import pytest

from reamon.testing import FakeClock, capture_spans, fake_ids
from reamon.tracing import start_span


def test_a_fake_clock_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(1_000_000_000)
    first = clock.monotonic_ns()
    assert (clock.monotonic_ns(), clock.wall_ns()) == (first, 1_000_000_000)
    clock.advance(0.25)
    assert (clock.monotonic_ns() - first, clock.wall_ns()) == (250_000_000, 1_250_000_000)


def test_a_span_that_ends_where_a_fake_clock_begins_has_ended() -> None:
    with capture_spans(clock=FakeClock()) as captured:
        span = start_span("step", "at once")
        span.end()
        assert not span.is_recording
        span.end()
        assert len(captured.spans) == 1


def test_a_ticking_clock_never_tells_the_same_moment_twice() -> None:
    clock = FakeClock(tick_ns=10)
    first = clock.monotonic_ns()
    assert [clock.monotonic_ns() - first for _ in range(3)] == [10, 20, 30]


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="set_wall"):
        FakeClock().advance(-1)


def test_the_wall_clock_can_be_set_without_touching_durations() -> None:
    clock = FakeClock(0)
    first, offset = clock.monotonic_ns(), clock.offset
    clock.advance(1)
    clock.set_wall(9_000_000_000)
    assert (clock.monotonic_ns() - first, clock.wall_ns()) == (1_000_000_000, 9_000_000_000)
    assert clock.reanchor()
    assert clock.offset - offset == 8_000_000_000


def test_fake_ids_count() -> None:
    random_62 = fake_ids(7)
    assert [random_62() for _ in range(3)] == [7, 8, 9]
