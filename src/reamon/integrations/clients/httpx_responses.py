"""Responses of httpx: what a model's answer is read off, while the application or its client reads it.

Nothing is read ahead and nothing is kept from the application: the response is the one that httpx made, and only its
byte stream tells what goes through it.
"""

import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

from reamon.guard import guarded
from reamon.integrations.clients.bodies import Body
from reamon.integrations.clients.exchange import HTTPX, Exchange
from reamon.integrations.clients.proxy import ObjectProxy
from reamon.integrations.patches import Patches
from reamon.tracing import enabled

Watcher = Callable[[Any, Any], "Attempt | None"]
"""Says of an HTTP client and a request how the attempt is recorded; None if it belongs to no model call."""


class Attempt:
    """One HTTP request of a model call.

    Args:
        exchange: What its answer belongs to.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def __enter__(self) -> None:
        """Before it is sent."""

    def __exit__(self, *error: object) -> None:
        """When the response, or an error, is there."""

    @guarded(default=None)
    def answered(self, response: Any) -> None:
        """It was answered."""
        self.exchange.call.requested(response.status_code)
        if response.status_code < 400:
            attach(self.exchange, response)

    @guarded(default=None)
    def failed(self, error: BaseException) -> None:
        """It was not."""
        self.exchange.call.requested(None, error=error)


def httpx_modules() -> list[ModuleType]:
    """The httpx modules that are installed."""
    return [module for name in HTTPX if (module := imported(name)) is not None]


def imported(name: str) -> ModuleType | None:
    """The module, if it is installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def watch_httpx(patches: Patches, watcher: Watcher) -> None:
    """Let every httpx client of this process, those made before included, show its requests to `watcher`.

    Args:
        patches: What puts it back.
        watcher: Asked for each request, while something is recorded.
    """

    def send(wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        attempt = watcher(client, _request(args, kwargs)) if enabled() else None
        if attempt is None:
            return wrapped(*args, **kwargs)
        with attempt:
            try:
                response = wrapped(*args, **kwargs)
            except BaseException as error:
                attempt.failed(error)
                raise
            attempt.answered(response)
        return response

    def send_async(wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        attempt = watcher(client, _request(args, kwargs)) if enabled() else None
        return wrapped(*args, **kwargs) if attempt is None else _send_async(attempt, wrapped, args, kwargs)

    for module in httpx_modules():
        patches.wrap(module.Client, "send", send)
        patches.wrap(module.AsyncClient, "send", send_async)


async def _send_async(
    attempt: Attempt, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with attempt:
        try:
            response = await wrapped(*args, **kwargs)
        except BaseException as error:
            attempt.failed(error)
            raise
        attempt.answered(response)
    return response


def attach(exchange: Exchange, response: Any) -> None:
    """Read the answer off `response`: at once where the client has read it, else while it does."""
    exchange.noted(response.extensions)
    content_type = response.headers.get("content-type", "")
    if response.is_closed:
        exchange.read(response.content, content_type)
        return
    encoding = response.headers.get("content-encoding", "")
    decode = partial(_plain, type(response), response.headers)  # without the response, which would refer to itself
    exchange.reads(Body(exchange.reader, content_type, encoding, decode))
    response.stream = ObservedStream(response.stream, exchange)


def _plain(response_type: Any, headers: Any, raw: bytes) -> bytes:
    """An encoded body as the client's own decoders read it; nothing of it, where it was cut off."""
    try:
        content: bytes = response_type(200, headers=headers, content=raw).content
    except Exception:
        return b""
    return content


class ObservedStream(ObjectProxy):
    """The byte stream of a response; the exchange hears of what goes through it, and of its end."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        super().__init__(stream)
        self._self_exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._self_exchange
        try:
            for chunk in self.__wrapped__:
                exchange.feed(chunk)
                yield chunk
        except BaseException as error:
            exchange.broke(error)
            raise
        exchange.finished()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        exchange = self._self_exchange
        try:
            async for chunk in self.__wrapped__:
                exchange.feed(chunk)
                yield chunk
        except BaseException as error:
            exchange.broke(error)
            raise
        exchange.finished()

    def close(self) -> None:
        """Close it."""
        try:
            self.__wrapped__.close()
        finally:
            self._self_exchange.closed()

    async def aclose(self) -> None:
        """Close it."""
        try:
            await self.__wrapped__.aclose()
        finally:
            self._self_exchange.closed()

    def __del__(self) -> None:
        exchange = getattr(self, "_self_exchange", None)
        if exchange is not None:
            exchange.closed()


def _request(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs.get("request")
