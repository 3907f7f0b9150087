"""The openai client: chat, completions, responses and embeddings, on all its clients, Azure's included."""

from collections.abc import Callable, Mapping
from typing import Any

from reamon.errors import MissingExtraError
from reamon.integrations.clients import SdkWatch, known_providers
from reamon.integrations.openai.requests import request_reading

__all__ = ["instrument_openai"]


def instrument_openai(*, providers: Mapping[str, str] | None = None) -> Callable[[], None]:
    """Record what every client of the openai package asks and is answered; for `reamon.instrument("openai")`.

    Args:
        providers: Who runs the models behind addresses of your own, by host or `host:port`. An address that is unknown
            is recorded as its own provider, so that nobody else's prices apply.

    Returns:
        What undoes it.

    Raises:
        MissingExtraError: openai is not installed.
        ConfigurationError: `providers` is something else than names by host.

    Example:
        >>> undo = instrument_openai(providers={"llm.example.com:8000": "vllm"})
        >>> undo()
    """
    known = known_providers(providers)
    try:
        import openai  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError('instrument("openai")', "openai", error.name) from error
    classes: tuple[Any, ...] = openai.OpenAI, openai.AsyncOpenAI, openai.Stream
    return SdkWatch(request_reading(known), *classes).undo
