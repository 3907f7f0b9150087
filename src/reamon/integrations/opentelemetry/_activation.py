"""Activation: where a span of OpenTelemetry's is active, the span of ours that stands for it is current.

So spans of ours inside of it go below it, and everything that asks for the current span (`inject`, `propagate`, pools)
finds it. OpenTelemetry tells no processor which span is active, but all of its ways to make one so lead through
`attach` and `detach` of its context, which is where this listens.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

import msgspec
from opentelemetry import context as otel_context
from opentelemetry import trace

from reamon.guard import guard
from reamon.integrations.model_call import ModelCall, swap_model_call
from reamon.integrations.opentelemetry._taken import known
from reamon.integrations.patches import Patches
from reamon.tracing import ActiveSpan, NoopSpan, enabled, enter, leave

_DEEPEST: Final = 256


class Entered(msgspec.Struct, gc=False, eq=False):
    """One activation that is not undone yet.

    Attributes:
        token: What OpenTelemetry will give back to undo it.
        span: What was made current.
        before: What was current.
        call: The model call that was made current, if any.
        call_before: The model call that was.
        below: The activation that it lies in.
        depth: How many there are below.
    """

    token: Any
    span: ActiveSpan
    before: ActiveSpan | NoopSpan | None
    call: ModelCall | None
    call_before: ModelCall | None
    below: "Entered | None"
    depth: int


_entered: "ContextVar[Entered | None]" = ContextVar("reamon_otel_entered", default=None)


def listen(patches: Patches) -> None:
    """Follow OpenTelemetry's context from now on, until the patches are undone."""
    runtime = getattr(otel_context, "_RUNTIME_CONTEXT", None)
    if runtime is not None:
        patches.wrap(runtime, "attach", _attach)
        patches.wrap(runtime, "detach", _detach)


def _attach(wrapped: Callable[..., Any], _runtime: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    token = wrapped(*args, **kwargs)
    if enabled():
        try:
            _follow(token, args[0] if args else kwargs["context"])
        except Exception as error:
            guard.contain("OpenTelemetry's attach", error)
    return token


def _detach(wrapped: Callable[..., Any], _runtime: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    entered = _entered.get()
    if entered is not None:
        try:
            _return(entered, args[0] if args else kwargs["token"])
        except Exception as error:
            guard.contain("OpenTelemetry's detach", error)
    return wrapped(*args, **kwargs)


def _follow(token: Any, context: Any) -> None:
    """Make current what stands for the span that has become active, unless that was active already."""
    active = trace.get_current_span(context)
    taken = known.find(active.get_span_context())
    if taken is None or active is _active_before(token):
        return
    below = _entered.get()
    depth = 0 if below is None else below.depth + 1
    if depth >= _DEEPEST:  # whoever attaches and never detaches
        below, depth = None, 0
    call_before = None if taken.call is None else swap_model_call(taken.call)
    _entered.set(Entered(token, taken.span, enter(taken.span), taken.call, call_before, below, depth))


def _return(entered: Entered, token: Any) -> None:
    """Make current again what was so before the activation of `token`, if that happened in this context."""
    node: Entered | None = entered
    while node is not None and node.token is not token:
        node = node.below
    if node is None:
        return
    _entered.set(node.below)
    leave(node.span, node.before)
    if node.call is not None:
        now = swap_model_call(node.call_before)
        if now is not node.call:  # one that began inside of it and is not over
            swap_model_call(now)


def _active_before(token: Any) -> Any:
    before = getattr(token, "old_value", None)
    return trace.get_current_span(before) if isinstance(before, otel_context.Context) else None
