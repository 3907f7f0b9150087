"""Connections that threads borrow: as many as are in use at once, and none in use while the process forks."""

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeVar

from reamon import processes

_KEPT: Final = 4
_FORK_PATIENCE: Final = 0.5  # seconds


class Closable(Protocol):
    """What a pool holds."""

    def close(self) -> object:
        """Release what is held."""


C = TypeVar("C", bound=Closable)


class Pool(Generic[C]):
    """Lends each connection to one thread at a time.

    SQLite has locks that are shared by all of a process; held by another thread at the moment of a fork, they would
    stay locked in the child for ever. So a fork waits, for half a second at most, until no connection is out.

    Args:
        connect: Opens one.
        is_usable: Whether one that was idle still works; one that does not is closed.
    """

    def __init__(self, connect: Callable[[], C], is_usable: Callable[[C], bool] = lambda _: True) -> None:
        self._connect = connect
        self._is_usable = is_usable
        self._idle: list[C] = []
        self._closed = 0
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        self._change = threading.Condition()
        self._out = 0
        self._forking = False

    @contextmanager
    def lend(self) -> Iterator[C]:
        """A connection; one that an error came out of is closed, and not lent again."""
        with self._change:
            self._change.wait_for(lambda: not self._forking, _FORK_PATIENCE)
            self._out += 1
            closed = self._closed
            connection = self._idle_one()
        try:
            connection = self._connect() if connection is None else connection
            yield connection
        except BaseException:
            if connection is not None:
                connection.close()
            self._return(None, closed)
            raise
        self._return(connection, closed)

    def close(self) -> None:
        """Close those that are not out, and the others once they come back."""
        with self._change:
            self._closed += 1
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def hold(self) -> None:
        """Lend nothing, and wait until all are back."""
        deadline = time.monotonic() + _FORK_PATIENCE
        with self._change:
            self._forking = True
            self._change.wait_for(lambda: not self._out, max(deadline - time.monotonic(), 0.0))

    def go_on(self) -> None:
        """Lend again."""
        with self._change:
            self._forking = False
            self._change.notify_all()

    def after_fork(self) -> None:
        """In a child: leave the parent's connections alone."""
        for connection in self._idle:
            processes.abandon(connection)
        self._idle = []
        self._begin()

    def _idle_one(self) -> C | None:
        while self._idle:
            connection = self._idle.pop()
            if self._is_usable(connection):
                return connection
            connection.close()
        return None

    def _return(self, connection: C | None, closed: int) -> None:
        with self._change:
            self._out -= 1
            if connection is not None and len(self._idle) < _KEPT and closed == self._closed:
                self._idle.append(connection)
                connection = None
            self._change.notify_all()
        if connection is not None:
            connection.close()


_pools: "weakref.WeakSet[Pool[Any]]" = weakref.WeakSet()


def _before() -> None:
    for pool in list(_pools):
        pool.hold()


def _in_parent() -> None:
    for pool in list(_pools):
        pool.go_on()


def _in_child() -> None:
    for pool in list(_pools):
        pool.after_fork()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
