"""Daemon threads: what an async exporter hands to `asyncio.to_thread`, and what the exit does not wait for."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class DaemonThreads(ThreadPoolExecutor):
    """An executor with a daemon thread for each call.

    The interpreter joins the threads of every other executor before anything of ours can bound the exit, so one call
    that never returns would keep the process for ever. Event loops accept no executor but a `ThreadPoolExecutor`.
    """

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call `fn` in a thread of its own."""
        future: Future[R] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=call, name="reamon-async", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for nobody."""


def make_runner() -> asyncio.Runner:
    """A runner for an event loop whose default executor is of this sort."""
    return asyncio.Runner(loop_factory=_make_loop)


def _make_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(DaemonThreads())
    return loop
