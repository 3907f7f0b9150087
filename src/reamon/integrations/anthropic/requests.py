"""Requests to Anthropic's API: what a model is asked, read off the JSON that is sent."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.integrations.anthropic.answers import CompletionReader, MessageReader
from reamon.integrations.clients.answers import AnswerReader
from reamon.integrations.clients.providers import provider_of
from reamon.integrations.model_call import ModelRequest

_OPERATIONS: Final[Mapping[str, tuple[str, type[AnswerReader], tuple[str, ...]]]] = {
    "/v1/messages": ("chat", MessageReader, ("system", "messages", "tools", "mcp_servers")),
    "/v1/complete": ("text_completion", CompletionReader, ("prompt",)),
}
"""By path: OpenTelemetry's name of the operation, what reads the answer, and what of the request is its input."""

_PARAMETERS: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_tokens_to_sample": "max_tokens",
    "stop_sequences": "stop_sequences",
    "tool_choice": "tool_choice",
    "thinking": "thinking",
    "output_config": "output_config",
    "output_format": "response_format",
    "service_tier": "service_tier",
    "stream": "stream",
}
"""OpenTelemetry's names of the parameters."""


class RequestReading:
    """Reads the requests of the anthropic client.

    Args:
        providers: Who runs the models behind addresses of the user's.
    """

    def __init__(self, providers: Mapping[str, str]) -> None:
        self._providers = providers

    def __call__(self, client: Any, path: str, body: dict[str, Any]) -> tuple[ModelRequest, AnswerReader] | None:
        """What the model is asked, and what reads its answer; None for another request (counting tokens is none)."""
        known = _OPERATIONS.get(path)
        if known is None:
            return None
        operation, reader, inputs = known
        request = ModelRequest(
            operation=operation,
            provider=provider_of(client.base_url, self._providers),
            model=body.get("model"),
            input={name: body[name] for name in inputs if body.get(name) is not None},
            parameters={ours: body[name] for name, ours in _PARAMETERS.items() if body.get(name) is not None},
        )
        return request, reader()
