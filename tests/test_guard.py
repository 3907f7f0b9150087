"""The guard: our own errors end here."""

import logging
import threading
from collections import Counter

import pytest

from reamon.guard import Guard, describe, guard, guarded, log


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@guarded(default=0)
def half(number: int) -> float:
    """Half of it."""
    return number / 2


def test_a_strict_guard_raises_what_it_is_told() -> None:
    error = ValueError("x")
    with pytest.raises(ValueError, match="x") as raised:
        guard.contain("here", error)
    assert raised.value is error


def test_a_signal_handler_may_contain_an_error_in_the_middle_of_another() -> None:
    ours = Guard()

    class Interrupted(Counter[str]):
        def __setitem__(self, key: str, count: int) -> None:
            super().__setitem__(key, count)
            if "handler" not in key:
                ours.contain("handler", ValueError("x"))

    ours._counts = Interrupted()
    thread = threading.Thread(target=ours.contain, args=("here", ValueError("x")), daemon=True)
    thread.start()
    thread.join(10)
    assert ours.errors == 2


def test_an_error_is_described_in_words_that_can_be_written_everywhere() -> None:
    assert describe(ValueError("half of a pair: \ud800")) == "ValueError: half of a pair: \\ud800"


def test_a_contained_error_is_counted_every_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    ours = Guard()
    for _ in range(3):
        ours.contain("here", ValueError("x"))
    assert ours.errors == 3
    (record,) = caplog.records
    assert record.name == "reamon"
    assert "internal_error" in record.message
    assert "here" in record.message
    assert "ValueError: x" in record.message


def test_an_error_of_another_type_or_place_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    ours = Guard()
    ours.contain("here", ValueError("x"))
    ours.contain("here", KeyError("x"))
    ours.contain("there", ValueError("x"))
    assert len(caplog.records) == 3


def test_logging_that_raises_does_not_reach_the_application() -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the log is gone")

    logger, handler = logging.getLogger("reamon"), Broken()
    logger.addHandler(handler)
    ours = Guard()
    try:
        ours.contain("here", ValueError("x"))
    finally:
        logger.removeHandler(handler)
    assert ours.errors == 1


def test_errors_of_many_threads_are_all_counted() -> None:
    ours = Guard()

    def fail() -> None:
        for _ in range(500):
            ours.contain("here", ValueError("x"))

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ours.errors == 2000


def test_a_guard_that_is_reset_has_seen_nothing() -> None:
    ours = Guard()
    ours.contain("here", ValueError("x"))
    ours.reset()
    assert ours.errors == 0


def test_a_child_that_was_forked_while_the_lock_was_held_goes_on_after_a_reset() -> None:
    ours = Guard()
    ours._lock.acquire()
    ours.reset()
    ours.contain("here", ValueError("x"))
    assert ours.errors == 1


def test_relaxed_contains_and_is_strict_again_afterwards() -> None:
    assert guard.strict
    before = guard.errors
    with guard.relaxed():
        guard.contain("test_relaxed", ValueError("x"))
    assert guard.strict
    assert guard.errors == before + 1


def test_a_guarded_function_is_what_it_was() -> None:
    assert half(3) == 1.5
    assert (half.__name__, half.__doc__) == ("half", "Half of it.")


@pytest.mark.parametrize("arguments", [("three",), (), (1, 2)])
def test_a_guarded_function_gives_its_default_whatever_goes_wrong(arguments: tuple[object, ...]) -> None:
    before = guard.errors
    with guard.relaxed():
        assert half(*arguments) == 0  # type: ignore[arg-type]
    assert guard.errors == before + 1


def test_what_stops_the_process_is_not_contained() -> None:
    @guarded(default=None)
    def stop() -> None:
        raise KeyboardInterrupt

    with guard.relaxed(), pytest.raises(KeyboardInterrupt):
        stop()


def test_a_long_error_is_cut() -> None:
    said = describe(ValueError("x" * 10_000_000))
    assert said.endswith("x… 9995904 of 10000000 characters cut")
    assert len(said) < 5_000


def test_an_error_without_a_text_is_described_by_its_type() -> None:
    assert describe(ValueError("x")) == "ValueError: x"
    assert describe(UnprintableError()) == "UnprintableError"


def test_a_log_line_names_the_event_and_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    log("reamon.tests", logging.WARNING, "something", count=3)
    assert caplog.records[-1].message == "event='something' count=3"


def test_a_level_that_nobody_listens_to_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="reamon.tests"):
        log("reamon.tests", logging.INFO, "something")
    assert caplog.records == []
