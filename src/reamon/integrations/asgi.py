"""ASGI: what a request starts in the application belongs to the trace of whoever sent it."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from reamon.errors import ConfigurationError
from reamon.guard import guarded
from reamon.integrations._served import Served
from reamon.integrations.hosts import is_private
from reamon.tracing import active_recorder, extract, suppress

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH_CHECKS: Final = ("/health", "/healthz", "/health/*", "/livez", "/readyz", "/ping", "/metrics", "/favicon.ico")
"""Paths that are asked for by machines, many times a minute."""

_SEEN: Final = "reamon.seen"
_FORWARDED: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip"})


def from_private_network(scope: Scope) -> bool:
    """Whether a request comes straight from this machine or a private network, and was not passed on by a proxy.

    A proxy has a private address itself, and may pass on what strangers send.
    """
    client = scope.get("client")
    if not client or not is_private(str(client[0]).lower()):
        return False
    return not any(name.lower() in _FORWARDED for name, _ in scope.get("headers", ()))


class ReamonMiddleware:
    """Middleware for Starlette, FastAPI and every other ASGI application.

    By default it takes in who called, and opens no span: what your code records is below the caller's span already, and
    what is instrumented (an orchestrator, a graph) opens the workflow. An application that has nothing of that asks for
    `trace=True`. Requests, answers, streams, background tasks, web sockets and exceptions pass as they are.

    Args:
        app: The application.
        trust: Whose headers are believed. Whoever is believed can put spans into a trace whose ids it knows, and say
            which conversation and project something belongs to. So by default those of this machine and of private
            networks, unless a proxy passed the request on; True for everybody (behind a gateway that drops the headers
            of strangers), False for nobody, or a function of the ASGI scope.
        trace: Record each request: a workflow, or below the span of a caller that is believed a step. It is named by
            method and route ("POST /calls/{call_id}") and tells both and the status. It ends with the answer; what runs
            after that in the background is a late child.
        name: How a traced request is called, in the place of method and route: a function of the ASGI scope.
        call_id: Its conversation: a parameter of the path or else a header of this name, or a function of the ASGI
            scope. A parameter of the path called `call_id` is used unasked.
        skip: Paths in which nothing is recorded at all; one that ends in `*` stands for all that begin so.

    Raises:
        ConfigurationError: An option cannot be used.

    Example:
        ```python
        app.add_middleware(ReamonMiddleware, trace=True)  # Starlette, FastAPI
        app = ReamonMiddleware(app)  # any other
        ```
    """

    def __init__(
        self,
        app: App,
        *,
        trust: bool | Callable[[Scope], bool] = from_private_network,
        trace: bool = False,
        name: Callable[[Scope], str] | None = None,
        call_id: str | Callable[[Scope], object] | None = None,
        skip: Iterable[str] = HEALTH_CHECKS,
    ) -> None:
        self.app = app
        if not isinstance(trust, bool) and not callable(trust):
            raise ConfigurationError(
                f"ReamonMiddleware: trust is True, False or a function of the scope, not {trust!r}"
            )
        if not isinstance(trace, bool):
            raise ConfigurationError(f"ReamonMiddleware: trace is True or False, not {trace!r}")
        if name is not None and not callable(name):
            raise ConfigurationError(f"ReamonMiddleware: name is a function of the scope, not {name!r}")
        if call_id is not None and not isinstance(call_id, str) and not callable(call_id):
            raise ConfigurationError(f"ReamonMiddleware: call_id is a name or a function of the scope, not {call_id!r}")
        if isinstance(skip, str) or not isinstance(skip, Iterable):
            raise ConfigurationError(f"ReamonMiddleware: skip is a sequence of paths, not {skip!r}")
        self._trust = trust
        self._trace = trace
        self._name = name
        self._call_id = call_id
        paths = tuple(skip)
        self._skipped = frozenset(paths)
        self._skipped_below = tuple(path.removesuffix("*") for path in paths if path.endswith("*"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one web socket, or the application's life."""
        if active_recorder() is None or scope["type"] not in ("http", "websocket") or scope.get(_SEEN):
            await self.app(scope, receive, send)
            return
        scope[_SEEN] = True
        if self._skips(str(scope.get("path", ""))):
            with suppress():
                await self.app(scope, receive, send)
            return
        with self._caller(scope):
            served = Served.begin(self.app, scope, self._name, self._call_id) if self._trace else None
            if served is None:
                await self.app(scope, receive, send)
                return
            await served.run(self.app, receive, send)

    def _caller(self, scope: Scope) -> AbstractContextManager[Any]:
        return extract(scope.get("headers", ())) if self._believes(scope) else nullcontext()

    @guarded(default=False)
    def _believes(self, scope: Scope) -> bool:
        return self._trust if isinstance(self._trust, bool) else bool(self._trust(scope))

    def _skips(self, path: str) -> bool:
        return path in self._skipped or (bool(self._skipped_below) and path.startswith(self._skipped_below))
