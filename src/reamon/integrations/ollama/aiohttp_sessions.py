"""Sessions of aiohttp: requests to Ollama that an application makes with them are physical model calls.

aiohttp has hooks for requests, but a session takes them only when it is made, and they do not see what is streamed. So
the requests are seen where each of them passes, and the answer where the application reads it.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from reamon.guard import guarded
from reamon.integrations.clients import Body, Exchange
from reamon.integrations.clients.proxy import ObjectProxy
from reamon.integrations.ollama.requests import PhysicalAttempt, decoded, is_model_path, request_of
from reamon.integrations.patches import Patches
from reamon.tracing import enabled


def watch_aiohttp(patches: Patches, aiohttp: ModuleType) -> None:
    """Let every session of aiohttp, those made before included, record its requests to Ollama."""
    patches.wrap(aiohttp.ClientSession, "_request", _request)
    for name in ("release", "close"):
        patches.wrap(aiohttp.ClientResponse, name, _closing)


def _request(wrapped: Callable[..., Any], session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    attempt = _attempt(args, kwargs) if enabled() else None
    return wrapped(*args, **kwargs) if attempt is None else _awaited(attempt, wrapped, args, kwargs)


async def _awaited(
    attempt: PhysicalAttempt, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with attempt:
        try:
            response = await wrapped(*args, **kwargs)
        except BaseException as error:
            attempt.failed(error)
            raise
        _answered(attempt, response)
    return response


def _closing(wrapped: Callable[..., Any], response: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The application has had enough of a response."""
    try:
        return wrapped(*args, **kwargs)
    finally:
        content = response.content
        if type(content) is ObservedContent:
            content._self_exchange.closed()


@guarded(default=None)
def _attempt(args: tuple[Any, ...], kwargs: dict[str, Any]) -> PhysicalAttempt | None:
    method = args[0] if args else kwargs.get("method")
    url = args[1] if len(args) > 1 else kwargs.get("str_or_url")
    path = str(url).partition("?")[0]
    if method != "POST" or not is_model_path(path):
        return None
    body = kwargs.get("json")
    if body is None and isinstance(kwargs.get("data"), bytes | str):
        body = decoded(kwargs["data"])
    asked = request_of(path, body, is_physical=True)
    return None if asked is None else PhysicalAttempt.begin(asked)


@guarded(default=None)
def _answered(attempt: PhysicalAttempt, response: Any) -> None:
    attempt.counted(response.status)
    if response.status >= 400:
        attempt.refused(response.status, b"")
        return
    exchange = attempt.exchange
    exchange.reads(Body(exchange.reader, response.headers.get("Content-Type", "")))  # aiohttp has decoded it
    response.content = ObservedContent(response.content, exchange)


class ObservedContent(ObjectProxy):
    """The content of a response; the exchange hears of what the application reads of it."""

    def __init__(self, content: Any, exchange: Exchange) -> None:
        super().__init__(content)
        self._self_exchange = exchange

    async def read(self, *args: Any, **kwargs: Any) -> bytes:
        """Read some bytes, or all of them."""
        return await self._self_read(self.__wrapped__.read(*args, **kwargs))

    async def readany(self) -> bytes:
        """Read what is there."""
        return await self._self_read(self.__wrapped__.readany())

    async def readline(self, *args: Any, **kwargs: Any) -> bytes:
        """Read a line."""
        return await self._self_read(self.__wrapped__.readline(*args, **kwargs))

    async def readuntil(self, *args: Any, **kwargs: Any) -> bytes:
        """Read up to a separator."""
        return await self._self_read(self.__wrapped__.readuntil(*args, **kwargs))

    async def readexactly(self, *args: Any, **kwargs: Any) -> bytes:
        """Read so many bytes."""
        return await self._self_read(self.__wrapped__.readexactly(*args, **kwargs))

    async def readchunk(self) -> tuple[bytes, bool]:
        """Read a chunk as the server sent it."""
        exchange = self._self_exchange
        try:
            chunk: tuple[bytes, bool] = await self.__wrapped__.readchunk()
        except BaseException as error:
            exchange.broke(error)
            raise
        self._self_took(chunk[0])
        return chunk

    def read_nowait(self, *args: Any, **kwargs: Any) -> bytes:
        """Read what is there, without waiting."""
        chunk: bytes = self.__wrapped__.read_nowait(*args, **kwargs)
        self._self_took(chunk)
        return chunk

    # Iterators read from the object that makes them: this one.

    def __aiter__(self) -> Any:
        return type(self.__wrapped__).__aiter__(self)

    def iter_any(self) -> Any:
        """Iterate over what is there."""
        return type(self.__wrapped__).iter_any(self)

    def iter_chunked(self, n: int) -> Any:
        """Iterate over pieces of `n` bytes at most."""
        return type(self.__wrapped__).iter_chunked(self, n)

    def iter_chunks(self) -> Any:
        """Iterate over the chunks that the server sent."""
        return type(self.__wrapped__).iter_chunks(self)

    async def _self_read(self, reading: Any) -> bytes:
        try:
            chunk: bytes = await reading
        except BaseException as error:
            self._self_exchange.broke(error)
            raise
        self._self_took(chunk)
        return chunk

    def _self_took(self, chunk: bytes) -> None:
        self._self_exchange.feed(chunk)
        if self.__wrapped__.at_eof():
            self._self_exchange.finished()

    def __del__(self) -> None:
        exchange = getattr(self, "_self_exchange", None)
        if exchange is not None:
            exchange.closed()
