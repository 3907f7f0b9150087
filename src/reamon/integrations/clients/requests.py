"""Requests: what a client asks of a model, read off the body that it sends."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reamon.integrations.clients.answers import AnswerReader
from reamon.integrations.clients.providers import provider_of
from reamon.integrations.model_call import ModelRequest

Operation = tuple[str, Callable[[], AnswerReader], Sequence[str]]
"""OpenTelemetry's name of an operation, what reads its answer, and the fields of the body that are its input."""


class RequestReading:
    """Reads the requests of one client library.

    Args:
        operations: What is asked at each path; other paths are no requests to a model.
        parameters_of: The settings in a body, by the names of `ModelRequest.parameters`.
        providers: Who runs the models behind addresses of the user's.
    """

    def __init__(
        self,
        operations: Mapping[str, Operation],
        parameters_of: Callable[[Mapping[str, Any]], dict[str, Any]],
        providers: Mapping[str, str],
    ) -> None:
        self._operations = operations
        self._parameters_of = parameters_of
        self._providers = providers

    def __call__(self, client: Any, path: str, body: Mapping[str, Any]) -> tuple[ModelRequest, AnswerReader] | None:
        """What the model is asked, and what reads its answer; None for another request."""
        known = self._operations.get(path)
        if known is None:
            return None
        operation, reader, inputs = known
        request = ModelRequest(
            operation=operation,
            provider=provider_of(client.base_url, self._providers),
            model=body.get("model"),
            input={name: body[name] for name in inputs if body.get(name) is not None},
            parameters=self._parameters_of(body),
        )
        return request, reader()
