"""Late imports: a fork waits for them, but not for ever."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from reamon import late_imports
from reamon.late_imports import LateImport


def hold(importing: LateImport) -> tuple[threading.Thread, threading.Event]:
    """Import something, on a thread of its own, until the event is set."""
    begun, end = threading.Event(), threading.Event()

    def work() -> None:
        with importing:
            begun.set()
            end.wait(20)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(20)
    return thread, end


def forked(work: Callable[[], object]) -> int:
    """The exit code of a forked child that does `work`; a negative one if that takes too long."""
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(int(bool(work())))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def use(importing: LateImport) -> None:
    with importing:
        pass


def test_a_fork_waits_until_the_import_is_done() -> None:
    thread, end = hold(LateImport())
    threading.Timer(0.1, end.set).start()
    assert forked(end.is_set) == 1
    thread.join()


def test_a_fork_does_not_wait_for_one_that_hangs_and_the_child_can_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_imports, "_PATIENCE", 0.05)
    importing = LateImport()
    thread, end = hold(importing)
    assert forked(lambda: use(importing)) == 0
    end.set()
    thread.join()
    use(importing)


def test_a_fork_in_the_middle_of_ones_own_import() -> None:
    importing = LateImport()
    with importing:
        assert forked(lambda: use(importing)) == 0
    use(importing)
