"""Activation: where a span of OpenTelemetry's is active, the span of ours that stands for it is current.

So spans of ours inside of it go below it, and everything that asks for the current span (`inject`, `propagate`, pools)
finds it. OpenTelemetry tells no processor which span is active, but all of its ways to make one so lead through
`attach` and `detach` of its context, which is where this listens.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakSet

from opentelemetry import context as otel_context
from opentelemetry import trace

from reamon.guard import guard
from reamon.integrations.model_call import swap_model_call
from reamon.integrations.opentelemetry._taken import Taken, known
from reamon.integrations.patches import Patches
from reamon.tracing import enabled, enter, leave

_DEEPEST: Final = 256


class Entered:
    """One activation that is not undone yet.

    Args:
        token: What OpenTelemetry will give back to undo it.
        taken: Whose span was made current.
        below: The activation that it lies in.
    """

    __slots__ = ("__weakref__", "before", "below", "call", "call_before", "depth", "span", "token")

    def __init__(self, token: Any, taken: Taken, below: "Entered | None") -> None:
        self.token = token
        self.span = taken.span
        self.call = taken.call
        self.below = None if below is None or below.depth >= _DEEPEST else below  # some attach and never detach
        self.depth: int = 0 if self.below is None else self.below.depth + 1
        self.call_before = None if self.call is None else swap_model_call(self.call)
        self.before = enter(self.span)

    def leave(self) -> None:
        """Make current again what was so before, where this is the context that it happened in."""
        leave(self.span, self.before)
        if self.call is not None:
            now = swap_model_call(self.call_before)
            if now is not self.call:  # one that began inside of it and is not over
                swap_model_call(now)


_entered: "ContextVar[Entered | None]" = ContextVar("reamon_otel_entered", default=None)


class Activation:
    """Follows OpenTelemetry's context, from `begin` to `end`."""

    def __init__(self) -> None:
        self._attaching = Patches()
        self._detaching = Patches()
        self._live: WeakSet[Entered] = WeakSet()
        self._is_over = False

    def begin(self) -> None:
        """Follow what is activated from now on."""
        runtime = getattr(otel_context, "_RUNTIME_CONTEXT", None)
        if runtime is not None:
            self._attaching.wrap(runtime, "attach", self._attach)
            self._detaching.wrap(runtime, "detach", self._detach)

    def end(self) -> None:
        """Follow no more; what was made current is made so no longer, here now and elsewhere when its time comes."""
        self._is_over = True
        self._attaching.undo()
        entered = _entered.get()
        while entered is not None:
            entered.leave()
            self._live.discard(entered)
            entered = entered.below
        _entered.set(None)
        self._end_if_last()

    def _attach(self, wrapped: Callable[..., Any], _runtime: Any, args: Any, kwargs: Any) -> Any:
        token = wrapped(*args, **kwargs)
        if enabled():
            try:
                self._follow(token, args[0] if args else kwargs["context"])
            except Exception as error:
                guard.contain("OpenTelemetry's attach", error)
        return token

    def _detach(self, wrapped: Callable[..., Any], _runtime: Any, args: Any, kwargs: Any) -> Any:
        entered = _entered.get()
        if entered is not None:
            try:
                self._return(entered, args[0] if args else kwargs["token"])
            except Exception as error:
                guard.contain("OpenTelemetry's detach", error)
        return wrapped(*args, **kwargs)

    def _follow(self, token: Any, context: Any) -> None:
        """Make current what stands for the span that has become active, unless that was active already."""
        active = trace.get_current_span(context)
        taken = known.find(active.get_span_context())
        if taken is None or active is _active_before(token):
            return
        entered = Entered(token, taken, _entered.get())
        _entered.set(entered)
        self._live.add(entered)

    def _return(self, entered: Entered, token: Any) -> None:
        """Undo the activation of `token`, if that happened in this context."""
        node: Entered | None = entered
        while node is not None and node.token is not token:
            node = node.below
        if node is None:
            return
        _entered.set(node.below)
        node.leave()
        self._live.discard(node)
        if self._is_over:
            self._end_if_last()

    def _end_if_last(self) -> None:
        if not self._live:
            self._detaching.undo()


def _active_before(token: Any) -> Any:
    before = getattr(token, "old_value", None)
    return trace.get_current_span(before) if isinstance(before, otel_context.Context) else None
