"""The breaker: closed, open, half open."""

from reamon.pipeline.breaker import Breaker, BreakerState


def opened(at: float = 100.0, *, successes: int = 1) -> Breaker:
    breaker = Breaker(failures=3, rest=5.0, successes=successes)
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(failures=3)
    breaker.failed(0)
    breaker.failed(0)
    breaker.succeeded()
    breaker.failed(0)
    breaker.failed(0)
    assert breaker.state is BreakerState.CLOSED
    breaker.failed(0)
    assert breaker.state is BreakerState.OPEN


def test_while_it_is_open_it_wants_to_be_left_alone() -> None:
    breaker = opened(at=100.0)
    assert [breaker.seconds_left(now) for now in (100.0, 103.0, 105.0, 200.0)] == [5.0, 2.0, 0.0, 0.0]


def test_while_it_is_closed_it_does_not() -> None:
    assert Breaker().seconds_left(0.0) == 0.0


def test_a_failure_in_the_half_open_state_opens_it_again() -> None:
    breaker = opened(at=100.0)
    breaker.try_now()
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.seconds_left(105.0) == 0.0
    breaker.failed(106.0)
    assert breaker.state is BreakerState.OPEN
    assert breaker.seconds_left(106.0) == 5.0


def test_enough_successes_close_it() -> None:
    breaker = opened(successes=2)
    breaker.try_now()
    breaker.succeeded()
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.try_now()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_a_failure_between_the_successes_counts_from_the_start() -> None:
    breaker = opened(successes=2)
    breaker.try_now()
    breaker.succeeded()
    breaker.failed(106.0)
    breaker.try_now()
    breaker.succeeded()
    assert breaker.state is BreakerState.HALF_OPEN
