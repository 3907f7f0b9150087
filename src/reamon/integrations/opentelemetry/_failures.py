"""Failures: what went wrong in a span of OpenTelemetry's, from its status and its exception events."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from reamon.model import SpanError, gen_ai

_CANCELLATIONS: Final = frozenset({"CancelledError", "GeneratorExit", "KeyboardInterrupt"})
_CHARACTERS: Final = 16_384


class Failure(msgspec.Struct, frozen=True):
    """What went wrong.

    Attributes:
        error: As a span has it.
        is_cancellation: Whether the work was stopped from outside.
        event: The event that tells it, which need not be told again.
    """

    error: SpanError
    is_cancellation: bool
    event: Any = None


class OTelError(Exception):
    """Stands for an exception that OpenTelemetry has recorded, where the object itself is not at hand.

    Args:
        error: What is known of it.
    """

    def __init__(self, error: SpanError) -> None:
        super().__init__(f"{error.type}: {error.message}" if error.message else error.type)


def failure_of(status: Any, events: Sequence[Any], attributes: Any) -> Failure | None:
    """What went wrong, or None. An exception in a span whose status is no error was dealt with there."""
    if status.status_code.name != "ERROR":
        return None
    event = next((event for event in reversed(events) if event.name == gen_ai.EXCEPTION), None)
    said = (event.attributes or {}) if event is not None else {}
    kind = _text(said.get(gen_ai.EXCEPTION_TYPE)) or _text(attributes.get(gen_ai.ERROR_TYPE)) or "Error"
    message = _text(said.get(gen_ai.EXCEPTION_MESSAGE)) or _text(status.description)
    stack = _text(said.get(gen_ai.EXCEPTION_STACK))
    error = SpanError(kind, message, stack)
    return Failure(error, kind.rpartition(".")[2] in _CANCELLATIONS, event)


def _text(value: Any) -> str:
    """Text that UTF-8 can say, cut from the front, since a stack's end tells most."""
    if value is None:
        return ""
    return str(value)[-_CHARACTERS:].encode("utf-8", "backslashreplace").decode()
