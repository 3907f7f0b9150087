"""Usage: what a model call consumed, by the names of every convention."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from reamon.integrations.model_call import ModelAnswer, ModelRequest
from reamon.integrations.model_usage import amount_of, whole_usage
from reamon.model import gen_ai

Attributes = Mapping[str, Any]

_USAGE: Final = {
    "input_tokens": (
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
    ),
    "cached_input_tokens": (
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cached_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "cache_write_1h_tokens": ("gen_ai.usage.details.ephemeral_1h_input_tokens",),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.details.thoughts_tokens",
        "gen_ai.usage.details.thinking_tokens",
        "gen_ai.usage.details.output_reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "cached_audio_tokens": ("gen_ai.usage.details.cache_audio_read_tokens",),
    "input_audio_tokens": ("llm.token_count.prompt_details.audio", "gen_ai.usage.details.input_audio_tokens"),
    "output_audio_tokens": ("llm.token_count.completion_details.audio", "gen_ai.usage.details.output_audio_tokens"),
    "web_searches": ("gen_ai.usage.details.web_search_requests",),
}
"""What the amounts are called besides the name that is in use now."""

_TOTALS: Final = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")

_COUNT_APART: Final = frozenset({"opentelemetry.instrumentation.bedrock"})
"""Whose input, and whose total, leave out what is cached."""

_MODELS: Final = (gen_ai.RESPONSE_MODEL, "llm.model_name", "embedding.model_name", "llm.response.model")
_PARAMETERS: Final = ("temperature", "max_tokens", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed")
_EMBEDDINGS: Final = "embeddings"


def request_of(attributes: Attributes) -> ModelRequest:
    """What was asked, of whom."""
    settings = _settings(attributes)
    operation = _text(attributes, gen_ai.OPERATION, "llm.request.type")
    if operation is None:
        is_embedding = attributes.get("openinference.span.kind") == "EMBEDDING"
        operation = _EMBEDDINGS if is_embedding else gen_ai.CHAT
    model = _text(attributes, gen_ai.REQUEST_MODEL, "llm.request.model")
    if model is None and isinstance(settings.get("model"), str):
        model = settings["model"]
    provider = _text(attributes, gen_ai.PROVIDER, "gen_ai.system", "llm.provider", "llm.system")
    return ModelRequest(
        operation=operation,
        provider=None if provider is None else provider.lower(),
        model=model,
        parameters={name: settings[name] for name in _PARAMETERS if isinstance(settings.get(name), int | float)},
    )


def answer_of(attributes: Attributes, scope: str | None = None) -> ModelAnswer:
    """What was answered, and what that took; the payload is read elsewhere.

    Args:
        attributes: The span's.
        scope: Which instrumentation wrote them.
    """
    reasons = attributes.get("gen_ai.response.finish_reasons") or attributes.get("llm.finish_reason") or ()
    return ModelAnswer(
        usage=usage_of(attributes, scope),
        model=_text(attributes, *_MODELS),
        response_id=_text(attributes, gen_ai.RESPONSE_ID),
        finish_reasons=(reasons,) if isinstance(reasons, str) else tuple(str(reason) for reason in reasons),
    )


def usage_of(attributes: Attributes, scope: str | None = None) -> dict[str, int]:
    """What was consumed, by the names of `reamon.Usage`; what nobody says is left out.

    Example:
        >>> usage_of({"llm.token_count.prompt": 100, "llm.token_count.completion": 7})
        {'input_tokens': 100, 'output_tokens': 7}
    """
    usage: dict[str, int] = {}
    for field, others in _USAGE.items():
        amount = _first_amount(attributes, (gen_ai.USAGE.get(field, ""), *others))
        if amount is not None:
            usage[field] = amount
    if scope in _COUNT_APART and "input_tokens" in usage:
        usage["input_tokens"] += usage.get("cached_input_tokens", 0) + usage.get("cache_write_tokens", 0)
        return whole_usage(usage)
    model = _text(attributes, *_MODELS, gen_ai.REQUEST_MODEL)
    return whole_usage(usage, _first_amount(attributes, _TOTALS), model)


def _first_amount(attributes: Attributes, names: Iterable[str]) -> int | None:
    return next((amount for name in names if (amount := amount_of(attributes.get(name))) is not None), None)


def _settings(attributes: Attributes) -> dict[str, Any]:
    """The request's settings, where they are one JSON text."""
    text = attributes.get("llm.invocation_parameters") or attributes.get("embedding.invocation_parameters")
    if not isinstance(text, str):
        return {}
    try:
        settings = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _text(attributes: Attributes, *names: str) -> str | None:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
    return None
