"""Requests to Anthropic's API: what a model is asked, read off the JSON that is sent."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.integrations.anthropic.answers import CompletionReader, MessageReader
from reamon.integrations.clients.requests import Operation, RequestReading

_OPERATIONS: Final[Mapping[str, Operation]] = {
    "/v1/messages": ("chat", MessageReader, ("system", "messages", "tools", "mcp_servers")),
    "/v1/complete": ("text_completion", CompletionReader, ("prompt",)),
}

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


def request_reading(providers: Mapping[str, str]) -> RequestReading:
    """Reads the requests of the anthropic client; counting tokens is none."""
    return RequestReading(_OPERATIONS, _parameters, providers)


def _parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    return {ours: body[name] for name, ours in _PARAMETERS.items() if body.get(name) is not None}
