"""The served request: a span from the first line of a request to the last byte of its answer."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from reamon.guard import guarded
from reamon.tracing import ActiveSpan, active_recorder, current_span, enter, fail, finish, leave, start_span

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_FULL: Final = 2  # starlette's Match.FULL
_FAILED: Final = 500


class Served:
    """One request while it is served.

    Args:
        scope: Its ASGI scope.
        span: Its span.
    """

    def __init__(self, scope: Scope, span: ActiveSpan) -> None:
        self._scope = scope
        self._span = span
        self._status: int | None = None
        self._is_answered = False

    @classmethod
    @guarded(default=None)
    def begin(
        cls,
        app: App,
        scope: Scope,
        name: Callable[[Scope], str] | None,
        call_id: str | Callable[[Scope], object] | None,
    ) -> "Served | None":
        """Start the span of a request; None where nothing is recorded.

        Args:
            app: What serves it; its routes name the request.
            scope: The ASGI scope.
            name: Names it in their place.
            call_id: Where the conversation's id is found.
        """
        route, parameters = _route_of(scope.get("app") or app, scope)
        method = "WEBSOCKET" if scope["type"] == "websocket" else str(scope["method"])
        called = str(name(scope)) if name is not None else f"{method} {route}" if route else method
        kind = "step" if isinstance(current_span(), ActiveSpan) else "workflow"
        span = start_span(kind, called, call_id=_call_id(scope, parameters, call_id))
        if not isinstance(span, ActiveSpan):
            return None
        seen = {"http.request.method": scope.get("method", "GET"), "url.path": scope.get("path"), "http.route": route}
        span.set_attributes({key: value for key, value in seen.items() if value})
        return cls(scope, span)

    async def run(self, app: App, receive: Receive, send: Send) -> None:
        """Let the application serve it."""

        async def watched_receive() -> Message:
            message = await receive()
            self._received(message)
            return message

        async def watched_send(message: Message) -> None:
            await send(message)
            if self._sent(message):
                pending = self._finish()
                if pending is not None:
                    await pending

        span = self._span
        before = enter(span)
        try:
            await app(self._scope, watched_receive, watched_send)
        except BaseException as error:
            leave(span, before)
            pending = fail(span, error)
            if pending is not None and isinstance(error, Exception):
                await pending
            raise
        leave(span, before)
        pending = self._finish()
        if pending is not None:
            await pending

    @guarded(default=None)
    def _received(self, message: Message) -> None:
        kind = message.get("type")
        if kind == "http.disconnect" and not self._is_answered:
            self._span.add_event("client disconnected")
            self._span.set_status("cancelled", "the client disconnected before the answer was complete")
        elif kind == "websocket.disconnect":
            self._span.set_attribute("websocket.close_code", message.get("code"))

    @guarded(default=False)
    def _sent(self, message: Message) -> bool:
        """Note what was sent. Returns whether the request is over: where it failed, the reason may still come."""
        kind = message.get("type")
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._answer(int(message["status"]))
        elif kind == "websocket.accept":
            self._answer(101)
        elif kind == "websocket.close":
            self._span.set_attribute("websocket.close_code", message.get("code", 1000))
        elif kind == "http.response.body" and not message.get("more_body", False):
            self._is_answered = True
            return self._status is not None and self._status < _FAILED
        return False

    def _answer(self, status: int) -> None:
        self._status = status
        self._span.set_attribute("http.response.status_code", status)
        if status >= _FAILED:
            self._span.set_status("error", f"HTTP {status}")

    @guarded(default=None)
    def _finish(self) -> Any:
        recorder = active_recorder()
        return None if recorder is None else finish(self._span, recorder.now())


def _call_id(scope: Scope, parameters: dict[str, Any], wanted: str | Callable[[Scope], object] | None) -> object:
    if callable(wanted):
        return _asked(wanted, scope)
    if wanted is None:
        return parameters.get("call_id")
    if wanted in parameters:
        return parameters[wanted]
    header = wanted.lower().encode("latin-1", "replace")
    return next((value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == header), None)


@guarded(default=None)
def _asked(wanted: Callable[[Scope], object], scope: Scope) -> object:
    return wanted(scope)


@guarded(default=(None, {}))
def _route_of(app: Any, scope: Scope) -> tuple[str | None, dict[str, Any]]:
    """The template of the path and its parameters, of an application with routes like Starlette's."""
    while (routes := getattr(app, "routes", None)) is None and (inner := getattr(app, "app", None)) is not None:
        app = inner
    return _matched(routes or (), dict(scope))


def _matched(routes: Iterable[Any], scope: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    for route in routes:
        if not hasattr(route, "matches"):
            continue
        match, below = route.matches(scope)
        if match.value != _FULL:
            continue
        path = getattr(below.get("route"), "path", None) or getattr(route, "path", "")
        parameters = {**scope.get("path_params", {}), **below.get("path_params", {})}
        if hasattr(route, "effective_candidates"):  # FastAPI's included router, which adds its prefix to each of them
            return _matched(route.effective_candidates(), scope)
        inner = getattr(route, "routes", None)
        if inner:
            further, found = _matched(inner, {**scope, **below})
            return f"{path}{further or ''}", {**parameters, **found}
        return path, parameters
    return None, {}
