"""Daemon threads: an executor like any other, which nobody waits for at the end."""

import threading
import time

import pytest

from reamon.pipeline._daemon_threads import DaemonThreads


def test_a_call_has_a_result() -> None:
    assert DaemonThreads().submit(divmod, 7, 2).result(5) == (3, 1)


def test_what_a_call_raises_is_raised_to_who_asks() -> None:
    with pytest.raises(ZeroDivisionError):
        DaemonThreads().submit(divmod, 7, 0).result(5)


def test_a_shutdown_waits_for_nobody() -> None:
    executor, never = DaemonThreads(), threading.Event()
    call = executor.submit(never.wait, 60)
    since = time.monotonic()
    executor.shutdown()
    assert time.monotonic() - since < 5
    never.set()
    assert call.result(5)
