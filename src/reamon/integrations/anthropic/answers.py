"""Answers of Anthropic's API."""

from collections.abc import Mapping
from typing import Any

import msgspec

from reamon.integrations.clients.answers import AnswerReader, TextPieces, count, error_of, said, section, sections, text
from reamon.integrations.model_call import ModelAnswer
from reamon.integrations.model_usage import summed


def usage_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """Anthropic's usage by our names.

    It counts cached input apart; ours is all of the input. It leaves out compactions, billed at the same prices.
    """
    return summed(_counts(usage), compaction_of(usage))


def compaction_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """What the server took to compact the context, all in all; the usage itself leaves that out."""
    return summed(*(_counts(compaction) for compaction in _iterations(usage, "compaction")))


def advice_of(usage: Mapping[str, Any]) -> list[tuple[str, dict[str, int]]]:
    """The models that gave advice (the tool `advisor`), each with what it used; the usage itself leaves that out."""
    return [
        (model, _counts(advice))
        for advice in _iterations(usage, "advisor_message")
        if (model := text(advice, "model")) is not None
    ]


def _iterations(usage: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [iteration for iteration in sections(usage, "iterations") if text(iteration, "type") == kind]


def _counts(usage: Mapping[str, Any]) -> dict[str, int]:
    read, written = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
    uncached = count(usage, "input_tokens")
    counts = {
        "input_tokens": None if uncached is None else uncached + (read or 0) + (written or 0),
        "output_tokens": count(usage, "output_tokens"),
        "cached_input_tokens": read,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": count(section(usage, "cache_creation"), "ephemeral_1h_input_tokens"),
        "reasoning_tokens": count(section(usage, "output_tokens_details"), "thinking_tokens"),
        "web_searches": count(section(usage, "server_tool_use"), "web_search_requests"),
    }
    return {name: amount for name, amount in counts.items() if amount is not None}


class _Block:
    """One block of a message, while it comes."""

    _DELTAS = ("text", "thinking", "partial_json")

    def __init__(self, start: Mapping[str, Any]) -> None:
        self._start = start
        self._pieces = {name: TextPieces() for name in self._DELTAS}
        for name in ("text", "thinking"):
            self._pieces[name].add(start.get(name))

    @property
    def is_token(self) -> bool:
        """Whether its beginning says something already: that a tool is called, for example."""
        return text(self._start, "type") not in ("text", "thinking")

    def add(self, delta: Mapping[str, Any]) -> bool:
        """Take in a delta; whether it holds a token."""
        took = [pieces.add(delta.get(name)) for name, pieces in self._pieces.items()]
        return any(took)

    def content(self) -> dict[str, Any]:
        """The block so far."""
        block = {name: value for name, value in said(self._start).items() if name != "signature"}
        block |= {name: str(self._pieces[name]) for name in ("text", "thinking") if self._pieces[name]}
        if self._pieces["partial_json"]:
            block["input"] = _input(str(self._pieces["partial_json"]))
        return block


class MessageReader(AnswerReader):
    """An answer of `/v1/messages`."""

    def __init__(self) -> None:
        super().__init__()
        self._message: Mapping[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._usage: dict[str, Any] = {}
        self._stop_reason: str | None = None

    def whole(self, document: Mapping[str, Any]) -> None:
        """The whole answer."""
        self.error = error_of(document)
        if self.error is None:
            self._message = document
            self._usage = dict(section(document, "usage"))
            self._stop_reason = text(document, "stop_reason")

    def piece(self, document: Mapping[str, Any]) -> bool:
        """An event of the stream."""
        kind = text(document, "type")
        if kind == "message_start":
            self._message = section(document, "message")
            self._usage = dict(section(self._message, "usage"))
            self._usage.pop("output_tokens", None)  # what it says here is only the beginning
        elif kind == "content_block_start":
            block = self._blocks[count(document, "index") or 0] = _Block(section(document, "content_block"))
            return block.is_token
        elif kind == "content_block_delta":
            block = self._blocks.setdefault(count(document, "index") or 0, _Block({"type": "text"}))
            return block.add(section(document, "delta"))
        elif kind == "message_delta":
            self._usage |= said(section(document, "usage"))
            self._stop_reason = text(section(document, "delta"), "stop_reason") or self._stop_reason
        elif kind == "message_stop":
            self.is_complete = True
        elif kind == "error":
            self.error = error_of(document)
        return False

    def answer(self) -> ModelAnswer | None:
        """What has come so far."""
        message = self._message
        if not message and not self._blocks:
            return None
        content: list[Any] = [block.content() for _, block in sorted(self._blocks.items())]
        content = content or [said(block) for block in sections(message, "content")]
        return ModelAnswer(
            output={"role": text(message, "role") or "assistant", "content": content},
            usage=usage_of(self._usage),
            model=text(message, "model"),
            response_id=text(message, "id"),
            finish_reasons=[self._stop_reason] if self._stop_reason else [],
            attributes={
                "anthropic.response.service_tier": text(self._usage, "service_tier"),
                "anthropic.response.speed": text(self._usage, "speed"),
            },
            consulted=advice_of(self._usage),
        )


class CompletionReader(AnswerReader):
    """An answer of the legacy `/v1/complete`, which says no usage."""

    def __init__(self) -> None:
        super().__init__()
        self._head: Mapping[str, Any] = {}
        self._text = TextPieces()

    def whole(self, document: Mapping[str, Any]) -> None:
        """The whole answer."""
        self.piece(document)

    def piece(self, document: Mapping[str, Any]) -> bool:
        """An event of the stream, which looks like a whole answer."""
        self.error = error_of(document) or self.error
        if text(document, "type") == "completion":
            self._head = document
        return self._text.add(document.get("completion"))

    def answer(self) -> ModelAnswer | None:
        """What has come so far."""
        if not self._head:
            return None
        reason = text(self._head, "stop_reason")
        return ModelAnswer(
            output=str(self._text),
            model=text(self._head, "model"),
            response_id=text(self._head, "id"),
            finish_reasons=[reason] if reason else [],
        )


def _input(raw: str) -> Any:
    """The arguments of a tool: decoded if they are complete, else what there is of them."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw
