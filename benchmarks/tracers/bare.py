"""The barest tracer in pure Python: two clocks, a context variable set and reset, two snapshots, an append.

It has no status, no ids, no limits and no delivery: it is the floor under any tracer, not one to use.
"""

import functools
import inspect
from contextvars import ContextVar
from pathlib import Path
from time import perf_counter_ns
from typing import Any, cast

import msgspec

from benchmarks.tracers import Function

_encode = msgspec.json.Encoder().encode
_current: ContextVar[str | None] = ContextVar("current", default=None)
_finished: list[tuple[str, str | None, int, int, bytes, bytes]] = []


def start(home: Path) -> None:
    """Nothing to set up."""


def traced(kind: str, function: Function) -> Function:
    """`function`, with its span appended to a list."""
    name = function.__name__
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any) -> Any:
            snapshot = _encode(args)
            parent = _current.get()
            token = _current.set(name)
            begun = perf_counter_ns()
            try:
                result = await function(*args)
            finally:
                ended = perf_counter_ns()
                _current.reset(token)
            _finished.append((name, parent, begun, ended, snapshot, _encode(result)))
            return result

    else:

        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            snapshot = _encode(args)
            parent = _current.get()
            token = _current.set(name)
            begun = perf_counter_ns()
            try:
                result = function(*args)
            finally:
                ended = perf_counter_ns()
                _current.reset(token)
            _finished.append((name, parent, begun, ended, snapshot, _encode(result)))
            return result

    return cast("Function", wrapper)


def finish() -> int | None:
    """The spans are in the list."""
    return len(_finished)
