"""Answers of OpenAI's Responses API."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reamon.integrations.clients.answers import AnswerReader, TextPieces, count, error_of, said, section, sections, text
from reamon.integrations.model_call import ModelAnswer
from reamon.integrations.openai.answers import usage_of

_ENDS: Final = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_TEXTS: Final = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning_text",
    "response.reasoning_summary_text.delta": "summary_text",
    "response.audio.transcript.delta": "transcript",
}
_ARGUMENTS: Final = (
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.mcp_call_arguments.delta",
)


def searches_of(items: Iterable[object]) -> dict[str, int]:
    """The searches of the web among an answer's items, if any. Pages that were opened then are not paid for.

    Example:
        >>> searches_of([{"type": "web_search_call", "action": {"type": "search"}}, {"type": "message"}])
        {'web_searches': 1}
    """
    calls = [item for item in items if isinstance(item, dict) and item.get("type") == "web_search_call"]
    searches = sum(text(section(call, "action"), "type") in (None, "search") for call in calls)
    return {"web_searches": searches} if searches else {}


class ResponseReader(AnswerReader):
    """An answer of `/responses`. Its output is the list of items (messages, tool calls, reasoning) as the API has them.

    A stream that ends early has the items that were complete, and what had come of the one after them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._response: Mapping[str, Any] = {}
        self._done: dict[int, Mapping[str, Any]] = {}
        self._begun: dict[int, dict[str, Any]] = {}

    def whole(self, document: Mapping[str, Any]) -> None:
        """The whole answer."""
        self._response = document
        if "object" not in document and "output" not in document:
            self.error = error_of(document)

    def piece(self, document: Mapping[str, Any]) -> bool:
        """An event of the stream."""
        kind = text(document, "type") or ""
        response = section(document, "response")
        if response:
            self._response = response
            if kind in _ENDS:
                self._ended(kind, response)
            return False
        if kind == "error" or "error" in document:
            self.error = text(document, "message") or error_of(document) or self.error
            return False
        return self._item(kind, document)

    def answer(self) -> ModelAnswer | None:
        """What has come so far."""
        response = self._response
        if not response and not self._done and not self._begun:
            return None
        usage = section(response, "usage")
        return ModelAnswer(
            output=[said(item) for item in sections(response, "output")] or self._pieces() or None,
            usage={**(usage_of(usage, text(response, "model")) if usage else {}), **self._searches()},
            model=text(response, "model"),
            response_id=text(response, "id"),
            finish_reasons=_reasons(response),
            attributes={"openai.response.service_tier": text(response, "service_tier")},
        )

    def _searches(self) -> dict[str, int]:
        """Searches of the web, which its usage does not have; those of older servers are counted."""
        searches = count(section(section(self._response, "tool_usage"), "web_search"), "num_requests")
        if searches is None:
            return searches_of(sections(self._response, "output") or self._done.values())
        return {"web_searches": searches} if searches else {}

    def _ended(self, kind: str, response: Mapping[str, Any]) -> None:
        self.is_complete = True
        if kind == "response.failed":
            self.error = error_of(response)

    def _item(self, kind: str, document: Mapping[str, Any]) -> bool:
        index = count(document, "output_index") or 0
        if kind == "response.output_item.done":
            self._done[index] = section(document, "item")
            self._begun.pop(index, None)
        elif kind == "response.output_item.added":
            item = section(document, "item")
            self._begun[index] = {"item": item, "texts": {}}
            return text(item, "type") not in ("message", "reasoning")
        elif kind in _TEXTS:
            return self._add(index, _TEXTS[kind], document.get("delta"))
        elif kind in _ARGUMENTS:
            return self._add(index, "arguments", document.get("delta"))
        return False

    def _add(self, index: int, name: str, delta: object) -> bool:
        begun = self._begun.setdefault(index, {"item": {}, "texts": {}})
        texts: dict[str, TextPieces] = begun["texts"]
        return texts.setdefault(name, TextPieces()).add(delta)

    def _pieces(self) -> list[dict[str, Any]]:
        items = {index: said(item) for index, item in self._done.items()}
        items |= {index: _unfinished(begun["item"], begun["texts"]) for index, begun in self._begun.items()}
        return [item for _, item in sorted(items.items())]


def _unfinished(item: Mapping[str, Any], texts: Mapping[str, TextPieces]) -> dict[str, Any]:
    """An item that had begun to come."""
    if "arguments" in texts:
        return {**said(item), "arguments": str(texts["arguments"])}
    if not texts:
        return said(item)
    parts = [{"type": name, "text": str(pieces)} for name, pieces in texts.items()]
    return {**said(item), "type": text(item, "type") or "message", "content": parts}


def _reasons(response: Mapping[str, Any]) -> list[str]:
    reason = text(section(response, "incomplete_details"), "reason") or text(response, "status")
    return [reason] if reason else []
