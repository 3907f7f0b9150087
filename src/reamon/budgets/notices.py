"""Notices: what budgets have to tell goes to the log, to callbacks and to channels, on a thread of ours."""

import contextvars
import inspect
import logging
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from reamon.budgets.decisions import BudgetEvent
from reamon.guard import guard, log
from reamon.protocols import Channel

Callback = Callable[[BudgetEvent], object]

_MOST: Final = 1_000


class Notices:
    """Tells events, one after the other. Whoever is told may take his time, or raise.

    Args:
        channels: Where events are sent.
        context: Makes the context of the thread.
    """

    def __init__(self, channels: Sequence[Channel], context: Callable[[], contextvars.Context]) -> None:
        self._channels = tuple(channels)
        self._callbacks: list[Callback] = []
        self._context = context
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._events: queue.Queue[BudgetEvent | None] = queue.Queue(_MOST)
        self._thread: threading.Thread | None = None

    def listen(self, callback: Callback) -> Callable[[], None]:
        """Call `callback` with every event from now on. Returns what ends that."""
        self._callbacks = [*self._callbacks, callback]

        def stop() -> None:
            self._callbacks = [other for other in self._callbacks if other is not callback]

        return stop

    def tell(self, event: BudgetEvent) -> None:
        """Have an event told; the thread is started here if it is the first one."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            log("reamon.budgets", logging.ERROR, "event_not_told", message=event.message, because="too many wait")
            return
        with self._lock:
            if self._thread is None:
                run = self._context().run
                thread = threading.Thread(target=run, args=(self._run,), name="reamon-budget-notices", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is going down, and starts no threads any more
                    self._tell_what_waits()
                    return
                self._thread = thread

    def flush(self, timeout: float) -> bool:
        """Wait until all events are told. Returns whether they are."""
        deadline = time.monotonic() + timeout
        with self._events.all_tasks_done:
            while self._events.unfinished_tasks:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._events.all_tasks_done.wait(left)
        return True

    def stop(self) -> None:
        """End the thread once it has nothing to tell."""
        try:
            self._events.put_nowait(None)
        except queue.Full:
            return
        if self._thread is None:
            self._events.get_nowait()
            self._events.task_done()

    def after_fork(self) -> None:
        """In a child: what waits is the parent's to tell."""
        self._begin()

    def _run(self) -> None:
        events = self._events
        while True:
            event = events.get()
            try:
                if event is None:
                    with self._lock:
                        self._thread = None
                    return
                self._tell(event)
            finally:
                events.task_done()

    def _tell(self, event: BudgetEvent) -> None:
        level = logging.INFO if event.kind == "reachable" else logging.WARNING
        log("reamon.budgets", level, f"budget_{event.kind}", message=event.message, action=event.action.value)
        for callback in self._callbacks:
            try:
                _wait_for(callback(event))
            except BaseException as error:
                guard.contain("budget callback", error)
        for channel in self._channels:
            try:
                _wait_for(channel.send(event))
            except BaseException as error:
                guard.contain(f"channel {channel.name}", error)

    def _tell_what_waits(self) -> None:
        while not self._events.empty():
            event = self._events.get_nowait()
            try:
                if event is not None:
                    self._tell(event)
            finally:
                self._events.task_done()


def _wait_for(answer: object) -> None:
    """What is told may be a coroutine function, too: it runs in an event loop of its own, on this thread."""
    if inspect.isawaitable(answer):
        import asyncio  # noqa: PLC0415 - most need none

        asyncio.run(_awaited(answer))


async def _awaited(answer: Awaitable[object]) -> None:
    await answer
