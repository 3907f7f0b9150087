"""Backoff: longer from failure to failure, up to a low cap, and over at the first success."""

from hypothesis import given
from hypothesis import strategies as st

from reamon.pipeline.retry import Backoff


def longest(_low: float, high: float) -> float:
    return high


def test_each_failure_waits_twice_as_long_up_to_the_cap() -> None:
    backoff = Backoff(base=1, cap=10, uniform=longest)
    assert [backoff.failed() for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_a_success_begins_anew() -> None:
    backoff = Backoff(base=1, cap=10, uniform=longest)
    backoff.failed()
    backoff.failed()
    backoff.succeeded()
    assert backoff.failures == 0
    assert backoff.failed() == 1


def test_the_jitter_is_full() -> None:
    ranges = []
    backoff = Backoff(base=1, cap=10, uniform=lambda low, high: ranges.append((low, high)) or low)
    assert [backoff.failed() for _ in range(2)] == [0, 0]
    assert ranges == [(0, 1), (0, 2)]


@given(failures=st.integers(1, 5_000))
def test_it_never_gives_up_and_never_waits_longer_than_the_cap(failures: int) -> None:
    backoff = Backoff(base=0.1, cap=10)
    waits = [backoff.failed() for _ in range(failures)]
    assert all(0 <= wait <= 10 for wait in waits)
