"""The clock of the budgets does not go back into a period that is over."""

import logging
import threading

from reamon.budgets.clock import SteadyClock

HOUR = 3_600_000_000_000


class Wall:
    def __init__(self) -> None:
        self.now = 1_000 * HOUR

    def __call__(self) -> int:
        return self.now


def test_it_stands_still_while_the_machine_is_behind() -> None:
    wall = Wall()
    clock = SteadyClock(wall)
    latest = clock.now()
    wall.now -= HOUR
    assert clock.now() == latest
    wall.now += 2 * HOUR
    assert clock.now() == latest + HOUR


def test_what_was_recorded_meanwhile_is_moved_ahead() -> None:
    wall = Wall()
    clock = SteadyClock(wall)
    latest = clock.now()
    wall.now -= HOUR
    assert clock.moment(wall.now - 5) == latest - 5


def test_what_comes_late_keeps_its_moment() -> None:
    clock = SteadyClock(Wall())
    assert clock.moment(900 * HOUR) == 900 * HOUR


def test_a_clock_that_was_wrong_by_more_than_a_day_is_believed() -> None:
    wall = Wall()
    clock = SteadyClock(wall)
    clock.now()
    wall.now -= 25 * HOUR
    assert clock.now() == wall.now


def test_a_handler_of_the_log_may_ask_for_the_time_itself() -> None:
    wall = Wall()
    clock = SteadyClock(wall)
    times = [clock.now()]

    class Asks(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            times.append(clock.now())

    handler = Asks()
    logging.getLogger("reamon.budgets").addHandler(handler)
    try:
        wall.now -= 25 * HOUR
        asking = threading.Thread(target=clock.now, daemon=True)
        asking.start()
        asking.join(10)
    finally:
        logging.getLogger("reamon.budgets").removeHandler(handler)
    assert times == [1_000 * HOUR, wall.now]
