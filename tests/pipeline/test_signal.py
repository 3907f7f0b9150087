"""The signal: heard once, whenever it was given, and from wherever."""

import os
import signal
import threading
import time

from reamon.pipeline._signal import Signal


def test_a_signal_given_before_the_wait_is_heard_and_then_over() -> None:
    wake = Signal()
    wake.give()
    wake.give()
    wake.wait(60)
    begun = time.monotonic()
    wake.wait(0.05)
    assert time.monotonic() - begun >= 0.04


def test_a_signal_from_another_thread_ends_the_wait() -> None:
    wake = Signal()
    threading.Timer(0.02, wake.give).start()
    begun = time.monotonic()
    wake.wait(60)
    assert time.monotonic() - begun < 30


def test_a_cleared_signal_is_not_heard() -> None:
    wake = Signal()
    wake.give()
    wake.clear()
    wake.clear()
    begun = time.monotonic()
    wake.wait(0.05)
    assert time.monotonic() - begun >= 0.04


def test_it_may_be_given_in_a_handler_that_interrupts_the_giving() -> None:
    wake = Signal()
    handled = []

    def handle(*_: object) -> None:
        wake.give()
        handled.append(1)

    before = signal.signal(signal.SIGUSR1, handle)
    stop = threading.Event()

    def interrupt() -> None:
        while not stop.is_set():
            os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        for _ in range(3_000):
            wake.give()
            wake.wait(60)
    finally:
        stop.set()
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert handled
