"""Colours: wrappers for functions and coroutine functions alike, each written for both once."""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

Method = Callable[..., Any]
Arguments = tuple[Any, ...]
Options = dict[str, Any]
Answered = Callable[[Any], Any]


def chosen_at_call(method: Method, choose: Callable[[Arguments], Method]) -> Method:
    """A function of the colour of `method` that calls what `choose` names for the arguments of each call.

    Args:
        method: What it takes the place of.
        choose: Called with the positional arguments; gives a function of the same colour.
    """
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def chosen(*args: Any, **kwargs: Any) -> Any:
            return await choose(args)(*args, **kwargs)
    else:

        @functools.wraps(method)
        def chosen(*args: Any, **kwargs: Any) -> Any:
            return choose(args)(*args, **kwargs)

    return chosen


def observed(method: Method, observe: Callable[[Arguments, Options], AbstractContextManager[Answered]]) -> Method:
    """`method`, called inside of what `observe` makes for each call.

    Args:
        method: A function or coroutine function.
        observe: Called with the arguments; the value of its context manager takes what the method returned, and gives
            it back as it is.
    """
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def inside(*args: Any, **kwargs: Any) -> Any:
            with observe(args, kwargs) as answered:
                return answered(await method(*args, **kwargs))
    else:

        @functools.wraps(method)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with observe(args, kwargs) as answered:
                return answered(method(*args, **kwargs))

    return inside
