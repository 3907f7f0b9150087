"""Answers of OpenAI's API: chat completions, legacy completions and embeddings."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.integrations.clients.answers import (
    AnswerReader,
    TextPieces,
    count,
    error_of,
    said,
    section,
    sections,
    text,
    vectors,
)
from reamon.integrations.model_call import ModelAnswer
from reamon.integrations.model_usage import CITATIONS, whole_usage


def usage_of(usage: Mapping[str, Any], model: object = None) -> dict[str, int]:
    """OpenAI's usage by our names, and that of those who answer in its shape.

    OpenAI's totals include the cached and the reasoning tokens, as ours do; not all others' do.
    """
    asked = section(usage, "prompt_tokens_details") or section(usage, "input_tokens_details")
    told = section(usage, "completion_tokens_details") or section(usage, "output_tokens_details")
    counts = {
        "input_tokens": _either(count(usage, "prompt_tokens"), count(usage, "input_tokens")),
        "output_tokens": _either(count(usage, "completion_tokens"), count(usage, "output_tokens")),
        "cached_input_tokens": _either(count(asked, "cached_tokens"), count(usage, "prompt_cache_hit_tokens")),
        "cache_write_tokens": count(asked, "cache_write_tokens"),
        "reasoning_tokens": _either(count(told, "reasoning_tokens"), count(usage, "reasoning_tokens")),
        "input_audio_tokens": count(asked, "audio_tokens"),
        "output_audio_tokens": count(told, "audio_tokens"),
        "web_searches": count(usage, "num_search_queries"),  # Perplexity's, through the same client
        CITATIONS: count(usage, CITATIONS),
    }
    return whole_usage(counts, usage.get("total_tokens"), model)


def _either(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


_HEAD: Final = ("id", "model", "service_tier", "system_fingerprint")
_TEXTS: Final = ("content", "refusal", "reasoning_content", "reasoning")


class _Reader(AnswerReader):
    """What all these answers have in common."""

    def __init__(self) -> None:
        super().__init__()
        self._head: dict[str, Any] = {}
        self._usage: Mapping[str, Any] = {}

    def _common(self, document: Mapping[str, Any]) -> None:
        if text(document, "id") != self._head.get("id") or not self._head:  # each chunk says the same
            self._head |= {name: value for name in _HEAD if (value := text(document, name))}
        self._usage = section(document, "usage") or self._usage
        self.error = error_of(document) or self.error

    def _made(self, output: Any, finish_reasons: list[str]) -> ModelAnswer | None:
        if not self._head and not self._usage and output is None:
            return None
        return ModelAnswer(
            output=output,
            usage=usage_of(self._usage, self._head.get("model")) if self._usage else {},
            model=self._head.get("model"),
            response_id=self._head.get("id"),
            finish_reasons=finish_reasons,
            attributes={
                "openai.response.service_tier": self._head.get("service_tier"),
                "openai.response.system_fingerprint": self._head.get("system_fingerprint"),
            },
        )


class _Choice:
    """One choice of a chat, while it comes."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._role = "assistant"
        self._texts: dict[str, TextPieces] = {}
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, delta: Mapping[str, Any]) -> bool:
        """Take in a delta; whether it holds a token."""
        self._role = text(delta, "role") or self._role
        holds_token = False
        for name in _TEXTS:
            if delta.get(name):
                holds_token |= self._text(name).add(delta[name])
        audio = text(section(delta, "audio"), "transcript")
        if audio:
            holds_token |= self._text("transcript").add(audio)
        calls = sections(delta, "tool_calls")
        if section(delta, "function_call"):
            calls = [{"index": 0, "function": delta["function_call"]}]
        for call in calls:
            self._add_call(call)
        return holds_token or bool(calls)

    def message(self) -> dict[str, Any]:
        """The message so far."""
        message: dict[str, Any] = {"role": self._role}
        message |= {name: str(pieces) for name, pieces in self._texts.items()}
        if self._calls:
            message["tool_calls"] = [_call(call) for _, call in sorted(self._calls.items())]
        return message

    def _text(self, name: str) -> TextPieces:
        pieces = self._texts.get(name)
        if pieces is None:
            pieces = self._texts[name] = TextPieces()
        return pieces

    def _add_call(self, delta: Mapping[str, Any]) -> None:
        call = self._calls.setdefault(
            count(delta, "index") or 0, {"id": None, "type": None, "name": None, "arguments": TextPieces()}
        )
        function = section(delta, "function") or section(delta, "custom")
        call["id"] = text(delta, "id") or call["id"]
        call["type"] = text(delta, "type") or call["type"]
        call["name"] = text(function, "name") or call["name"]
        call["arguments"].add(function.get("arguments") or function.get("input"))


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": str(call["arguments"])}
    return said({"id": call["id"], "type": call["type"], "function": function})


