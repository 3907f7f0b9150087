"""aiohttp: outgoing requests carry the current span to services of your own, and may be steps of the trace."""

from collections.abc import Callable, Iterable, MutableMapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from reamon.errors import MissingExtraError
from reamon.guard import guarded
from reamon.integrations.outgoing import HEADERS, Outgoing, end, shown_url
from reamon.integrations.patches import Patches
from reamon.tracing import ActiveSpan

if TYPE_CHECKING:
    import aiohttp


def instrument_aiohttp(*, hosts: Iterable[str] = (), trace: bool = False) -> Callable[[], None]:
    """Let every request of aiohttp's client carry the current span to hosts of your own, where the trace goes on.

    Each session gets a `TraceConfig`, which is aiohttp's own means for this, at its next request; sessions that were
    made before included.

    Args:
        hosts: Hosts of your own that have public names: "api.example.com", "*.example.com". Loopback, private addresses
            and names that only a private network knows are yours unasked. All others get no headers, also where a
            request is redirected to them: the conversation's id, project and tags are none of their business.
        trace: Record each request inside of a span as a step: method, URL (without the values of its parameters),
            status, redirects, how often it was sent again. It ends when the headers of the answer are there.

    Returns:
        What undoes it.

    Raises:
        ConfigurationError: An option cannot be used.
        MissingExtraError: aiohttp is not installed.

    Example:
        ```python
        reamon.instrument("aiohttp", hosts=["*.example.com"], trace=True)
        ```
    """
    watch = Outgoing("instrument('aiohttp')", hosts, trace)
    client = _imported("instrument('aiohttp')")
    config = _config(watch)
    config.freeze()
    patches = Patches()
    watched: WeakSet[Any] = WeakSet()

    @guarded(default=None)
    def add(session: "aiohttp.ClientSession") -> None:
        configs = session.trace_configs
        if config not in configs:
            configs.append(config)
            watched.add(session)

    def request(send: Callable[..., Any], session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        add(session)
        return send(*args, **kwargs)

    def undo() -> None:
        patches.undo()
        for session in list(watched):
            session.trace_configs.remove(config)
        watched.clear()

    patches.wrap(client.ClientSession, "_request", request)
    return undo


def trace_config(*, hosts: Iterable[str] = (), trace: bool = False) -> "aiohttp.TraceConfig":
    """A `TraceConfig` for a session of your own, in the place of `instrument("aiohttp")`.

    Args:
        hosts: As for `instrument_aiohttp`.
        trace: As there.

    Raises:
        ConfigurationError: An option cannot be used.
        MissingExtraError: aiohttp is not installed.

    Example:
        ```python
        session = aiohttp.ClientSession(trace_configs=[trace_config(hosts=["*.example.com"])])
        ```
    """
    watch = Outgoing("trace_config()", hosts, trace)
    _imported("trace_config()")
    return _config(watch)


def _imported(feature: str) -> Any:
    try:
        import aiohttp  # noqa: PLC0415 - optional, and heavy
    except ImportError as error:
        raise MissingExtraError(feature, "aiohttp", error.name) from error
    return aiohttp


def _config(outgoing: Outgoing) -> "aiohttp.TraceConfig":
    import aiohttp  # noqa: PLC0415 - see above

    def make(trace_request_ctx: object = None) -> Sending:
        return Sending(outgoing, config)

    config = aiohttp.TraceConfig(trace_config_ctx_factory=make)  # type: ignore[arg-type]  # any object will do
    _ours.add(config)
    config.on_request_start.append(_started)
    config.on_request_redirect.append(_redirected)
    config.on_request_headers_sent.append(_sent)
    config.on_request_end.append(_ended)
    config.on_request_exception.append(_failed)
    return config


_ours: Final[WeakSet[Any]] = WeakSet()
"""Our configs, of which the first does it for a session: a second one would take its headers for the application's."""


class Sending(SimpleNamespace):
    """One request of a session, from its start to its answer, redirects included.

    Args:
        outgoing: What is done with it.
        config: Who does it.
    """

    def __init__(self, outgoing: Outgoing, config: object) -> None:
        super().__init__()
        self._outgoing = outgoing
        self._config = config
        self._is_mine = False
        self._span: ActiveSpan | None = None
        self._before: dict[str, str | None] = {}
        self._times_sent = 0
        self._redirects = 0

    @guarded(default=None)
    def start(self, session: "aiohttp.ClientSession", params: "aiohttp.TraceRequestStartParams") -> None:
        """It is about to be sent."""
        self._is_mine = next((config for config in session.trace_configs if config in _ours), None) is self._config
        if self._is_mine and not self._outgoing.is_idle:
            self._span = self._outgoing.begin(params.method, str(params.url))
            self._write(params.url.host, params.headers)

    @guarded(default=None)
    def redirect(self, params: "aiohttp.TraceRequestRedirectParams") -> None:
        """It is about to be sent to another place."""
        if not self._is_mine:
            return
        self._take_out(params.headers)
        self._redirects += 1
        answer = params.response.headers
        target = params.url.join(type(params.url)(answer.get("Location") or answer.get("URI") or ""))
        if self._span is not None:
            self._span.add_event("redirect", url=shown_url(str(target)))
        if not self._outgoing.is_idle:
            self._write(target.host, params.headers)

    def send(self) -> None:
        """Its headers have gone out."""
        self._times_sent += 1

    def end(self, status: int | None = None, error: BaseException | None = None) -> None:
        """It is answered, or will not be."""
        end(self._span, status=status, error=error, resent=max(self._times_sent - self._redirects - 1, 0))

    def _write(self, host: str | None, headers: MutableMapping[str, str]) -> None:
        before = {name: headers.get(name) for name in HEADERS}
        if self._outgoing.inject(host, headers, self._span):
            self._before = before

    def _take_out(self, headers: MutableMapping[str, str]) -> None:
        for name, before in self._before.items():
            headers.pop(name, None)
            if before is not None:
                headers[name] = before
        self._before = {}


async def _started(session: Any, sending: Any, params: "aiohttp.TraceRequestStartParams") -> None:
    sending.start(session, params)


async def _redirected(_session: Any, sending: Any, params: "aiohttp.TraceRequestRedirectParams") -> None:
    sending.redirect(params)


async def _sent(_session: Any, sending: Any, _params: Any) -> None:
    sending.send()


async def _ended(_session: Any, sending: Any, params: "aiohttp.TraceRequestEndParams") -> None:
    sending.end(params.response.status)


async def _failed(_session: Any, sending: Any, params: "aiohttp.TraceRequestExceptionParams") -> None:
    sending.end(error=params.exception)
