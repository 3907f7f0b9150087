"""Promises: plain functions that return a coroutine, as many a decorator makes them of a coroutine function.

What they do is done while the coroutine is awaited, so that is what is traced, and not the call that makes it.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final

from reamon.tracing import enabled

_MADE: Final["ContextVar[Coroutine[Any, Any, Any] | None]"] = ContextVar("reamon_promise", default=None)


def is_promise(method: Any) -> bool:
    """Whether it is a plain function around a coroutine function.

    Example:
        >>> async def answer(): ...
        >>> @functools.wraps(answer)
        ... def logged(): return answer()
        >>> is_promise(logged), is_promise(answer)
        (True, False)
    """
    if not (inspect.isfunction(method) or inspect.ismethod(method)) or inspect.iscoroutinefunction(method):
        return False
    return inspect.iscoroutinefunction(inspect.unwrap(method))


def wrap_promise(method: Callable[..., Any], wrap: Callable[[Any], Any]) -> Any:
    """Wrap the coroutine that a promise returns; anything else that it returns (a task) stays as it is.

    Args:
        method: The promise.
        wrap: Makes of a coroutine function what takes its place.
    """

    @functools.wraps(method)
    async def made(*_args: Any, **_kwargs: Any) -> Any:
        coroutine = _MADE.get()
        _MADE.set(None)
        return None if coroutine is None else await coroutine

    wrapped = wrap(made)

    async def awaited(coroutine: Coroutine[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        _MADE.set(coroutine)
        return await wrapped(*args, **kwargs)

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        return awaited(result, args, kwargs) if enabled() and inspect.iscoroutine(result) else result

    return call
