"""A server of Anthropic's shape: messages, counting of tokens."""

import json
from collections.abc import Iterator
from typing import Any

from .base import ModelServer, require, require_fields

FIELDS = """
    container context_management mcp_servers metadata output_config output_format service_tier speed stop_sequences
    stream system temperature thinking tool_choice tools top_k top_p
""".split()  # noqa: SIM905
WORDS = ["", "Hello", " from", " the", " model"]
ARGUMENTS = ["", '{"slot":', ' "Monday"}']
SEARCHES = {"web_search_requests": 1}
USAGE = {
    "input_tokens": 9,
    "cache_read_input_tokens": 8,
    "cache_creation_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
    "output_tokens": 7,
}


class AnthropicServer(ModelServer):
    """Answers `Hello from the model`; calls the first tool that it is given."""

    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.error_after: int | None = None
        self.iterations: list[dict[str, Any]] = []
        self.speed: str | None = None

    def answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        """The answer of one of its paths."""
        require(
            "test" in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")), "no API key"
        )
        require(headers.get("anthropic-version"), "no version")
        require(isinstance(body.get("messages"), list) and body["messages"], "no messages")
        require(all(message["role"] in ("user", "assistant") for message in body["messages"]), "a strange role")
        if path == "/v1/messages/count_tokens":
            return {"input_tokens": 9}
        require(path == "/v1/messages", f"there is no {path}")
        require_fields(body, FIELDS, ("model", "max_tokens", "messages"))
        return self._stream(body) if body.get("stream") else self._message(body)

    def error(self, status: int) -> dict[str, Any]:
        """Anthropic's error."""
        return {"type": "error", "error": {"type": "api_error", "message": f"failed on demand: {status}"}}

    def encode(self, piece: Any) -> bytes:
        """A server-sent event, with its name."""
        return f"event: {piece['type']}\ndata: {json.dumps(piece)}\n\n".encode()

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        content: dict[str, Any] = {"type": "text", "text": "".join(WORDS)}
        if body.get("tools"):
            content = {**_tool_use(body), "input": json.loads("".join(ARGUMENTS))}
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": f"{body['model']}-2026",
            "content": [content],
            "stop_reason": "tool_use" if body.get("tools") else "end_turn",
            "stop_sequence": None,
            "usage": {**USAGE, "speed": self.speed, "server_tool_use": SEARCHES, "iterations": self.iterations},
        }

    def _stream(self, body: dict[str, Any]) -> Iterator[Any]:
        message = self._message(body)
        begun = {
            **message,
            "content": [],
            "stop_reason": None,
            "usage": {**USAGE, "speed": self.speed, "output_tokens": 1},
        }
        block: dict[str, Any] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": word} for word in WORDS]
        if body.get("tools"):
            block = {**_tool_use(body), "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in ARGUMENTS]
        yield {"type": "message_start", "message": begun}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        yield {"type": "ping"}
        for number, delta in enumerate(deltas):
            if number == self.error_after:
                yield self.error(529)
                return
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
        ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        usage = {"output_tokens": 7, "server_tool_use": SEARCHES, "iterations": self.iterations}
        yield {"type": "message_delta", "delta": ended, "usage": usage}
        yield {"type": "message_stop"}


def _tool_use(body: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_1", "name": body["tools"][0]["name"]}
