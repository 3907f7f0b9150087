"""Outgoing requests: what goes along in their headers, and the step that each of them is, whichever client sends it."""

from collections.abc import Iterable, MutableMapping
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from reamon.errors import ConfigurationError
from reamon.guard import guarded
from reamon.integrations.hosts import Hosts
from reamon.tracing import (
    ActiveSpan,
    ForeignParent,
    active_recorder,
    enter,
    fail,
    inject,
    innermost,
    leave,
    start_span,
)

HEADERS: Final = ("traceparent", "tracestate", "baggage", "langsmith-trace")
"""The headers that `inject` writes."""

_REFUSED: Final = 400


class Outgoing:
    """What is done with the requests of one HTTP client.

    Args:
        client: Its name, for messages.
        hosts: Hosts of your own beside the private ones; see `Hosts`.
        trace: Whether each request inside of a span is a step of its own.

    Raises:
        ConfigurationError: An option cannot be used.
    """

    def __init__(self, client: str, hosts: Iterable[str] = (), trace: bool = False) -> None:
        self._hosts = Hosts(hosts, f"{client}: hosts")
        if not isinstance(trace, bool):
            raise ConfigurationError(f"{client}: trace is True or False, not {trace!r}")
        self._trace = trace

    @property
    def is_idle(self) -> bool:
        """Whether a request that is made here concerns nobody: nothing is recorded, or nothing runs."""
        return active_recorder() is None or not isinstance(innermost(), ActiveSpan | ForeignParent)

    @guarded(default=False)
    def inject(self, host: str | None, headers: MutableMapping[str, str], span: ActiveSpan | None = None) -> bool:
        """Write the current span into the headers, if the request goes to a host of your own.

        Args:
            host: Where it goes to.
            headers: What it is sent with.
            span: The request's own, in the place of the current one.

        Returns:
            Whether that was done.
        """
        if host not in self._hosts:
            return False
        if span is None:
            inject(headers)
            return True
        before = enter(span)
        try:
            inject(headers)
        finally:
            leave(span, before)
        return True

    @guarded(default=None)
    def begin(self, method: str, url: str) -> ActiveSpan | None:
        """Start the step that a request is; None where it is not to be one."""
        if not self._trace or not isinstance(innermost(), ActiveSpan):
            return None
        split = urlsplit(url)
        span = start_span("step", f"{method} {split.hostname}")
        if not isinstance(span, ActiveSpan):
            return None
        span.set_attributes(
            {"http.request.method": method, "url.full": shown_url(url), "server.address": split.hostname}
        )
        return span


@guarded(default=None)
def end(
    span: ActiveSpan | None, *, status: int | None = None, error: BaseException | None = None, resent: int = 0
) -> None:
    """End the step of a request.

    Args:
        span: The step, if there is one.
        status: What the answer said.
        error: What happened in the place of an answer.
        resent: How often the request was sent again.
    """
    if span is None:
        return
    if resent:
        span.set_attribute("http.request.resend_count", resent)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
        if status >= _REFUSED:
            span.set_status("error", f"HTTP {status}")
    if error is not None:
        fail(span, error)
    else:
        span.end()


def shown_url(url: str) -> str:
    """A URL as it may be recorded: with the names of its parameters, and neither their values nor who logs in.

    Example:
        >>> shown_url("https://ada:secret@crm.example.com:8443/leads?key=secret&page=2#top")
        'https://crm.example.com:8443/leads?key=…&page=…'
    """
    split = urlsplit(url)
    names = [part.partition("=")[0] for part in split.query.split("&") if part]
    query = "&".join(f"{name}=…" for name in names)
    return urlunsplit((split.scheme, split.netloc.rpartition("@")[2], split.path, query, ""))
