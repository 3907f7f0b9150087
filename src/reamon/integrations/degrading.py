"""Degrading: an answer that was given although something had gone wrong is no success."""

from typing import Any

from reamon.guard import describe, guarded
from reamon.tracing import ActiveSpan, is_cancellation


@guarded(default=None)
def degrade(span: ActiveSpan, error: BaseException, who: str) -> None:
    """Say on a span that it answered in spite of an error, unless the application said itself how it went.

    Args:
        span: Of the call that answered.
        error: What went wrong inside. A cancellation there was somebody's time limit, so it is told as a time-out.
        who: What had failed.
    """
    details = span.details
    if details is not None and details.status is not None:
        return
    told: Any = error
    if is_cancellation(error):
        told = TimeoutError(f"{who} was cancelled before it answered; something else was answered in its place")
    span.set_status("degraded", f"{who}: {describe(told)}".rstrip(": "))
    span.record_error(told)
