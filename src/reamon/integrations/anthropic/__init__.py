"""The anthropic client: messages and legacy completions, on all its clients, Bedrock's and Vertex's included."""

from collections.abc import Callable, Mapping
from typing import Any

from reamon.errors import MissingExtraError
from reamon.integrations.anthropic.requests import request_reading
from reamon.integrations.clients import SdkWatch, known_providers

__all__ = ["instrument_anthropic"]


def instrument_anthropic(*, providers: Mapping[str, str] | None = None) -> Callable[[], None]:
    """Record what every client of the anthropic package asks and is answered; for `reamon.instrument("anthropic")`.

    Args:
        providers: Who runs the models behind addresses of your own, by host or `host:port`. An address that is unknown
            is recorded as its own provider, so that nobody else's prices apply.

    Returns:
        What undoes it.

    Raises:
        MissingExtraError: anthropic is not installed.
        ConfigurationError: `providers` is something else than names by host.

    Example:
        >>> undo = instrument_anthropic(providers={"gateway.example.com": "anthropic"})
        >>> undo()
    """
    known = known_providers(providers)
    try:
        import anthropic  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError('instrument("anthropic")', "anthropic", error.name) from error
    classes: tuple[Any, ...] = anthropic.Anthropic, anthropic.AsyncAnthropic, anthropic.Stream
    return SdkWatch(request_reading(known), *classes).undo
