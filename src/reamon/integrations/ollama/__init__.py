"""Ollama: its client, and its HTTP API where an application calls it by itself, with httpx or aiohttp."""

from collections.abc import Callable

from reamon.errors import MissingExtraError
from reamon.integrations.clients import watch_httpx
from reamon.integrations.clients.httpx_responses import httpx_modules, imported
from reamon.integrations.ollama.aiohttp_sessions import watch_aiohttp
from reamon.integrations.ollama.client import watch_client
from reamon.integrations.ollama.requests import observed_request
from reamon.integrations.patches import Patches

__all__ = ["instrument_ollama"]


def instrument_ollama() -> Callable[[], None]:
    """Record what Ollama is asked and answers; for `reamon.instrument("ollama")`.

    A call of its client is a logical model call with its HTTP request, the physical one, below it. A request to
    `/api/chat`, `/api/generate` or `/api/embed` that the application makes itself is a physical call.

    Returns:
        What undoes it.

    Raises:
        MissingExtraError: Neither ollama nor an HTTP client that could call it is installed.

    Example:
        >>> undo = instrument_ollama()
        >>> undo()
    """
    ollama, aiohttp = imported("ollama"), imported("aiohttp")
    if ollama is None and aiohttp is None and not httpx_modules():
        raise MissingExtraError('instrument("ollama")', "ollama", "ollama")
    patches = Patches()
    if ollama is not None:
        watch_client(patches, ollama)
    watch_httpx(patches, observed_request)
    if aiohttp is not None:
        watch_aiohttp(patches, aiohttp)
    return patches.undo
