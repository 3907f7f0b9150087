"""Health: what an attempt's end means for the next one."""

import logging

import pytest

from reamon.errors import Paused, Rejected, RetryAfter
from reamon.pipeline.breaker import Breaker
from reamon.pipeline.health import Health
from reamon.pipeline.retry import Backoff

DOWN = ConnectionError("nobody answers")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("reamon.pipeline.health.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def health(clock: list[float]) -> Health:
    backoff = Backoff(base=1.0, cap=10.0, uniform=lambda low, high: high)
    return Health("crm", backoff, Breaker(failures=3, rest=5.0))


def test_at_first_all_is_well(health: Health) -> None:
    assert (health.state, health.failures, health.error, health.fix) == ("ok", 0, None, None)
    assert health.down_seconds is None
    assert health.seconds_left() == 0.0


def test_a_failure_waits_for_the_backoff(health: Health, clock: list[float]) -> None:
    health.failed(DOWN, 1)
    assert health.state == "failing"
    assert health.error == "ConnectionError: nobody answers"
    assert health.seconds_left() == 1.0
    clock[0] += 0.25
    assert health.seconds_left() == 0.75
    assert health.down_seconds == 0.25


def test_several_failures_open_the_breaker_whose_rest_counts(health: Health, clock: list[float]) -> None:
    for _ in range(3):
        health.failed(DOWN, 1)
    assert health.state == "open"
    assert health.seconds_left() == 5.0
    clock[0] += 5.0
    health.begin()
    assert health.state == "half_open"
    health.succeeded()
    assert (health.state, health.seconds_left()) == ("ok", 0.0)


@pytest.mark.parametrize("answer", [Rejected("422 whatever is sent"), RetryAfter(0.0), Paused("401", "set a key")])
def test_who_answers_is_not_down(health: Health, answer: Exception) -> None:
    for _ in range(10):
        health.failed(answer, 1)
    assert health.state in ("failing", "paused")


def test_what_the_destination_asks_for_is_the_least(health: Health) -> None:
    health.failed(RetryAfter(60.0), 1)
    assert health.seconds_left() == 60.0
    health.succeeded()
    health.failed(RetryAfter(0.1), 1)
    assert health.seconds_left() == 1.0


def test_a_paused_lane_looks_again_at_the_cap(health: Health) -> None:
    health.failed(Paused("401 Unauthorized", "set LANGSMITH_API_KEY"), 1)
    assert (health.state, health.fix) == ("paused", "set LANGSMITH_API_KEY")
    assert health.seconds_left() == 10.0


def test_a_pause_is_never_longer_than_ten_seconds_whatever_the_cap(clock: list[float]) -> None:
    health = Health("crm", Backoff(cap=600.0), Breaker())
    health.failed(Paused("401", "set a key"), 1)
    assert health.seconds_left() == 10.0


def test_trouble_of_each_sort_and_its_end_are_logged_once(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reamon.pipeline")
    for error in (DOWN, DOWN, Paused("401", "set a key"), Paused("401", "set a key"), DOWN):
        health.failed(error, 12)
    health.begin()
    health.succeeded()
    health.succeeded()
    failing, paused, recovered = (record.message for record in caplog.records)
    assert "event='lane_failing'" in failing
    assert "ConnectionError: nobody answers" in failing
    assert "waiting=12" in failing
    assert "event='lane_paused'" in paused
    assert "fix='set a key'" in paused
    assert "event='lane_recovered'" in recovered
    assert "failures=5" in recovered


def test_the_next_trouble_is_told_again(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        health.failed(DOWN, 1)
        health.begin()
        health.succeeded()
    assert caplog.text.count("lane_failing") == 2


def test_a_child_begins_anew(health: Health) -> None:
    health.failed(DOWN, 1)
    health.after_fork()
    assert (health.state, health.failures, health.seconds_left()) == ("ok", 0, 0.0)
