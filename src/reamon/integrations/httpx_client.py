"""httpx: outgoing requests carry the current span to services of your own, and may be steps of the trace."""

from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from reamon.errors import MissingExtraError
from reamon.guard import guarded
from reamon.integrations.clients.httpx_responses import httpx_modules
from reamon.integrations.outgoing import HEADERS, Outgoing, end
from reamon.integrations.patches import Patches
from reamon.tracing import ActiveSpan

if TYPE_CHECKING:
    import httpx

_REMEMBERED: Final = "reamon.headers"


def instrument_httpx(*, hosts: Iterable[str] = (), trace: bool = False) -> Callable[[], None]:
    """Let every request of httpx (and of httpx2) carry the current span to hosts of your own, where the trace goes on.

    Hooked into are the transports of httpx, where each single request passes: of every client, those that were made
    before included, sync and async, streamed or not, redirected or sent again. The request that your code sees stays as
    it is: the headers are there while it is sent. A transport of your own that sends by other means is not covered;
    `request_hook` is.

    Args:
        hosts: Hosts of your own that have public names: "api.example.com", "*.example.com". Loopback, private addresses
            and names that only a private network knows are yours unasked. All others get no headers, also where a
            request is redirected to them: the conversation's id, project and tags are none of their business.
        trace: Record each request inside of a span as a step: method, URL (without the values of its parameters),
            status, how often it was sent again. It ends when the headers of the answer are there.

    Returns:
        What undoes it.

    Raises:
        ConfigurationError: An option cannot be used.
        MissingExtraError: httpx is not installed.

    Example:
        ```python
        reamon.instrument("httpx", hosts=["*.example.com"], trace=True)
        ```
    """
    outgoing = Outgoing("instrument('httpx')", hosts, trace)
    modules = httpx_modules()
    if not modules:
        raise MissingExtraError("instrument('httpx')", "httpx", "httpx")
    sender = _Sender(outgoing)
    patches = Patches()
    for httpx in modules:
        for transport in (httpx.HTTPTransport, httpx.WSGITransport, httpx.MockTransport):
            patches.wrap(transport, "handle_request", sender.send)
        for transport in (httpx.AsyncHTTPTransport, httpx.ASGITransport, httpx.MockTransport):
            patches.wrap(transport, "handle_async_request", sender.send_async)
    return patches.undo


def request_hook(*, hosts: Iterable[str] = ()) -> "RequestHook":
    """An event hook for a client of your own, in the place of `instrument("httpx")`.

    Args:
        hosts: As for `instrument_httpx`.

    Returns:
        A hook for `httpx.Client` and `httpx.AsyncClient`, whatever their transport.

    Raises:
        ConfigurationError: `hosts` cannot be used.

    Example:
        ```python
        client = httpx.AsyncClient(event_hooks={"request": [request_hook(hosts=["*.example.com"])]})
        ```
    """
    return RequestHook(Outgoing("request_hook()", hosts))


class RequestHook:
    """Writes the current span into each request to a host of your own, and takes it out where one is redirected.

    Args:
        outgoing: Which hosts.
    """

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    def __call__(self, request: "httpx.Request") -> "Done":
        """Called with each single request before it is sent."""
        self._write(request)
        return _DONE

    @guarded(default=None)
    def _write(self, request: "httpx.Request") -> None:
        for name, (written, before) in request.extensions.pop(_REMEMBERED, {}).items():  # by the request redirected
            if request.headers.get(name) == written:
                del request.headers[name]
                if before is not None:
                    request.headers[name] = before
        if self._outgoing.is_idle:
            return
        before = {name: request.headers.get(name) for name in HEADERS}
        if self._outgoing.inject(request.url.host, request.headers):
            request.extensions[_REMEMBERED] = {
                name: (request.headers[name], before[name]) for name in HEADERS if name in request.headers
            }


class Done:
    """What a hook returns: an async client awaits it, a sync one does not."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


_DONE: Final = Done()


class _Sender:
    """Sends single requests through their transports."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._sent: WeakKeyDictionary[httpx.Request, int] = WeakKeyDictionary()

    def send(self, handle: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """In the place of `handle_request`."""
        sending = self._sending(args[0] if args else kwargs["request"])
        if sending is None:
            return handle(*args, **kwargs)
        try:
            response = handle(*args, **kwargs)
        except BaseException as error:
            sending.end(error=error)
            raise
        sending.end(response)
        return response

    def send_async(
        self, handle: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """In the place of `handle_async_request`."""

        async def send() -> Any:
            sending = self._sending(args[0] if args else kwargs["request"])
            if sending is None:
                return await handle(*args, **kwargs)
            try:
                response = await handle(*args, **kwargs)
            except BaseException as error:
                sending.end(error=error)
                raise
            sending.end(response)
            return response

        return send()

    @guarded(default=None)
    def _sending(self, request: "httpx.Request") -> "_Sending | None":
        outgoing = self._outgoing
        if outgoing.is_idle:
            return None
        span = outgoing.begin(request.method, str(request.url))
        resent = 0
        if span is not None:
            resent = self._sent.get(request, 0)
            self._sent[request] = resent + 1
        headers = request.headers.copy()
        if outgoing.inject(request.url.host, headers, span):
            return _Sending(request, headers, span, resent)
        return None if span is None else _Sending(request, request.headers, span, resent)


class _Sending:
    """One request while it is sent, with headers that are there for no longer."""

    def __init__(
        self, request: "httpx.Request", headers: "httpx.Headers", span: ActiveSpan | None, resent: int
    ) -> None:
        self._request = request
        self._before = request.headers
        self._span = span
        self._resent = resent
        request.headers = headers

    def end(self, response: "httpx.Response | None" = None, error: BaseException | None = None) -> None:
        """The answer's headers are there, or there is none."""
        self._request.headers = self._before
        status = None if response is None else response.status_code
        end(self._span, status=status, error=error, resent=self._resent)
