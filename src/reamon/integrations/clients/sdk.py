"""SDK clients: those of openai and anthropic, which are made by one generator and work alike.

Every call of theirs, whatever the method (`create`, `parse`, `stream`, raw and streaming responses, beta namespaces,
`client.post`), goes through the client's public `request`, which repeats what failed. That is the logical call; the
requests that it makes are counted where the HTTP client sends them.
"""

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from reamon.errors import ConfigurationError
from reamon.guard import guarded
from reamon.integrations.clients.answers import AnswerReader
from reamon.integrations.clients.exchange import Exchange, current_exchange
from reamon.integrations.clients.httpx_responses import Attempt, watch_httpx
from reamon.integrations.model_call import ModelCall, ModelRequest
from reamon.integrations.patches import Patches
from reamon.tracing import enabled


class SdkRequest(Protocol):
    """What a client is asked to send: the SDK's `FinalRequestOptions`."""

    method: str
    url: str
    json_data: object
    extra_json: object


Reading = Callable[[Any, str, dict[str, Any]], "tuple[ModelRequest, AnswerReader] | None"]
"""Says of a client, a path and a JSON body what the model is asked and how its answer is read; None if no model is."""


class SdkWatch:
    """Watches all clients of one SDK in this process, those made before included.

    Args:
        reading: What reads its requests.
        sync_client: The SDK's client.
        async_client: Its asynchronous one.
        stream: The class of its streams.

    Raises:
        ConfigurationError: The SDK's clients do not work like those of the versions that are known.
    """

    def __init__(self, reading: Reading, sync_client: type, async_client: type, stream: type) -> None:
        self._reading = reading
        self._closes_streams = _closes(stream)
        self._patches = Patches()
        owners = [_owner_of_request(client) for client in (sync_client, async_client)]
        self._patches.wrap(owners[0], "request", self._request)
        self._patches.wrap(owners[1], "request", self._request_async)
        watch_httpx(self._patches, self._attempt)

    def undo(self) -> None:
        """Put everything back."""
        self._patches.undo()

    def _request(self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        exchange = self._begin(client, _options(args, kwargs)) if enabled() else None
        if exchange is None:
            return wrapped(*args, **kwargs)
        return exchange.call_through(wrapped, args, kwargs)

    def _request_async(
        self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return self._awaited(wrapped, client, args, kwargs) if enabled() else wrapped(*args, **kwargs)

    async def _awaited(
        self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        exchange = self._begin(client, _options(args, kwargs))
        if exchange is None:
            return await wrapped(*args, **kwargs)
        return await exchange.await_through(wrapped, args, kwargs)

    @guarded(default=None)
    def _begin(self, client: Any, options: SdkRequest) -> Exchange | None:
        """The exchange of a request to a model; None for any other request."""
        if options.method.lower() != "post" or not isinstance(options.json_data, dict):
            return None
        extra = options.extra_json if isinstance(options.extra_json, dict) else {}
        body = {name: value for name, value in {**options.json_data, **extra}.items() if not _is_left_out(value)}
        read = self._reading(client, options.url.partition("?")[0], body)
        call = ModelCall.begin(read[0]) if read is not None else None
        if read is None or call is None:
            return None
        http_client = getattr(client, "_client", None)
        return Exchange(call, read[1], owner=self, http_client=http_client, waits_for_close=self._closes_streams)

    @guarded(default=None)
    def _attempt(self, http_client: Any, request: Any) -> Attempt | None:
        exchange = current_exchange()
        if exchange is None or exchange.owner is not self or exchange.http_client not in (None, http_client):
            return None  # somebody else's request: for a token of access, for example
        return Attempt(exchange)


def _options(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[1] if len(args) > 1 else kwargs.get("options")


def _closes(stream: type) -> bool:
    """Whether a stream closes its response when it fails, which older versions leave to the garbage collector."""
    try:
        source = inspect.getsource(stream.__stream__)  # type: ignore[attr-defined]
    except (AttributeError, OSError, TypeError):
        return False
    return "finally:" in source and "close()" in source.partition("finally:")[2]


def _is_left_out(value: object) -> bool:
    """Whether a value stands for a parameter that is not given."""
    return type(value).__name__ in ("Omit", "NotGiven")


def _owner_of_request(client: type) -> type:
    """The class that has the client's `request`: patched there, it is patched for all subclasses (Azure's, yours)."""
    owner = next((base for base in client.__mro__ if "request" in vars(base)), None)
    if owner is None:
        name = f"{client.__module__}.{client.__name__}"
        raise ConfigurationError(f"{name} has no method `request`: this version of it is not supported")
    return owner
