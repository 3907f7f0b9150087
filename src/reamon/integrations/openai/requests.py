"""Requests to OpenAI's API: what a model is asked, read off the JSON that is sent."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.integrations.clients.requests import Operation, RequestReading
from reamon.integrations.openai.answers import ChatReader, CompletionReader, EmbeddingReader
from reamon.integrations.openai.responses import ResponseReader

_OPERATIONS: Final[Mapping[str, Operation]] = {
    "/chat/completions": ("chat", ChatReader, ("messages", "tools", "functions")),
    "/completions": ("text_completion", CompletionReader, ("prompt", "suffix")),
    "/responses": ("chat", ResponseReader, ("instructions", "input", "tools", "prompt", "previous_response_id")),
    "/responses/compact": ("chat", ResponseReader, ("instructions", "input", "previous_response_id")),
    "/embeddings": ("embeddings", EmbeddingReader, ("input",)),
}

_RENAMED: Final = {
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "stop": "stop_sequences",
    "n": "choice.count",
    "encoding_format": "encoding_formats",
}
"""OpenTelemetry's names of parameters, where they differ."""

_PARAMETERS: Final = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "stop",
    "seed",
    "n",
    "frequency_penalty",
    "presence_penalty",
    "response_format",
    "text",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning_effort",
    "reasoning",
    "verbosity",
    "modalities",
    "service_tier",
    "logprobs",
    "top_logprobs",
    "best_of",
    "dimensions",
    "encoding_format",
    "stream",
)


def request_reading(providers: Mapping[str, str]) -> RequestReading:
    """Reads the requests of the openai client."""
    return RequestReading(_OPERATIONS, _parameters, providers)


def _parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {_RENAMED.get(name, name): body[name] for name in _PARAMETERS if body.get(name) is not None}
    for listed in ("stop_sequences", "encoding_formats"):
        if isinstance(parameters.get(listed), str):
            parameters[listed] = [parameters[listed]]
    return parameters
