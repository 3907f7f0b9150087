"""The tracer of one decorated function: from the call to the start of its span, and from the result to its end.

This is the hot path. `open` and `close` are written out flat, with what they need in local names: each function call
saved is a fiftieth of a span. Where something is done for a reason of speed, a comment says so.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from reamon.guard import guard
from reamon.model import SpanKind
from reamon.tracing._binding import Binding
from reamon.tracing._plain import ITEM_SIZE, room_left
from reamon.tracing._state import Spec
from reamon.tracing._switch import switch
from reamon.tracing._values import name_of
from reamon.tracing.active import ActiveSpan
from reamon.tracing.capture import encode, snapshot
from reamon.tracing.lifecycle import begin, finish
from reamon.tracing.noop import SUPPRESSED, NoopSpan
from reamon.tracing.recorder import Pending, Recorder

Function = Callable[..., Any]
CallIdOf = Callable[[Mapping[str, Any]], object]
Arguments = dict[str, Any]
Parent = ActiveSpan | NoopSpan | None
Open = Callable[[Recorder, Parent, Arguments | None], ActiveSpan | None]
Close = Callable[[ActiveSpan, Any, int], Pending | None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a decorator was told about the calls it traces.

    Attributes:
        call_id: The parameter that holds the conversation's id, or a callable over the bound arguments.
        capture_input: Whether to snapshot the arguments.
        capture_output: Whether to snapshot the result.
        ignore: Parameters that are never captured.
        reduce: Makes a generator's output of the list of its items.
    """

    call_id: str | CallIdOf | None = None
    capture_input: bool = True
    capture_output: bool = True
    ignore: frozenset[str] = frozenset()
    reduce: Callable[[list[Any]], Any] | None = None


class Tracer(msgspec.Struct, frozen=True):
    """What a wrapper calls around its function.

    Attributes:
        open: Begins the span of one call; None where it could not be begun, which is our fault and not the caller's.
        close: Ends the span of a call that returned; what the call has to wait for, if anything.
        binds: Whether `open` wants the arguments; else it is given None.
        options: What was asked for.
    """

    open: Open
    close: Close
    binds: bool
    options: Options


def make_tracer(function: Function, spec: Spec, options: Options, binding: Binding) -> Tracer:
    """The tracer of `function`.

    Args:
        function: The function, as it was before it was decorated.
        spec: What its spans are.
        options: What to capture.
        binding: The function's parameters.

    Raises:
        DecoratorError: An option names a parameter that the function does not have.
    """
    name = function_name(function)
    binding.require(options.ignore, "ignore", name)
    call_id_of = _call_id_reader(binding, options.call_id, name)
    return Tracer(
        open=_make_open(spec, call_id_of, options),
        close=_make_close(options.capture_output),
        binds=options.capture_input or call_id_of is not None,
        options=options,
    )


def _make_open(spec: Spec, call_id_of: CallIdOf | None, options: Options) -> Open:
    captures, ignored = options.capture_input, tuple(options.ignore)
    is_workflow, is_agent = spec.kind is SpanKind.WORKFLOW, spec.kind is SpanKind.AGENT
    is_simple = captures and not ignored and not is_workflow

    def open_span(recorder: Recorder, parent: Parent, arguments: Arguments | None) -> ActiveSpan | None:
        try:
            # The usual case, with `snapshot` and `begin` written out.
            if is_simple and type(parent) is ActiveSpan and not parent.end_mark and arguments is not None:
                limit = recorder.payload_limit
                if room_left(arguments.values(), limit - ITEM_SIZE * len(arguments)) >= 0:
                    raw_input = encode(arguments)
                    if len(raw_input) <= limit:
                        return ActiveSpan(
                            spec,
                            parent,
                            parent.trace,
                            recorder.now(),
                            next(recorder.unique_62),
                            raw_input,
                            recorder.generation,
                            next(parent.trace.agents) if is_agent else None,
                        )
        except Exception:  # noqa: S110 - arguments that are hard to capture: the long way deals with them
            pass
        try:
            return None if parent is SUPPRESSED else open_with_care(recorder, parent, arguments)
        except RecursionError:  # there may be room for the function still, which takes one call where we take more
            return None

    def open_with_care(recorder: Recorder, parent: Parent, arguments: Arguments | None) -> ActiveSpan | None:
        try:
            if arguments is None:
                return begin(recorder, spec, parent)
            opens_trace = is_workflow or not isinstance(parent, ActiveSpan)
            call_id = _read_call_id(call_id_of, arguments) if call_id_of is not None and opens_trace else None
            shown = _without(ignored, arguments) if ignored else arguments
            raw_input = snapshot(shown, recorder.payload_limit) if captures else None
            return begin(recorder, spec, parent, raw_input, call_id)
        except Exception as error:
            guard.contain("begin", error)
            return None

    return open_span


def _without(ignored: tuple[str, ...], arguments: Arguments) -> Arguments:
    """The arguments less what is to be ignored; nothing of those that could not be bound, whose names nobody knows."""
    if arguments.keys() == {"args", "kwargs"}:
        return {}
    return {name: value for name, value in arguments.items() if name not in ignored}


def _make_close(captures: bool) -> Close:
    def close_span(span: ActiveSpan, result: Any, end: int) -> Pending | None:
        recorder = switch.recorder
        try:
            if recorder is None or span.end_mark:
                return None
            if captures and span.raw_output is None:
                span.raw_output = snapshot(result, recorder.payload_limit)
            span.end_mark = end
            if span.generation == recorder.generation:  # else it was started before a fork, and is the parent's
                queue = recorder.queue
                queue.append(span)
                if len(queue) >= queue.wake_at:
                    return queue.wake()
        except Exception as error:
            try:
                if recorder is not None and not span.end_mark:  # the output is lost, and not the span
                    span.end_mark = end
                    if span.generation == recorder.generation:
                        recorder.queue.append(span)
                guard.contain("finish", error)
            except RecursionError:  # no room for another call; the function has returned, and so do we
                return None
        except BaseException:  # what a signal's handler raises goes its way, and the span is recorded
            finish(span, end)
            raise
        return None

    return close_span


def _read_call_id(call_id_of: CallIdOf, arguments: Arguments) -> str | None:
    try:
        return name_of(call_id_of(arguments))
    except Exception as error:
        guard.contain("call_id", error)
        return None


def function_name(function: object) -> str:
    """What a callable is called, `functools.partial` and callable objects included."""
    while not hasattr(function, "__name__") and hasattr(function, "func"):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _call_id_reader(binding: Binding, call_id: str | CallIdOf | None, function: str) -> CallIdOf | None:
    """How to read the conversation's id off the bound arguments; by a parameter called `call_id` if nobody says."""
    if callable(call_id):
        return call_id
    if call_id is not None:
        binding.require((call_id,), "call_id", function)
        name = call_id
    elif binding.names is not None and "call_id" in binding.names:
        name = "call_id"
    else:
        return None
    return lambda arguments: arguments.get(name)
