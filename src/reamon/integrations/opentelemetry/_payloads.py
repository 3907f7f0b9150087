"""Payloads: input and output of a span of OpenTelemetry's, put together from attributes and events."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from reamon.model import SpanKind, gen_ai

Attributes = Mapping[str, Any]

_LONGEST_JSON: Final = 256 * 1024  # what is longer is kept as text, of which the limit of payloads keeps the beginning
_ITEMS_AT_MOST: Final = 4096
_WRAPPERS: Final = ("message", "tool_call", "message_content", "document", "tool", "embedding")
"""OpenInference puts each item of a list under a name of its kind."""

_CONSUMED: Final = re.compile(
    r"(?:input|output)\.(?:value|mime_type)$|llm\.(?:input|output)_messages\.|llm\.(?:tools|prompts|token_count)\."
    r"|llm\.prompt_template|gen_ai\.(?:prompt|completion)(?:\.\d|$)|gen_ai\.(?:input|output)\.messages$"
    r"|gen_ai\.system_instructions$|gen_ai\.tool\.(?:definitions|call\.arguments|call\.result)$"
    r"|traceloop\.entity\.(?:input|output)$|embedding\.embeddings\.|retrieval\.documents\.|reranker\..*documents\."
    r"|llm\.request\.functions\.|llm\.(?:system|provider|model_name|finish_reason)$|embedding\.model_name$"
)
_MESSAGE_EVENTS: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE: Final = "gen_ai.choice"
_CONTENT: Final = {"gen_ai.content.prompt": gen_ai.PROMPT, "gen_ai.content.completion": gen_ai.COMPLETION}


def without_payloads(attributes: Attributes) -> dict[str, Any]:
    """The attributes that are not told elsewhere: as input, as output, as usage or by OpenTelemetry's names."""
    match = _CONSUMED.match
    return {name: value for name, value in attributes.items() if not match(name)}


def is_message(event_name: str) -> bool:
    """Whether an event is a part of input or output."""
    return event_name in _MESSAGE_EVENTS or event_name == _CHOICE or event_name in _CONTENT


_IN: Final = (gen_ai.TOOL_ARGUMENTS, "traceloop.entity.input", "input.value", "tool.parameters")
_OUT: Final = (gen_ai.TOOL_RESULT, "traceloop.entity.output", "output.value")


def input_of(kind: SpanKind, attributes: Attributes, events: Sequence[Any]) -> Any:
    """What went in; None where the span does not say."""
    if kind is SpanKind.LLM:
        asked = _messages(attributes, events)
        if asked is not None:
            tools = _first_json(attributes, "gen_ai.tool.definitions") or _listed(attributes, "llm.tools")
            system = _first_json(attributes, "gen_ai.system_instructions")
            more = {"system_instructions": system, "tools": tools}
            return {"messages": asked, **{name: value for name, value in more.items() if value}}
    return _first_json(attributes, *_IN)


def output_of(kind: SpanKind, attributes: Attributes, events: Sequence[Any]) -> Any:
    """What came out; None where the span does not say."""
    if kind is SpanKind.LLM:
        answered = _first_json(attributes, "gen_ai.output.messages")
        if answered is None:
            answered = _listed(attributes, "llm.output_messages") or _listed(attributes, gen_ai.COMPLETION)
        if not answered:
            answered = [_plain(event.attributes) for event in events if event.name == _CHOICE] or None
        if not answered:
            answered = _of_content_event(events, "gen_ai.content.completion")
        if answered is not None:
            return answered[0] if isinstance(answered, list) and len(answered) == 1 else answered
        if gen_ai.OPERATION in attributes and attributes[gen_ai.OPERATION] == "embeddings":
            return None
    if not attributes:
        return None
    if "embedding.embeddings.0.embedding.vector" in attributes:
        return _vectors(attributes)
    said = _first_json(attributes, *_OUT)
    return said if said is not None else _listed(attributes, "retrieval.documents") or None


def _messages(attributes: Attributes, events: Sequence[Any]) -> Any:
    asked = _first_json(attributes, "gen_ai.input.messages")
    if asked is not None:
        return asked
    listed = _listed(attributes, "llm.input_messages") or _listed(attributes, gen_ai.PROMPT)
    if listed:
        return listed
    found = [
        {"role": _MESSAGE_EVENTS[event.name], **_plain(event.attributes)}
        for event in events
        if event.name in _MESSAGE_EVENTS
    ]
    return found or _of_content_event(events, "gen_ai.content.prompt")


def _of_content_event(events: Sequence[Any], name: str) -> Any:
    for event in events:
        if event.name == name:
            return _first_json(event.attributes or {}, _CONTENT[name])
    return None


def _plain(attributes: Attributes | None) -> dict[str, Any]:
    return {name: _decoded(value) for name, value in (attributes or {}).items() if not name.startswith("gen_ai.")}


def _vectors(attributes: Attributes) -> dict[str, int]:
    """How many vectors there are, and of which size; the numbers say nothing to anybody."""
    counted = [name for name in attributes if name.endswith(".embedding.vector")]
    return {"vectors": len(counted), "dimensions": len(attributes[counted[0]] or ())}


def _first_json(attributes: Attributes, *names: str) -> Any:
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return _decoded(value)
    return None


def _decoded(value: Any) -> Any:
    """JSON text as what it says; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "[") and len(value) <= _LONGEST_JSON:
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return value
    return value


def _listed(attributes: Attributes, prefix: str) -> list[Any]:
    """The list that is spread over attributes: `llm.input_messages.0.message.role`, and so on."""
    start = f"{prefix}."
    spread: dict[str, Any] = {}
    taken = 0
    for name, value in attributes.items():
        if name.startswith(start):
            taken += 1
            if taken > _ITEMS_AT_MOST:
                break
            _put(spread, name[len(start) :].split("."), value)
    found = _gathered(spread)
    return found if isinstance(found, list) else []


def _put(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    tree[path[-1]] = value


def _gathered(tree: Any) -> Any:
    """Dicts whose keys are numbers as lists, and items without the wrapping that says of which kind they are."""
    if not isinstance(tree, dict):
        return _decoded(tree)
    if tree and all(key.isascii() and key.isdigit() for key in tree):
        return [_unwrapped(_gathered(tree[key])) for key in sorted(tree, key=int)]
    return {key: _gathered(value) for key, value in tree.items()}


def _unwrapped(item: Any) -> Any:
    if isinstance(item, dict) and len(item) == 1:
        (key,) = item
        if key in _WRAPPERS:
            return item[key]
    return item
