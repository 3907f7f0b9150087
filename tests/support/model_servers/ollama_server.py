"""A server of Ollama's shape: chat, generate, embed."""

import json
from collections.abc import Iterator
from typing import Any

from .base import ModelServer, require, require_fields

FIELDS = ("format", "keep_alive", "options", "stream", "think", "logprobs", "top_logprobs")
WORDS = ["", "Hello", " from", " the", " model"]
COUNTS = {"prompt_eval_count": 20, "eval_count": 7, "load_duration": 500_000_000}
TOOL_CALL = {"function": {"name": "book", "arguments": {"slot": "Monday"}}}


class OllamaServer(ModelServer):
    """Answers `Hello from the model`; calls a tool where it is given one."""

    stream_type = "application/x-ndjson"

    def __init__(self) -> None:
        super().__init__()
        self.error_after: int | None = None

    def answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        """The answer of one of its paths."""
        if path == "/other/api/chat":  # an application's own
            return {"reply": "hello"}
        require(isinstance(body.get("model"), str) and body["model"], "no model")
        if path == "/api/embed":
            require_fields(body, ["truncate", "options", "keep_alive", "dimensions"], ("model", "input"))
            texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
            return {"model": body["model"], "embeddings": [[1.0, 2.0, 3.0]] * len(texts), "prompt_eval_count": 5}
        if path == "/api/embeddings":
            require_fields(body, ["options", "keep_alive"], ("model", "prompt"))
            return {"embedding": [1.0, 2.0, 3.0]}
        require(path in ("/api/chat", "/api/generate"), f"there is no {path}")
        if path == "/api/chat":
            require_fields(body, [*FIELDS, "tools"], ("model", "messages"))
            require(all("role" in message for message in body["messages"]), "a message without a role")
        else:
            require_fields(
                body, [*FIELDS, "system", "template", "context", "raw", "images", "suffix"], ("model", "prompt")
            )
        pieces = self._pieces(path, body)
        return pieces if body.get("stream", True) else self._whole(path, body)

    def error(self, status: int) -> dict[str, Any]:
        """Ollama's error."""
        return {"error": f"failed on demand: {status}"}

    def encode(self, piece: Any) -> bytes:
        """A line."""
        return json.dumps(piece).encode() + b"\n"

    def _end(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        head = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z", "done": True, "done_reason": "stop"}
        return {**head, **(COUNTS if self.says_usage else {})}

    def _whole(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        told = "".join(WORDS)
        if path == "/api/generate":
            return {**self._end(path, body), "response": told}
        message: dict[str, Any] = {"role": "assistant", "content": told}
        if body.get("tools"):
            message = {"role": "assistant", "content": "", "tool_calls": [TOOL_CALL]}
        return {**self._end(path, body), "message": message}

    def _pieces(self, path: str, body: dict[str, Any]) -> Iterator[Any]:
        head = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z", "done": False}
        for number, word in enumerate(WORDS):
            if number == self.error_after:
                yield self.error(500)
                return
            if path == "/api/generate":
                yield {**head, "response": word}
            elif body.get("tools"):
                yield {**head, "message": {"role": "assistant", "content": "", "tool_calls": [TOOL_CALL]}}
                break
            else:
                yield {**head, "message": {"role": "assistant", "content": word}}
        last = {"response": ""} if path == "/api/generate" else {"message": {"role": "assistant", "content": ""}}
        yield {**self._end(path, body), **last}
