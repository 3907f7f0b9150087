"""Requests to Ollama's API: what a model is asked, and the HTTP request as a physical model call."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import msgspec

from reamon.guard import guarded
from reamon.integrations.clients.exchange import Exchange, current_exchange
from reamon.integrations.clients.httpx_responses import Attempt, attach
from reamon.integrations.model_call import ModelCall, ModelRequest, current_model_call
from reamon.integrations.ollama.answers import OllamaReader

PROVIDER: Final = "ollama"

_OPERATIONS: Final = {
    "/api/chat": ("chat", ("messages", "tools")),
    "/api/generate": ("text_completion", ("system", "prompt", "suffix", "images")),
    "/api/embed": ("embeddings", ("input",)),
    "/api/embeddings": ("embeddings", ("prompt",)),
}
"""By path: OpenTelemetry's name of the operation, and what of the request is its input."""

_OPTIONS: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "num_predict": "max_tokens",
    "stop": "stop_sequences",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repeat_penalty": "repeat_penalty",
    "num_ctx": "num_ctx",
}
_PARAMETERS: Final = {"format": "response_format", "think": "think", "stream": "stream", "dimensions": "dimensions"}
_LARGEST: Final = 16 * 1024 * 1024


def request_of(path: str, body: object, *, is_physical: bool) -> ModelRequest | None:
    """What the model is asked by a POST of `body`; None if it is no such request.

    The path alone proves nothing: many an application has an `/api/chat` of its own.
    """
    known = _known(path)
    if known is None or not isinstance(body, Mapping) or not isinstance(body.get("model"), str):
        return None
    operation, inputs = known
    asked = {name: body[name] for name in inputs if body.get(name) not in (None, [])}
    if not asked:
        return None
    options = body.get("options")
    options = options if isinstance(options, Mapping) else {}
    parameters = {ours: options[name] for name, ours in _OPTIONS.items() if options.get(name) is not None}
    parameters |= {ours: body[name] for name, ours in _PARAMETERS.items() if body.get(name) not in (None, "")}
    return ModelRequest(
        operation=operation,
        provider=PROVIDER,
        model=body["model"],
        input=asked,
        parameters=parameters,
        is_physical=is_physical,
    )


def is_model_path(path: str) -> bool:
    """Whether a path may be one of Ollama's."""
    return _known(path) is not None


def decoded(raw: bytes | str) -> object:
    """A JSON body, or None."""
    if len(raw) > _LARGEST:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


class PhysicalAttempt(Attempt):
    """One HTTP request to Ollama, which is a model call by itself, counted at the call around it.

    Args:
        call: That model call.
        outer: The call around it, if there is one.

    Attributes:
        around: The exchange of Ollama's client, if it makes the request.
    """

    def __init__(self, call: ModelCall, outer: ModelCall | None) -> None:
        super().__init__(Exchange(call, OllamaReader()))
        self.around: Exchange | None = None
        self._outer = outer
        self._inside: AbstractContextManager[None] | None = None

    @classmethod
    def begin(cls, request: ModelRequest) -> "PhysicalAttempt | None":
        """Start its span; None where nothing is recorded."""
        outer, around = current_model_call(), current_exchange()
        call = ModelCall.begin(request)
        if call is None:
            return None
        attempt = cls(call, outer)
        if around is not None and around.call is outer and around.owner is OllamaReader:
            attempt.around = around
        return attempt

    def __enter__(self) -> None:
        self._inside = self.exchange.inside()
        self._inside.__enter__()

    def __exit__(self, *error: object) -> None:
        if self._inside is not None:
            self._inside.__exit__(None, None, None)

    @guarded(default=None)
    def answered(self, response: Any) -> None:
        """It was answered."""
        self.counted(response.status_code)
        if response.status_code >= 400:
            self.refused(response.status_code, response.content if response.is_closed else b"")
            return
        attach(self.exchange, response)
        if self.around is not None:
            self.around.reader = self.exchange.reader  # the client's call is answered what this request is answered
        self.exchange.returned(None)

    @guarded(default=None)
    def failed(self, error: BaseException) -> None:
        """It was not."""
        self.counted(None, error)
        self.exchange.failed(error)

    def counted(self, status: int | None, error: BaseException | None = None) -> None:
        """Count it, here and at the call that it is made for."""
        self.exchange.call.requested(status, error=error)
        if self._outer is not None:
            self._outer.requested(status, error=error)

    def refused(self, status: int, body: bytes) -> None:
        """It was answered with an error, which the application may or may not raise."""
        reason = f"HTTP {status}: {body[:500].decode('utf-8', 'replace')}".rstrip(": ")
        self.exchange.call.span.set_attribute("error.type", str(status))
        self.exchange.call.span.set_status("error", reason)
        self.exchange.end()


@guarded(default=None)
def observed_request(_client: Any, request: Any) -> Attempt | None:
    """Of a request of httpx: a physical model call, if it goes to Ollama."""
    if request.method != "POST" or not is_model_path(request.url.path):
        return None
    try:
        content = request.content
    except Exception:  # a body that is sent while it is made; reading it would take it from the server
        return None
    asked = request_of(request.url.path, decoded(content), is_physical=True)
    return None if asked is None else PhysicalAttempt.begin(asked)


def _known(path: str) -> tuple[str, tuple[str, ...]] | None:
    start = path.rfind("/api/")
    return _OPERATIONS.get(path[start:]) if start >= 0 else None
