"""Messages: what langchain-core says about model calls, in the words of `ModelRequest` and `ModelAnswer`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reamon.integrations.anthropic.answers import advice_of, compaction_of
from reamon.integrations.anthropic.answers import usage_of as anthropic_usage_of
from reamon.integrations.clients.answers import count, section
from reamon.integrations.model_call import ModelAnswer, ModelRequest
from reamon.integrations.model_usage import CITATIONS, amount_of, summed, whole_usage
from reamon.integrations.openai.answers import usage_of as openai_usage_of
from reamon.integrations.openai.responses import searches_of

_PARAMETERS: Final = {
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "num_predict": "max_tokens",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "stop": "stop_sequences",
    "stop_sequences": "stop_sequences",
}
"""OpenTelemetry's names (`gen_ai.request.X`) of what chat models call their parameters."""

_HOUR_WRITES: Final = "ephemeral_1h_input_tokens"
_CACHED_APART: Final = frozenset({"cache_read_input_tokens", "cache_creation_input_tokens"})
_TIERS: Final = ("flex", "priority")
"""Service tiers of OpenAI's. Where one served a request, langchain-openai has it in the names: `flex_cache_read`."""


def request_of(
    name: str, operation: str, given: Any, parameters: Mapping[str, Any], metadata: Mapping[str, Any]
) -> ModelRequest:
    """What a chat model, or a completion model, is asked.

    Args:
        name: The run's name.
        operation: "chat" or "text_completion".
        given: The messages, or the prompt.
        parameters: Its `invocation_params`.
        metadata: The run's metadata; `ls_provider` and `ls_model_name` say which model it is.
    """
    known = {"temperature": metadata.get("ls_temperature"), "max_tokens": metadata.get("ls_max_tokens")}
    known |= {ours: parameters[theirs] for theirs, ours in _PARAMETERS.items() if parameters.get(theirs) is not None}
    tools = parameters.get("tools") or parameters.get("functions")
    return ModelRequest(
        name=name,
        operation=operation,
        provider=metadata.get("ls_provider"),
        model=metadata.get("ls_model_name") or parameters.get("model") or parameters.get("model_name"),
        input={"messages": given, "tools": tools} if tools else {"messages": given},
        parameters={name: value for name, value in known.items() if value is not None},
    )


def answer_of(result: Any) -> ModelAnswer:
    """What a model answered, from langchain-core's `LLMResult`."""
    generations = [generation for prompt in result.generations for generation in prompt]
    messages = [message for generation in generations if (message := getattr(generation, "message", None)) is not None]
    said = [_response_metadata(generation) for generation in generations]
    first = said[0] if said else {}
    usage = getattr(messages[0], "usage_metadata", None) if messages else None
    model = first.get("model_name") or first.get("model")
    output: Any = messages or [getattr(generation, "text", None) for generation in generations]
    return ModelAnswer(
        output=output[0] if len(output) == 1 else output,
        usage=summed(
            _usage(usage, first, model) or _token_usage(result.llm_output, model) or _ollama_usage(first),
            _unsummed(first, messages),
        ),
        model=model,
        response_id=first.get("id") or (getattr(messages[0], "id", None) if messages else None),
        finish_reasons=[str(reason) for one in said if (reason := _finish_reason(one)) is not None],
        is_cached=usage is not None and usage.get("total_cost") == 0,  # how langchain-core marks what its cache gave
        attributes=_how_served(first, usage),
        consulted=advice_of(section(first, "usage")),
    )


def compact(message: Any) -> dict[str, Any]:
    """What is captured of a message: who says what, and which tools are called; the rest is on the span already."""
    said = {
        "role": message.type,
        "content": message.content,
        "name": message.name,
        "tool_calls": getattr(message, "tool_calls", None) or None,
        "tool_call_id": getattr(message, "tool_call_id", None),
    }
    return {name: value for name, value in said.items() if value is not None}


def _response_metadata(generation: Any) -> dict[str, Any]:
    message = getattr(generation, "message", None)
    return {**(generation.generation_info or {}), **(getattr(message, "response_metadata", None) or {})}


