"""Requests to OpenAI's API: what a model is asked, read off the JSON that is sent."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.integrations.clients.answers import AnswerReader
from reamon.integrations.clients.providers import provider_of
from reamon.integrations.model_call import ModelRequest
from reamon.integrations.openai.answers import ChatReader, CompletionReader, EmbeddingReader
from reamon.integrations.openai.responses import ResponseReader

_OPERATIONS: Final[Mapping[str, tuple[str, type[AnswerReader], tuple[str, ...]]]] = {
    "/chat/completions": ("chat", ChatReader, ("messages", "tools", "functions")),
    "/completions": ("text_completion", CompletionReader, ("prompt", "suffix")),
    "/responses": ("chat", ResponseReader, ("instructions", "input", "tools", "prompt", "previous_response_id")),
    "/embeddings": ("embeddings", EmbeddingReader, ("input",)),
}
"""By path: OpenTelemetry's name of the operation, what reads the answer, and what of the request is its input."""

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


class RequestReading:
    """Reads the requests of the openai client.

    Args:
        providers: Who runs the models behind addresses of the user's.
    """

    def __init__(self, providers: Mapping[str, str]) -> None:
        self._providers = providers

    def __call__(self, client: Any, path: str, body: dict[str, Any]) -> tuple[ModelRequest, AnswerReader] | None:
        """What the model is asked, and what reads its answer; None for another request."""
        known = _OPERATIONS.get(path)
        if known is None:
            return None
        operation, reader, inputs = known
        request = ModelRequest(
            operation=operation,
            provider=provider_of(client.base_url, self._providers),
            model=body.get("model"),
            input={name: body[name] for name in inputs if body.get(name) is not None},
            parameters=_parameters(body),
        )
        return request, reader()


def _parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {_RENAMED.get(name, name): body[name] for name in _PARAMETERS if body.get(name) is not None}
    for listed in ("stop_sequences", "encoding_formats"):
        if isinstance(parameters.get(listed), str):
            parameters[listed] = [parameters[listed]]
    return parameters
