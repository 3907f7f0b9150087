"""Answers of Ollama's API: whole, or a line of JSON for each piece."""

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
from reamon.model.times import NANOS_PER_SECOND

_TEXTS: Final = ("content", "thinking", "response")


class OllamaReader(AnswerReader):
    """An answer of `/api/chat`, `/api/generate` or `/api/embed`."""

    def __init__(self) -> None:
        super().__init__()
        self._last: Mapping[str, Any] = {}
        self._role: str | None = None
        self._texts = {name: TextPieces() for name in _TEXTS}
        self._tool_calls: list[Mapping[str, Any]] = []
        self._vectors: dict[str, int] | None = None

    def whole(self, document: Mapping[str, Any]) -> None:
        """The whole answer."""
        self.piece(document)
        embedding = document.get("embedding")  # the older API's, of one text
        self._vectors = vectors([embedding] if isinstance(embedding, list) else document.get("embeddings"))

    def piece(self, document: Mapping[str, Any]) -> bool:
        """A line of the stream, which looks like a whole answer."""
        self.error = error_of(document) or self.error
        if "error" in document:
            return False
        self._last = document
        self.is_complete = document.get("done") is True
        message = section(document, "message")
        self._role = text(message, "role") or self._role
        calls = sections(message, "tool_calls")
        self._tool_calls += calls
        told = {**message, "response": document.get("response"), "thinking": _either(message, document, "thinking")}
        took = [pieces.add(told.get(name)) for name, pieces in self._texts.items()]
        return any(took) or bool(calls)

    def answer(self) -> ModelAnswer | None:
        """What has come so far."""
        last = self._last
        if not last:
            return None
        reason = text(last, "done_reason")
        return ModelAnswer(
            output=self._output(),
            usage={"input_tokens": count(last, "prompt_eval_count"), "output_tokens": count(last, "eval_count")},
            model=text(last, "model"),
            finish_reasons=[reason] if reason else [],
            attributes={
                "ollama.load_seconds": _seconds(last, "load_duration"),
                "ollama.prompt_eval_seconds": _seconds(last, "prompt_eval_duration"),
                "ollama.eval_seconds": _seconds(last, "eval_duration"),
            },
        )

    def _output(self) -> Any:
        if self._vectors is not None:
            return self._vectors
        if self._role is None:
            output = {name: str(self._texts[name]) for name in ("response", "thinking") if self._texts[name]}
            return output if self._texts["thinking"] else output.get("response")
        message = {name: str(self._texts[name]) or None for name in ("content", "thinking")}
        return said({"role": self._role, **message, "tool_calls": self._tool_calls})


def _either(message: Mapping[str, Any], document: Mapping[str, Any], name: str) -> Any:
    return message.get(name) or document.get(name)


def _seconds(document: Mapping[str, Any], name: str) -> float | None:
    nanos = count(document, name)
    return None if nanos is None else nanos / NANOS_PER_SECOND
