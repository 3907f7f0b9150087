"""The ways in which a request can go wrong, and which of them a request meets."""

import enum
from collections.abc import Callable, Iterable
from threading import Lock

from .traffic import Answer, Request


class Fault(enum.Enum):
    """What a request meets. Statuses meet requests that write; what happens to the connection meets every request."""

    NONE = enum.auto()

    # Answered at once, nothing is stored.
    ERROR_500 = enum.auto()
    UNAVAILABLE = enum.auto()
    RATE_LIMITED = enum.auto()
    RATE_LIMITED_SILENT = enum.auto()
    UNAUTHORIZED = enum.auto()
    FORBIDDEN = enum.auto()
    NOT_FOUND = enum.auto()
    REQUEST_TIMEOUT = enum.auto()
    TOO_LARGE = enum.auto()
    INVALID = enum.auto()
    GARBAGE = enum.auto()
    REDIRECT = enum.auto()

    PARTIAL_CONFLICT = enum.auto()
    """Stores the first half of the batch and answers 409."""

    # The connection suffers, nothing is stored.
    REFUSE = enum.auto()
    """Nobody listens. Decided for a single request, where it is too late for that, the connection is reset."""
    HANG = enum.auto()
    """Reads the request and never answers."""
    DROP = enum.auto()
    """Reads the request and closes the connection."""
    NOT_HTTP = enum.auto()
    """Answers something that is no HTTP."""

    # The request is carried out, its answer suffers.
    SLOW = enum.auto()
    """Waits for `slow_seconds` first."""
    DRIP = enum.auto()
    """Sends the answer a byte at a time, one every 20 ms."""
    CUT_OFF = enum.auto()
    """Closes the connection in the middle of the answer."""
    LOSE_ANSWER = enum.auto()
    """Closes the connection instead of answering."""


WRITES_ONLY = {
    Fault.ERROR_500: Answer.of(500, {"detail": "Internal server error"}),
    Fault.UNAVAILABLE: Answer.of(503, {"detail": "Service unavailable"}),
    Fault.RATE_LIMITED: Answer.of(429, {"detail": "Rate limit exceeded"}, {"Retry-After": "1"}),
    Fault.RATE_LIMITED_SILENT: Answer.of(429, {"detail": "Rate limit exceeded"}),
    Fault.UNAUTHORIZED: Answer.of(401, {"detail": "Invalid token"}),
    Fault.FORBIDDEN: Answer.of(403, {"error": "Forbidden"}),
    Fault.NOT_FOUND: Answer.of(404, {"detail": "Not Found"}),
    Fault.REQUEST_TIMEOUT: Answer.of(408, {"detail": "Request timeout"}),
    Fault.TOO_LARGE: Answer.of(413, {"detail": "Payload too large"}),
    Fault.INVALID: Answer.of(422, {"detail": "Unprocessable entity"}),
    Fault.GARBAGE: Answer(200, b"<html><body>Sign in to the network</body></html>", {"Content-Type": "text/html"}),
    Fault.REDIRECT: Answer(302, b"", {"Location": "/login"}),
}
"""Faults that are nothing but an answer."""

Plan = Fault | Callable[[Request], Fault] | Iterable[Fault]


class FaultPlan:
    """Decides which fault a request meets.

    Args:
        plan: One fault for all of them; a function that is asked for each; or a series, one for each write, then none.
        reads_too: Whether faults that are a status meet `/info` and reads too.
    """

    def __init__(self, plan: Plan = Fault.NONE, *, reads_too: bool = False) -> None:
        self.plan = plan
        self.reads_too = reads_too
        self._series = iter(()) if isinstance(plan, Fault) or callable(plan) else iter(plan)
        self._lock = Lock()

    @property
    def refuses(self) -> bool:
        """Whether nobody is to listen at all."""
        return self.plan is Fault.REFUSE

    def meets(self, request: Request) -> Fault:
        """The fault of this request."""
        if isinstance(self.plan, Fault):
            status_fault = self.plan in WRITES_ONLY or self.plan is Fault.PARTIAL_CONFLICT
            return Fault.NONE if status_fault and not (request.writes or self.reads_too) else self.plan
        if callable(self.plan):
            return self.plan(request)
        if not request.writes:
            return Fault.NONE
        with self._lock:
            return next(self._series, Fault.NONE)