class ChatReader(_Reader):
    """An answer of `/chat/completions`."""

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[int, _Choice] = {}
        self._messages: list[dict[str, Any]] = []
        self._reasons: list[str] = []

    def whole(self, document: Mapping[str, Any]) -> None:
        """The whole answer."""
        self._common(document)
        choices = sections(document, "choices")
        self._messages = [said(section(choice, "message")) for choice in choices]
        self._reasons = [reason for choice in choices if (reason := text(choice, "finish_reason"))]

    def piece(self, document: Mapping[str, Any]) -> bool:
        """A chunk."""
        self._common(document)
        holds_token = False
        for choice in sections(document, "choices"):
            index = count(choice, "index") or 0
            told = self._choices.get(index)
            if told is None:
                told = self._choices[index] = _Choice()
            told.finish_reason = text(choice, "finish_reason") or told.finish_reason
            holds_token |= told.add(section(choice, "delta"))
        return holds_token

    def answer(self) -> ModelAnswer | None:
        """What has come so far."""
        messages, reasons = self._messages, self._reasons
        if self._choices:
            choices = [choice for _, choice in sorted(self._choices.items())]
            messages = [choice.message() for choice in choices]
            reasons = [choice.finish_reason for choice in choices if choice.finish_reason]
        return self._made(_one(messages), reasons)


class CompletionReader(_Reader):
    """An answer of `/completions`."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[int, TextPieces] = {}
        self._reasons: dict[int, str] = {}

    def whole(self, document: Mapping[str, Any]) -> None:
        """The whole answer."""
        self.piece(document)

    def piece(self, document: Mapping[str, Any]) -> bool:
        """A chunk, which looks like a whole answer."""
        self._common(document)
        holds_token = False
        for choice in sections(document, "choices"):
            index = count(choice, "index") or 0
            holds_token |= self._texts.setdefault(index, TextPieces()).add(choice.get("text"))
            reason = text(choice, "finish_reason")
            if reason:
                self._reasons[index] = reason
        return holds_token

    def answer(self) -> ModelAnswer | None:
        """What has come so far."""
        texts = [str(pieces) for _, pieces in sorted(self._texts.items())]
        return self._made(_one(texts), [reason for _, reason in sorted(self._reasons.items())])


class EmbeddingReader(_Reader):
    """An answer of `/embeddings`: how many vectors there are, of what size; not the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._vectors: dict[str, int] | None = None

    def whole(self, document: Mapping[str, Any]) -> None:
        """The whole answer."""
        self._common(document)
        self._vectors = vectors([item.get("embedding") for item in sections(document, "data")])

    def piece(self, document: Mapping[str, Any]) -> bool:
        """It does not come in pieces."""
        return False

    def answer(self) -> ModelAnswer | None:
        """What has come."""
        return self._made(self._vectors, [])


def _one(items: list[Any]) -> Any:
    """The only one, as it is; several as a list; None where there is none."""
    return items[0] if len(items) == 1 else items or None