def _finish_reason(said: Mapping[str, Any]) -> Any:
    return next((said[key] for key in ("finish_reason", "stop_reason", "done_reason") if said.get(key)), None)


def _usage(usage: Mapping[str, Any] | None, said: Mapping[str, Any], model: Any) -> dict[str, int]:
    """`usage_metadata`, which is the same for every provider; what it does not say stays unknown.

    Parts that are passed over (by older integrations, DeepSeek's cache) are in the provider's own usage, if it is kept.
    """
    if not usage:
        return {}
    given, taken = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    counts = {
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "cached_input_tokens": _in_any_tier(given, "cache_read"),
        "cache_write_tokens": _cache_writes(given),
        "cache_write_1h_tokens": given.get(_HOUR_WRITES),
        "input_audio_tokens": given.get("audio"),
        "reasoning_tokens": _in_any_tier(taken, "reasoning"),
        "output_audio_tokens": taken.get("audio"),
        CITATIONS: taken.get(CITATIONS),
    }
    own = openai_usage_of(section(said, "token_usage"), model)
    return {**own, **whole_usage(counts, usage.get("total_tokens"), model)}


def _in_any_tier(details: Mapping[str, Any], name: str) -> Any:
    return next((details[key] for key in (name, *(f"{tier}_{name}" for tier in _TIERS)) if key in details), None)


def _cache_writes(given: Mapping[str, Any]) -> Any:
    """All that was written to a cache: langchain-anthropic, where it knows for how long, says 0 to the whole."""
    by_lifetime = (amount_of(given.get("ephemeral_5m_input_tokens")) or 0) + (amount_of(given.get(_HOUR_WRITES)) or 0)
    return by_lifetime or _in_any_tier(given, "cache_creation")


def _token_usage(output: Mapping[str, Any] | None, model: Any) -> dict[str, int]:
    """What models say that know no `usage_metadata`."""
    counts = section(output or {}, "token_usage") or section(output or {}, "usage")
    return anthropic_usage_of(counts) if _CACHED_APART & counts.keys() else openai_usage_of(counts, model)


def _ollama_usage(said: Mapping[str, Any]) -> dict[str, int]:
    """Ollama's own counts: langchain-ollama sums up nothing where one is missing, as for a prompt that was cached."""
    return whole_usage({"input_tokens": said.get("prompt_eval_count"), "output_tokens": said.get("eval_count")})


def _unsummed(said: Mapping[str, Any], messages: Sequence[Any]) -> dict[str, int]:
    """What is not in `usage_metadata`, but in what is passed on as it came: searches of the web, compactions."""
    raw = section(said, "usage")
    searches = count(section(raw, "server_tool_use"), "web_search_requests") or count(said, "num_search_queries")
    return {**compaction_of(raw), **({"web_searches": searches} if searches else searches_of(_items(messages)))}


def _items(messages: Sequence[Any]) -> Iterator[Any]:
    """The items of an answer of OpenAI's Responses API: in the content, or beside it."""
    for message in messages[:1]:
        for items in (message.content, message.additional_kwargs.get("tool_outputs")):
            if isinstance(items, list):
                yield from items


def _how_served(said: Mapping[str, Any], usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """The service tier and the speed, which decide the price."""
    raw, given = section(said, "usage"), (usage or {}).get("input_token_details") or {}
    tier = said.get("service_tier") or raw.get("service_tier") or next((tier for tier in _TIERS if tier in given), None)
    return {"gen_ai.response.service_tier": tier, "anthropic.response.speed": raw.get("speed")}


def has_content(token: Any, chunk: Any) -> bool:
    """Whether something of the answer has come: some text, or a part of a tool call. The first token may be empty."""
    if token:
        return True
    message = getattr(chunk, "message", None)
    parts: Sequence[Any] = getattr(message, "tool_call_chunks", None) or ()
    return bool(parts) or bool(getattr(message, "content", None))
