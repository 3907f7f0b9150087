"""The clock: wall time that never runs backwards."""

import time

from reamon.tracing import Clock


class Times:
    """Two clocks of a machine, under the test's control."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000_000_000_000
        self.monotonic = 5_000

    def clock(self) -> Clock:
        return Clock(lambda: self.monotonic, lambda: self.wall)


def test_monotonic_time_plus_the_offset_is_wall_time() -> None:
    times = Times()
    clock = times.clock()
    times.monotonic += 250
    assert clock.monotonic_ns() + clock.offset == times.wall + 250


def test_the_clock_of_the_machine_is_the_default() -> None:
    clock = Clock()
    assert abs(clock.monotonic_ns() + clock.offset - time.time_ns()) < 1_000_000_000


def test_a_small_drift_is_left_alone() -> None:
    times = Times()
    clock = times.clock()
    before = clock.offset
    times.wall += 999_999_999
    assert not clock.reanchor()
    assert clock.offset == before


def test_a_drift_of_over_a_second_is_followed_in_both_directions() -> None:
    times = Times()
    clock = times.clock()
    for step in (3_600_000_000_000, -7_200_000_000_000):
        times.wall += step
        assert clock.reanchor()
        assert clock.monotonic_ns() + clock.offset == times.wall
        assert not clock.reanchor()
