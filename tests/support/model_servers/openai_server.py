"""A server of OpenAI's shape: chat completions, legacy completions, responses, embeddings; Azure's paths too."""

import json
from collections.abc import Iterator
from typing import Any

from .base import ModelServer, require, require_fields

CHAT_FIELDS = """
    audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata
    modalities n parallel_tool_calls prediction presence_penalty reasoning_effort response_format seed service_tier stop
    store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity
""".split()  # noqa: SIM905
RESPONSE_FIELDS = """
    background include instructions max_output_tokens metadata parallel_tool_calls previous_response_id prompt reasoning
    service_tier store stream temperature text tool_choice tools top_p truncation user
""".split()  # noqa: SIM905
ROLES = ("developer", "system", "user", "assistant", "tool", "function")
USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 7,
    "total_tokens": 27,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0},
}
RESPONSE_USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 27,
}
WORDS = ["", "Hello", " from", " the", " model"]
ARGUMENTS = ['{"slot":', ' "Monday"}']


class OpenAIServer(ModelServer):
    """Answers `Hello from the model`; calls the first tool that it is given."""

    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.says_done = True
        self.error_after: int | None = None
        self.text = "".join(WORDS)
        self.searches: list[dict[str, Any]] = []
        self.tool_usage: dict[str, Any] = {}

    @property
    def base_url(self) -> str:
        """What a client is pointed at."""
        return f"{self.url}/v1"

    def answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        """The answer of one of its paths."""
        require(headers.get("authorization") == "Bearer test" or headers.get("api-key") == "test", "no API key")
        require(isinstance(body.get("model"), str), "no model")
        for end, answer in (
            ("/chat/completions", self._chat),
            ("/completions", self._completion),
            ("/responses", self._response),
            ("/responses/compact", self._compaction),
            ("/embeddings", self._embeddings),
            ("/input_tokens", lambda body: {"object": "response.input_tokens", "input_tokens": 20}),
        ):
            if path.endswith(end):
                return answer(body)
        require(False, f"there is no {path}")
        return None

    def error(self, status: int) -> dict[str, Any]:
        """OpenAI's error."""
        return {
            "error": {"message": f"failed on demand: {status}", "type": "server_error", "code": None, "param": None}
        }

    def encode(self, piece: Any) -> bytes:
        """A server-sent event."""
        if isinstance(piece, str):
            return f"data: {piece}\n\n".encode()
        event = f"event: {piece['type']}\n" if "type" in piece else ""
        return f"{event}data: {json.dumps(piece)}\n\n".encode()

    def _chat(self, body: dict[str, Any]) -> Any:
        require_fields(body, CHAT_FIELDS, ("model", "messages"))
        messages = body["messages"]
        require(isinstance(messages, list) and messages, "no messages")
        require(all(message.get("role") in ROLES for message in messages), "a message without a role")
        require("stream_options" not in body or body.get("stream"), "stream_options without a stream")
        if body.get("stream"):
            return self._chat_stream(body)
        message = {"role": "assistant", "content": self._content(body), "refusal": None, "annotations": []}
        if body.get("tools"):
            message |= {"content": None, "tool_calls": [_tool_call(body["tools"])]}
        choices = [
            {"index": index, "message": message, "finish_reason": _reason(body), "logprobs": None}
            for index in range(body.get("n") or 1)
        ]
        return {**self._head(body, "chat.completion"), "choices": choices} | (
            {"usage": USAGE} if self.says_usage else {}
        )

    def _content(self, body: dict[str, Any]) -> str:
        return '{"city": "Graz"}' if "json_schema" in str(body.get("response_format")) else self.text

    def _chat_stream(self, body: dict[str, Any]) -> Iterator[Any]:
        head = self._head(body, "chat.completion.chunk")
        deltas: list[dict[str, Any]] = [{"content": word} for word in WORDS]
        if body.get("tools"):
            call = _tool_call(body["tools"])
            call["function"]["arguments"] = ""
            more = [{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in ARGUMENTS]
            deltas = [{"tool_calls": [{"index": 0, **call}]}, *more]
        deltas[0]["role"] = "assistant"
        for number, delta in enumerate(deltas):
            if number == self.error_after:
                yield self.error(500)
                return
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _reason(body)}]}
        if body.get("stream_options", {}).get("include_usage") and self.says_usage:
            yield {**head, "choices": [], "usage": USAGE}
        if self.says_done:
            yield "[DONE]"

    def _completion(self, body: dict[str, Any]) -> Any:
        require_fields(body, ["max_tokens", "n", "stop", "stream", "suffix", "temperature"], ("model", "prompt"))
        head = {**self._head(body, "text_completion"), "id": "cmpl-1"}
        if body.get("stream"):
            pieces = [{**head, "choices": [{"index": 0, "text": word, "finish_reason": None}]} for word in WORDS]
            return iter([*pieces, "[DONE]"])
        choice = {"index": 0, "text": self.text, "finish_reason": "stop", "logprobs": None}
        return {**head, "choices": [choice], "usage": USAGE}

    def _response(self, body: dict[str, Any]) -> Any:
        require_fields(body, RESPONSE_FIELDS, ("model", "input"))
        content = {"type": "output_text", "text": self.text, "annotations": []}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [content]}
        if "json_schema" in str(body.get("text")):
            content["text"] = '{"city": "Graz"}'
        begun = {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": f"{body['model']}-2026",
            "status": "in_progress",
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        response = {**begun, "status": "completed", "output": [*self.searches, message], "tool_usage": self.tool_usage}
        response |= {"usage": RESPONSE_USAGE} if self.says_usage else {}
        return self._response_stream(begun, message, response) if body.get("stream") else response

    def _compaction(self, body: dict[str, Any]) -> Any:
        item = {"id": "cmp_1", "type": "compaction", "encrypted_content": "..."}
        return {
            "id": "resp_2",
            "object": "response.compaction",
            "created_at": 1,
            "output": [item],
            "usage": RESPONSE_USAGE,
        }

    def _response_stream(self, begun: dict[str, Any], message: dict[str, Any], ended: dict[str, Any]) -> Iterator[Any]:
        where = {"output_index": 0, "content_index": 0, "item_id": message["id"]}
        part = {"type": "output_text", "text": "", "annotations": []}
        item = {**message, "status": "in_progress", "content": []}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": begun},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.content_part.added", **where, "part": part},
            *({"type": "response.output_text.delta", **where, "delta": word, "logprobs": []} for word in WORDS),
            {"type": "response.output_text.done", **where, "text": self.text, "logprobs": []},
            {"type": "response.output_item.done", "output_index": 0, "item": message},
            {"type": "response.completed", "response": ended},
        ]
        for number, event in enumerate(events):
            yield {**event, "sequence_number": number}

    def _embeddings(self, body: dict[str, Any]) -> Any:
        require_fields(body, ["dimensions", "encoding_format", "user"], ("model", "input"))
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        encoded = body.get("encoding_format") == "base64"
        vector: Any = "AACAPwAAAEAAAEBA" if encoded else [1.0, 2.0, 3.0]
        data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return {"object": "list", "data": data, "model": body["model"], "usage": usage}

    def _head(self, body: dict[str, Any], kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": f"{body['model']}-2026"}


def _tool_call(tools: list[dict[str, Any]]) -> dict[str, Any]:
    function = {"name": tools[0]["function"]["name"], "arguments": "".join(ARGUMENTS)}
    return {"id": "call_1", "type": "function", "function": function}


def _reason(body: dict[str, Any]) -> str:
    return "tool_calls" if body.get("tools") else "stop"
