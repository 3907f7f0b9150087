"""Commits: how a call waits until its span is on disk, together with all others that wait at the moment."""

from _thread import allocate_lock
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

_GROUP: Final = "group"


class Holder(Protocol):
    """Somebody through whose hands spans go on their way to disk."""

    def has_kept(self, mark: int) -> bool:
        """Whether the first `mark` spans that it has taken in are on disk, or never will be."""


class Commit:
    """One group commit: spans that are written at once, and the calls that wait for it.

    Neither waiting nor finishing holds a lock that a signal handler, which may record a span itself, would meet.

    Args:
        timeout: Seconds that a call waits, at most.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._is_done = False
        self._waiters: list[Callable[[], object]] = []

    def wait(self) -> None:
        """Wait, on a thread of the application."""
        lock = allocate_lock()
        lock.acquire()
        self._call_when_done(lock.release)
        lock.acquire(timeout=self._timeout)

    def __await__(self) -> Generator[Any, None, None]:
        """Wait, in a coroutine: the event loop goes on."""
        import asyncio  # noqa: PLC0415 - whoever awaits this has it already

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another library's event loop, or a coroutine that is advanced by hand
            self.wait()
            return
        future: Future[None] = loop.create_future()

        def resolve() -> None:
            if not future.done():
                future.set_result(None)

        self._call_when_done(lambda: _call_in(loop, resolve))
        expiry = loop.call_later(self._timeout, resolve)
        try:
            yield from future
        finally:
            expiry.cancel()

    def finish(self) -> None:
        """Let everybody go on."""
        self._is_done = True
        self._release()

    def _call_when_done(self, waiter: Callable[[], object]) -> None:
        self._waiters.append(waiter)
        if self._is_done:  # perhaps since before the line above
            self._release()

    def _release(self) -> None:
        while self._waiters:
            try:
                waiter = self._waiters.pop()
            except IndexError:  # another thread was quicker
                return
            waiter()


class Commits:
    """The group commits of one pipeline.

    A call joins the group that is open when its span is in the queue. The worker closes the group, drains the queue,
    and so has handed over every span of it; the group is finished when every lane has kept what it had got by then.

    Args:
        timeout: Seconds that a call waits, at most.

    Attributes:
        is_served: Whether the worker runs; otherwise nobody waits.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.is_served = False
        self._open: dict[str, Commit] = {}  # one or none: a dict lets one thread alone put it there, without a lock
        self._handed_over: list[tuple[Commit, list[tuple[Holder, int]]]] = []

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for the worker."""
        return bool(self._open)

    def join(self) -> Commit | None:
        """Wait with the others: what to wait for, if anybody sees to it."""
        if not self.is_served:
            return None
        group = self._open.get(_GROUP) or self._open.setdefault(_GROUP, Commit(self._timeout))
        if not self.is_served:  # the worker has ended since the first look, and sees to no group any more
            group.finish()
        return group

    def close_group(self) -> Commit | None:
        """The group whose spans are all in the queue by now; the next span opens another one."""
        return self._open.pop(_GROUP, None)

    def hand_over(self, group: Commit, marks: Iterable[tuple[Holder, int]]) -> None:
        """The spans of `group` are with the lanes, each of which has taken in so many until now."""
        self._handed_over.append((group, list(marks)))
        self.check()

    def check(self) -> None:
        """Finish the groups that are on disk; called whenever a lane has got on."""
        for entry in list(self._handed_over):
            group, marks = entry
            if all(holder.has_kept(mark) for holder, mark in marks):
                try:
                    self._handed_over.remove(entry)
                except ValueError:  # another thread was quicker
                    continue
                group.finish()

    def stop(self) -> None:
        """Let everybody go on: nothing is written any more."""
        self.is_served = False
        for group in (self.close_group(), *(group for group, _ in self._handed_over)):
            if group is not None:
                group.finish()
        self._handed_over.clear()


def _call_in(loop: "AbstractEventLoop", callback: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # it is closed, and nobody waits any more
        loop.call_soon_threadsafe(callback)
