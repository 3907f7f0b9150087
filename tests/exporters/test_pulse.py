"""A pulse beats until it is stopped, whatever the beat raises, and nothing of it is recorded."""

import threading

import reamon
from reamon.exporters._pulse import Pulse
from reamon.guard import guard
from support.exporters import wait_until


class Beats:
    """Counts beats; each raises what it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.count = 0
        self.is_recorded: list[bool] = []
        self._error = error

    def __call__(self) -> None:
        self.count += 1
        self.is_recorded.append(reamon.enabled())
        if self._error is not None:
            raise self._error


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "a pulse"]


def test_it_beats_from_one_thread_until_it_is_stopped() -> None:
    beats = Beats()
    pulse = Pulse("a pulse", beats, 0.001)
    pulse.start()
    pulse.start()
    assert threads() == ["a pulse"]
    wait_until(lambda: beats.count > 3)
    pulse.stop()
    wait_until(lambda: threads() == [])
    pulse.start()
    wait_until(lambda: threads() == ["a pulse"])
    pulse.stop()


def test_it_outlives_what_a_beat_raises() -> None:
    beats = Beats(ValueError("of ours"))
    pulse = Pulse("a pulse", beats, 0.001)
    with guard.relaxed():
        pulse.start()
        wait_until(lambda: beats.count > 3)
        pulse.stop()
        wait_until(lambda: threads() == [])
    assert guard.errors > 3


def test_nothing_that_it_does_is_recorded() -> None:
    reamon.configure(exporters="memory")
    beats = Beats()
    pulse = Pulse("a pulse", beats, 0.001)
    pulse.start()
    wait_until(lambda: beats.count > 1)
    pulse.stop()
    wait_until(lambda: threads() == [])
    assert not any(beats.is_recorded)


def test_in_a_child_it_begins_anew() -> None:
    beats = Beats()
    pulse = Pulse("a pulse", beats, 60.0)
    pulse.start()
    stopped = pulse._stopped
    pulse.after_fork()
    pulse.start()
    assert len(threads()) == 2
    stopped.set()
    pulse.stop()
    wait_until(lambda: threads() == [])
