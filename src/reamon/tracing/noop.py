"""The handle that does nothing: what you hold where nothing is recorded."""

from typing import Any, Final

from reamon.model import SpanKind


class NoopSpan:
    """Has every method of an active span and ignores what it is told."""

    __slots__ = ()

    span_id = ""
    trace_id = ""
    parent_id = None
    ancestors: tuple[str, ...] = ()
    kind = SpanKind.STEP
    name = ""
    call_id = None
    is_recording = False

    def _ignore(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing."""

    set_input = set_output = set_attribute = set_attributes = add_event = set_state = set_call_id = _ignore
    set_agent_type = set_status = set_outcome = record_usage = record_cost = record_wait = mark_first_token = _ignore
    record_decision = record_error = end = _ignore

    def __repr__(self) -> str:
        return "<NoopSpan>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return "SUPPRESSED" if self is SUPPRESSED else "NOOP"  # there are these two, in every process


NOOP: Final = NoopSpan()
"""Current where nothing runs."""

SUPPRESSED: Final = NoopSpan()
"""Current inside `suppress()`."""
