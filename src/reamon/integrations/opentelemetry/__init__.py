"""OpenTelemetry: what its instrumentations make becomes spans of ours, beside what they make it for."""

from collections.abc import Callable, Iterable
from typing import Any

from reamon.errors import ConfigurationError, MissingExtraError

__all__ = ["instrument_opentelemetry"]


def instrument_opentelemetry(
    *,
    provider: Any = None,
    scopes: Iterable[str] | None = None,
    ignore_scopes: Iterable[str] = (),
    only: Callable[[Any], bool] | None = None,
) -> Callable[[], None]:
    """Record the spans that OpenTelemetry's instrumentations make in this process.

    A span processor is added to the tracer provider that the application has, or will have; it sets none itself, and
    what the application exports is as before. Spans that OpenTelemetry has sampled out are left alone.

    Args:
        provider: The tracer provider; by default the application's global one, whenever it is set.
        scopes: Take spans of these instrumentation scopes alone. `*` stands for any text: `openinference.*`.
        ignore_scopes: Leave out spans of these.
        only: Called with each span that starts (OpenTelemetry's, with its name and first attributes); a false answer
            leaves it out. What it encloses is taken, below what encloses it.

    Returns:
        What undoes it.

    Raises:
        MissingExtraError: OpenTelemetry's SDK is not installed.
        ConfigurationError: An option cannot be used.

    Example:
        >>> undo = instrument_opentelemetry(scopes=["openinference.*"])
        >>> undo()
    """
    patterns = _names("scopes", scopes), _names("ignore_scopes", ignore_scopes)
    if only is not None and not callable(only):
        raise ConfigurationError(f"instrument('opentelemetry'): only is called with each span, and {only!r} cannot be")
    if provider is not None and not callable(getattr(provider, "add_span_processor", None)):
        raise ConfigurationError(
            f"instrument('opentelemetry'): provider = {provider!r} takes no span processor; give a TracerProvider of "
            "OpenTelemetry's SDK"
        )
    try:
        from reamon.integrations.opentelemetry._providers import install  # noqa: PLC0415 - needs OpenTelemetry's SDK
    except ImportError as error:
        raise MissingExtraError("instrument('opentelemetry')", "otlp", error.name) from error
    from reamon.integrations.opentelemetry._choice import Choice  # noqa: PLC0415 - as above

    return install(provider, Choice(*patterns, only))


def _names(option: str, given: Iterable[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"instrument('opentelemetry'): {option} is a sequence of names, not {given!r}")
    return names
