"""Logs: the host's own log lines say which call, trace and span they belong to."""

import logging
from collections.abc import MutableMapping
from typing import Any, TypeVar

from reamon.guard import guard
from reamon.tracing import current_span

Event = TypeVar("Event", bound=MutableMapping[str, Any])


class TraceIdFilter(logging.Filter):
    """A filter that lets every record pass and gives it `call_id`, `trace_id` and `span_id`.

    They are those of the span that is current in the thread and task that logs, or empty strings where none is: a
    format that names them always works. What a record has already (by `extra=`, or from the filter of a handler before)
    stays. Add it to handlers: a logger's filters do not see the records of the loggers below it. With queues, add it
    to the `QueueHandler`, which is where the record is made; the listener's thread runs no span.

    Args:
        name: As for `logging.Filter`: only records of this logger, and of those below it, pass.

    Example:
        >>> handler = logging.StreamHandler()
        >>> handler.addFilter(TraceIdFilter())
        >>> handler.setFormatter(logging.Formatter("%(levelname)s %(message)s call=%(call_id)s trace=%(trace_id)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Give the record its ids. Never raises."""
        try:
            span = current_span()
            fields = record.__dict__
            fields.setdefault("call_id", span.call_id or "")
            fields.setdefault("trace_id", span.trace_id)
            fields.setdefault("span_id", span.span_id)
        except Exception as error:
            guard.contain("TraceIdFilter", error)
        return bool(super().filter(record))


def add_trace_ids(logger: Any, method_name: str, event_dict: Event) -> Event:
    """A structlog processor that adds `call_id`, `trace_id` and `span_id` of the span that is current.

    Where none is, it adds nothing: structlog's lines have the keys that apply. What the event has already stays. Put it
    before the renderer, and into `foreign_pre_chain` of a `ProcessorFormatter` for the lines of the standard library.
    For loggers that render in other threads (queues), it belongs into the chain of the logger.

    Args:
        logger: What structlog gives; not used.
        method_name: What structlog gives; not used.
        event_dict: The event.

    Returns:
        The event, with the ids.

    Example:
        >>> add_trace_ids(None, "info", {"event": "booked"})
        {'event': 'booked'}
    """
    try:
        span = current_span()
        if span.trace_id:
            if span.call_id is not None:
                event_dict.setdefault("call_id", span.call_id)
            event_dict.setdefault("trace_id", span.trace_id)
            event_dict.setdefault("span_id", span.span_id)
    except Exception as error:
        guard.contain("add_trace_ids", error)
    return event_dict
