"""Wrapping: a function becomes one that is traced at each call, and stays what it was to everybody who looks at it."""

import functools
import inspect
from typing import Any

from reamon.errors import DecoratorError
from reamon.tracing._generators import drive, drive_async
from reamon.tracing._switch import current, switch
from reamon.tracing._tracer import Function, Options, Tracer, function_name, make_tracer
from reamon.tracing.active import Spec
from reamon.tracing.current import leave
from reamon.tracing.lifecycle import fail
from reamon.tracing.noop import SUPPRESSED


def wrap(target: Any, spec: Spec, options: Options) -> Any:
    """`target`, traced: a function of any colour, a method, a classmethod, a staticmethod, a callable object.

    Args:
        target: What is decorated.
        spec: What its spans are.
        options: What to capture.

    Raises:
        DecoratorError: `target` cannot be traced, or the options do not fit it.
    """
    if isinstance(target, classmethod):
        return classmethod(_wrap_function(target.__func__, spec, options, bound_first=True))
    if isinstance(target, staticmethod):
        return staticmethod(_wrap_function(target.__func__, spec, options, bound_first=False))
    if inspect.isclass(target):
        raise DecoratorError(
            f"the class {target.__qualname__} was decorated: decorate its methods, or reamon.instrument() the class"
        )
    if not callable(target):
        raise DecoratorError(f"{target!r} was decorated, which is no function: it cannot be called")
    return _wrap_function(target, spec, options, bound_first=False)


def _wrap_function(function: Function, spec: Spec, options: Options, *, bound_first: bool) -> Function:
    tracer = make_tracer(function, spec, options, bound_first=bound_first)
    is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    if options.reduce is not None and not is_generator:
        raise DecoratorError(f"reduce= is for generators, and {function_name(function)}() is none")
    if is_generator:
        return _wrap_generator(function, tracer)
    if inspect.iscoroutinefunction(function):
        return _wrap_coroutine(function, tracer)
    return _wrap_sync(function, tracer)


def _wrap_sync(function: Function, tracer: Tracer) -> Function:
    open_span, close_span = tracer.open, tracer.close

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        recorder = switch.recorder
        if recorder is None:
            return function(*args, **kwargs)
        parent = current.get()
        if parent is SUPPRESSED or (span := open_span(recorder, parent, args, kwargs)) is None:
            return function(*args, **kwargs)
        token = current.set(span)
        try:
            result = function(*args, **kwargs) if kwargs else function(*args)
            end = recorder.now()
        except BaseException as error:
            fail(span, error)
            raise
        finally:
            current.reset(token)  # a call returns in the context that it began in
        close_span(span, result, end)
        return result

    return traced


def _wrap_coroutine(function: Function, tracer: Tracer) -> Function:
    open_span, close_span = tracer.open, tracer.close

    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        recorder = switch.recorder
        if recorder is None:
            return await function(*args, **kwargs)
        parent = current.get()
        if parent is SUPPRESSED or (span := open_span(recorder, parent, args, kwargs)) is None:
            return await function(*args, **kwargs)
        current.set(span)
        try:
            result = await (function(*args, **kwargs) if kwargs else function(*args))
            end = recorder.now()
        except BaseException as error:
            fail(span, error)
            raise
        finally:
            leave(span, parent)  # a coroutine may be closed in another context than it ran in
        close_span(span, result, end)
        return result

    return traced


def _wrap_generator(function: Function, tracer: Tracer) -> Function:
    """The wrapper has to run at the call, to see the caller's span, and yet look like a generator function.

    wrapt's proxy does, down to `inspect.isgeneratorfunction`.
    """
    import wrapt  # noqa: PLC0415 - not needed by those who trace no generator

    advance: Any = drive_async if inspect.isasyncgenfunction(function) else drive

    def traced(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        generator = wrapped(*args, **kwargs)
        recorder = switch.recorder
        parent = current.get()
        if recorder is None or parent is SUPPRESSED:
            return generator
        return advance(generator, tracer, parent, args if instance is None else (instance, *args), kwargs)

    return wrapt.FunctionWrapper(function, traced)
