"""Ollama's client: each of its calls is a logical model call, whose HTTP request is recorded below it.

Every call (of a client that was made before, or of the functions of the module `ollama`) goes through the client's
`_request`, which is where it is seen; a stream is a generator there, and stays one.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from types import ModuleType
from typing import Any, Final

from reamon.guard import guarded
from reamon.integrations.clients import Exchange
from reamon.integrations.model_call import ModelCall, ModelRequest
from reamon.integrations.ollama.answers import OllamaReader
from reamon.integrations.ollama.requests import request_of
from reamon.integrations.patches import Patches
from reamon.tracing import ActiveSpan, NoopSpan, current_span, enabled

Parent = ActiveSpan | NoopSpan
_END: Final = object()


def watch_client(patches: Patches, ollama: ModuleType) -> None:
    """Let every client of `ollama` record its calls."""
    patches.wrap(ollama.Client, "_request", _request)
    patches.wrap(ollama.AsyncClient, "_request", _request_async)


def _request(wrapped: Callable[..., Any], _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    asked = _asked(args, kwargs) if enabled() else None
    if asked is None:
        return wrapped(*args, **kwargs)
    if kwargs.get("stream"):
        return _stream(wrapped(*args, **kwargs), asked, current_span())
    exchange = _begin(asked)
    if exchange is None:
        return wrapped(*args, **kwargs)
    return exchange.call_through(wrapped, args, kwargs)


def _request_async(wrapped: Callable[..., Any], _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    asked = _asked(args, kwargs) if enabled() else None
    return wrapped(*args, **kwargs) if asked is None else _awaited(asked, wrapped, args, kwargs)


async def _awaited(
    asked: ModelRequest, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if kwargs.get("stream"):
        return _stream_async(await wrapped(*args, **kwargs), asked, current_span())
    exchange = _begin(asked)
    if exchange is None:
        return await wrapped(*args, **kwargs)
    return await exchange.await_through(wrapped, args, kwargs)


def _stream(items: Generator[Any, None, None], asked: ModelRequest, parent: Parent) -> Generator[Any, None, None]:
    """The client's generator, with its call current only while it runs; the request is made at its first advance."""
    exchange = _begin(asked, parent)
    if exchange is None:
        yield from items
        return
    try:
        while True:
            with exchange.inside():
                item = next(items, _END)
            if item is _END:
                break
            yield item
    except BaseException as error:
        items.close()
        exchange.failed(error)
        raise
    exchange.end()


async def _stream_async(
    items: AsyncGenerator[Any, None], asked: ModelRequest, parent: Parent
) -> AsyncGenerator[Any, None]:
    """The same of an asynchronous one."""
    exchange = _begin(asked, parent)
    try:
        while True:
            if exchange is None:
                item = await anext(items, _END)
            else:
                with exchange.inside():
                    item = await anext(items, _END)
            if item is _END:
                break
            yield item
    except BaseException as error:
        await items.aclose()
        if exchange is not None:
            exchange.failed(error)
        raise
    if exchange is not None:
        exchange.end()


@guarded(default=None)
def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> ModelRequest | None:
    """What `_request(type, method, path, json=...)` asks a model, if it does."""
    path = args[2] if len(args) > 2 else None
    return request_of(path, kwargs.get("json"), is_physical=False) if isinstance(path, str) else None


@guarded(default=None)
def _begin(asked: ModelRequest, parent: Parent | None = None) -> Exchange | None:
    call = ModelCall.begin(asked, parent)
    return None if call is None else Exchange(call, OllamaReader(), owner=OllamaReader)
