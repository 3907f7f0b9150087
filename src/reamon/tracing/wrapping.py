"""Wrapping: a function becomes one that is traced at each call, and stays what it was to everybody who looks at it."""

import functools
import inspect
from typing import Any

from reamon.errors import DecoratorError
from reamon.tracing._binding import Binding
from reamon.tracing._generators import TracedRun, drive, drive_async
from reamon.tracing._state import Spec
from reamon.tracing._switch import current, switch
from reamon.tracing._tracer import Function, Options, Tracer, function_name, make_tracer
from reamon.tracing._wrapper import compile_wrapper
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
    binding = Binding(function, bound_first=bound_first)
    tracer = make_tracer(function, spec, options, binding)
    has_code = inspect.isroutine(function) or isinstance(function, functools.partial)
    body: Any = function if has_code else type(function).__call__
    if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
        return _wrap_generator(function, binding, tracer, is_async=inspect.isasyncgenfunction(body))
    if options.reduce is not None:
        raise DecoratorError(f"reduce= is for generators, and {function_name(function)}() is none")
    is_async = inspect.iscoroutinefunction(body)
    wrapper: Function = compile_wrapper(function, binding, tracer, is_async=is_async)
    return wrapper


def _wrap_generator(function: Function, binding: Binding, tracer: Tracer, *, is_async: bool) -> Function:
    """The wrapper has to run at the call, to see the caller's span, and yet look like a generator function.

    wrapt's proxy does, down to `inspect.isgeneratorfunction`.
    """
    import wrapt  # noqa: PLC0415 - not needed by those who trace no generator

    advance: Any = drive_async if is_async else drive

    def traced(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        generator = wrapped(*args, **kwargs)
        recorder = switch.recorder
        parent = current.get()
        if recorder is None or parent is SUPPRESSED:
            return generator
        given = args if instance is None else (instance, *args)
        arguments = binding.bind_leniently(given, kwargs) if tracer.binds else None
        return advance(generator, lambda: TracedRun(tracer, parent, arguments))

    return wrapt.FunctionWrapper(function, traced)
