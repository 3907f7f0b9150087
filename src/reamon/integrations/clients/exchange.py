"""The exchange: one model call, and what goes over HTTP for it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import msgspec

from reamon.errors import ServiceError
from reamon.guard import guarded
from reamon.integrations.clients.answers import AnswerReader
from reamon.integrations.clients.bodies import Body
from reamon.integrations.model_call import ModelCall

_CURRENT: Final["ContextVar[Exchange | None]"] = ContextVar("reamon_exchange", default=None)
HTTPX: Final = ("httpx", "httpx2")
"""The HTTP clients that are watched: today's openai and anthropic use httpx2, older ones and ollama httpx."""

_CACHED: Final = ("from_cache", "hishel_from_cache")
"""What caching transports put into a response's extensions."""


class Exchange:
    """One model call whose answer is read off the HTTP response, while the application reads it.

    It ends when the client's method has returned and the body of the answer is read, or closed, or thrown away. No
    method raises.

    Args:
        call: The call.
        reader: What makes an answer of what comes.
        owner: Whose exchange it is: what watches the client.
        http_client: The HTTP client that the requests go through, if that is known; those of others are not counted.
        waits_for_close: Whether the client closes a response that fails while it is read. The call then ends with what
            the client raises; else with what failed.
    """

    def __init__(
        self,
        call: ModelCall,
        reader: AnswerReader,
        owner: object = None,
        http_client: object = None,
        *,
        waits_for_close: bool = False,
    ) -> None:
        self.call = call
        self.reader = reader
        self.owner = owner
        self.http_client = http_client
        self._body: Body | None = None
        self._broken: BaseException | None = None
        self._is_cached = False
        self._is_held = False
        self._waits_for_close = waits_for_close

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Make it current inside of the block, which makes the requests; until then it does not end."""
        before = _CURRENT.get()
        _CURRENT.set(self)
        self._is_held = True
        try:
            with self.call.inside():
                yield
        finally:
            self._is_held = False
            if _CURRENT.get() is self:
                _CURRENT.set(before)

    def call_through(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the client's method inside of the exchange; what it returns or raises goes on as it is."""
        try:
            with self.inside():
                result = method(*args, **kwargs)
        except BaseException as error:
            self.failed(error)
            raise
        self.returned(result)
        return result

    async def await_through(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same of a coroutine function."""
        try:
            with self.inside():
                result = await method(*args, **kwargs)
        except BaseException as error:
            self.failed(error)
            raise
        self.returned(result)
        return result

    # -- the client's method -----------------------------------------------------------------------------------------

    @guarded(default=None)
    def returned(self, result: object) -> None:
        """The client's method returned. It ends the call, unless the body of the answer is still to be read."""
        if self._body is not None:
            return
        if not self.call.requests:
            self._unseen(result)
        self.end(ServiceError(self.reader.error) if self.reader.error is not None else None)

    @guarded(default=None)
    def failed(self, error: BaseException) -> None:
        """An exception left the client's method."""
        self._body = None
        self.end(error)

    @guarded(default=None)
    def end(self, error: BaseException | None = None) -> None:
        """End the call with what has come so far."""
        self._body = None
        self._tell_answer()
        self.call.end(error)

    @guarded(default=None)
    def _tell_answer(self) -> None:
        answer = self.reader.answer()
        if answer is not None:
            self.call.answer(msgspec.structs.replace(answer, is_cached=True) if self._is_cached else answer)

    @guarded(default=None)
    def _unseen(self, result: object) -> None:
        """Take an answer for which no request was seen: out of a cache of the client's, or by another way than HTTP."""
        self._is_cached = is_watched(self.http_client)
        document = _document(result)
        if document is not None:
            self.reader.whole(document)

    # -- the HTTP response -------------------------------------------------------------------------------------------

    @guarded(default=None)
    def noted(self, extensions: Mapping[str, Any]) -> None:
        """There is a response, and this is what the transport says about it; only the last one's answer counts."""
        self.reader = type(self.reader)()
        self._is_cached = any(extensions.get(name) for name in _CACHED)

    @guarded(default=None)
    def read(self, content: bytes, content_type: str) -> None:
        """The body, which the client has read already."""
        body = Body(self.reader, content_type)
        body.feed(content)
        body.finish()

    def reads(self, body: Body) -> None:
        """The body is to be read; the call ends with it."""
        self._body = body

    @guarded(default=None)
    def feed(self, chunk: bytes) -> None:
        """Bytes of the body go by."""
        body = self._body
        if body is None:
            return
        if body.feed(chunk):
            self.call.first_token()
        if self.reader.error is not None:
            self._went_wrong()
        elif self.reader.is_complete:
            self._over()

    @guarded(default=None)
    def finished(self) -> None:
        """The body has been read to its end."""
        if self._body is not None:
            self._body.finish()
            if self.reader.error is not None:
                self._went_wrong()
            else:
                self._over()

    @guarded(default=None)
    def broke(self, error: BaseException) -> None:
        """Reading the body failed."""
        if self._body is not None and not isinstance(error, GeneratorExit):
            self._broken = error
            self._went_wrong()

    @guarded(default=None)
    def closed(self) -> None:
        """The response was closed, or thrown away."""
        if self._body is None:
            return
        self._body.finish()
        self._over(self._what_went_wrong() or GeneratorExit())

    def _went_wrong(self) -> None:
        """What the client makes of it is known when it closes the response."""
        if not self._waits_for_close:
            self.closed()

    def _over(self, error: BaseException | None = None) -> None:
        self._body = None
        if not self._is_held:
            self.end(error)

    def _what_went_wrong(self) -> BaseException | None:
        """What the application is told, where it is on its way to it; else what went wrong underneath."""
        if self._broken is None and self.reader.error is None:
            return None
        leaving = sys.exception()
        if leaving is not None and not isinstance(leaving, GeneratorExit) and self._explains(leaving):
            return leaving
        return self._broken or ServiceError(str(self.reader.error))

    def _explains(self, leaving: BaseException) -> bool:
        if self._broken is None:
            return str(self.reader.error) in str(leaving)
        return self._broken in (leaving, leaving.__cause__, leaving.__context__)


def is_watched(http_client: object) -> bool:
    """Whether every request of an HTTP client is seen: it sends as httpx does, and has no way of its own."""
    owner = next((kind for kind in type(http_client).__mro__ if "send" in vars(kind)), object)
    return owner.__module__.partition(".")[0] in HTTPX


def current_exchange() -> Exchange | None:
    """The exchange whose requests are made here, or None."""
    return _CURRENT.get()


def _document(result: object) -> Mapping[str, Any] | None:
    """A result of a client as the document that it was made of."""
    if isinstance(result, Mapping):
        return result
    dump: Callable[..., Any] | None = getattr(result, "model_dump", None)
    return dump(mode="json", exclude_unset=True) if callable(dump) and isinstance(result, _model_type()) else None


def _model_type() -> type:
    from pydantic import BaseModel  # noqa: PLC0415 - the clients have it imported

    return BaseModel
