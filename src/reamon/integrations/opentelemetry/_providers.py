"""Providers: how the processor gets to the tracer provider that the application has, or will have."""

import logging
from collections.abc import Callable
from typing import Any, Final
from weakref import ref

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from reamon.guard import guard, log
from reamon.integrations.opentelemetry._activation import Activation
from reamon.integrations.opentelemetry._choice import Choice
from reamon.integrations.opentelemetry._links import active_trace
from reamon.integrations.opentelemetry._taking import Taking
from reamon.integrations.patches import Patches
from reamon.tracing.lifecycle import root_links


class Tap(SpanProcessor):
    """The processor: passes on to what is installed at the moment, if anything.

    A provider cannot be rid of a processor, so it keeps this one, and gets no second.
    """

    def __init__(self) -> None:
        self.taking: Taking | None = None
        self.finishing: Taking | None = None

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        """A span has started."""
        taking = self.taking
        if taking is not None:
            try:
                taking.start(span, parent_context)
            except Exception as error:
                guard.contain("OpenTelemetry's on_start", error)

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended; one that was taken is finished, whatever is installed by now."""
        taking = self.taking or self.finishing
        if taking is not None:
            try:
                taking.end(span)
            except Exception as error:
                guard.contain("OpenTelemetry's on_end", error)

    def shutdown(self) -> None:
        """Nothing is held: what was taken is in reamon's own pipeline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True


_taps: Final[dict[int, tuple[Any, Tap]]] = {}
"""By the identity of the provider, since not every one can be hashed: a reference to it, and its tap."""


class Installation:
    """One `instrument("opentelemetry")`: what it is on, and how it comes off.

    Args:
        choice: Which spans are taken.
    """

    def __init__(self, choice: Choice) -> None:
        self._taking = Taking(choice)
        self._activation = Activation()
        self._patches = Patches()
        self._tapped: list[Tap] = []

    def begin(self, provider: Any) -> None:
        """Take spans of `provider`; None: of the global one, which may be set later."""
        self._activation.begin()
        root_links.append(active_trace)
        if provider is not None:
            self.tap(provider)
            return
        self._tap_global()
        name = "_set_tracer_provider" if hasattr(trace, "_set_tracer_provider") else "set_tracer_provider"
        self._patches.wrap(trace, name, self._set)

    def end(self) -> None:
        """Take no more."""
        self._patches.undo()
        self._activation.end()
        if active_trace in root_links:
            root_links.remove(active_trace)
        for tap in self._tapped:
            tap.finishing, tap.taking = tap.taking, None

    def tap(self, provider: Any) -> None:
        """Take spans of `provider`."""
        tap = _tap_of(provider)
        tap.taking = self._taking
        self._tapped.append(tap)

    def _set(self, wrapped: Callable[..., Any], _module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = wrapped(*args, **kwargs)
        try:
            self._tap_global()
        except Exception as error:
            guard.contain("instrument('opentelemetry')", error)
        return result

    def _tap_global(self) -> None:
        """Tap the global provider if there is one: without one, its proxy stands there, and nothing is recorded."""
        provider = getattr(trace, "_TRACER_PROVIDER", None)
        if provider is None:
            return
        if not callable(getattr(provider, "add_span_processor", None)):
            kind = f"{type(provider).__module__}.{type(provider).__qualname__}"
            log("reamon", logging.WARNING, "opentelemetry_provider_takes_no_processor", provider=kind)
            return
        self.tap(provider)


def _tap_of(provider: Any) -> Tap:
    """The tap of a provider, which is put on it the first time."""
    key = id(provider)
    found = _taps.get(key)
    if found is not None and found[0]() is provider:
        return found[1]
    tap = Tap()
    provider.add_span_processor(tap)
    _taps[key] = (ref(provider, lambda _: _taps.pop(key, None)), tap)
    return tap


def install(provider: Any, choice: Choice) -> Callable[[], None]:
    """Take the spans of a provider, or of the global one. Returns what undoes it."""
    installation = Installation(choice)
    try:
        installation.begin(provider)
    except BaseException:
        installation.end()
        raise
    return installation.end
