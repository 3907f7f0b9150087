"""The model call: how a call of a language model is recorded, whichever client makes it.

A call has up to three levels: what the application asks for (LangChain's chat model, a service of its own), the
client's method, and the HTTP requests that this makes. Each is an `llm` span, one below the other. The outer ones are
*logical*; one that is known to be a single request is *physical*. Usage is recorded where it is nearest to the request:
an outer call whose inner ones were billed shows the tokens as attributes and adds nothing to the bill.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Final

import msgspec

from reamon.errors import ServiceError
from reamon.guard import guarded
from reamon.integrations.boundary import boundary
from reamon.model import SpanKind, gen_ai
from reamon.model.times import NANOS_PER_SECOND
from reamon.tracing import (
    ActiveSpan,
    NoopSpan,
    active_recorder,
    current_span,
    enter,
    fail,
    finish,
    leave,
    start_span,
)

_CURRENT: Final["ContextVar[ModelCall | None]"] = ContextVar("reamon_model_call", default=None)
_WHAT: Final = "model call"

_open: Final[dict[int, "ModelCall"]] = {}
"""The calls that run, by the identity of their spans: where only the span has come along (a queue, a thread), they are
found by it."""

_ANSWERS_KEPT: Final = 1024
_answers: Final[dict[tuple[str, str], None]] = {}
"""Trace and id of the last answers whose usage is settled, for those who see the same answer by another way."""


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is asked.

    Attributes:
        operation: OpenTelemetry's name of it: "chat", "text_completion", "embeddings", "generate_content".
        provider: Who runs the model ("openai", "anthropic", "ollama").
        model: The model that is asked for.
        name: The span's name; the operation by default.
        input: What is captured as the input: messages, tools.
        parameters: Settings of the request by OpenTelemetry's names, without the prefix `gen_ai.request.`:
            "temperature", "max_tokens", "top_p". What is None is left out.
        is_physical: Whether this is one HTTP request, and not a client's method that may make several.
    """

    operation: str
    provider: str | None
    model: str | None
    name: str | None = None
    input: Any = None
    parameters: Mapping[str, Any] = {}
    is_physical: bool = False


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model answered.

    Attributes:
        output: What is captured as the output: the message, tool calls, or the vectors' number and size.
        usage: What was consumed, by the names of `reamon.Usage`; empty if the answer does not say, which is not 0.
        model: The model that answered.
        response_id: The provider's id of the answer.
        finish_reasons: Why it stopped, one for each choice.
        is_cached: Whether it came out of a cache on this side: no request was made, and nothing is billed.
        attributes: More that the answer says about itself ("openai.response.service_tier").
        consulted: Other models that took part in it, each with what it consumed, which `usage` does not include.
    """

    output: Any = None
    usage: Mapping[str, Any] = {}
    model: str | None = None
    response_id: str | None = None
    finish_reasons: Sequence[str] = ()
    is_cached: bool = False
    attributes: Mapping[str, Any] = {}
    consulted: Sequence[tuple[str, Mapping[str, Any]]] = ()


class ModelCall:
    """One call while it runs. No method raises, and what comes after the end is ignored.

    Attributes:
        span: Its span.
        requests: The HTTP requests for it that were answered, or failed; retries included.
        retries: Those of them that repeated one that had failed.
        failure: What the last request, or call, inside failed with; None if it succeeded.
        is_billed_inside: Whether a call further inside has recorded the usage.
    """

    __slots__ = (
        "_answer", "_boundary", "_inside", "_outer", "_request", "failure", "is_billed_inside", "requests", "retries",
        "span",
    )  # fmt: skip

    def __init__(self, span: ActiveSpan, request: ModelRequest, outer: "ModelCall | None") -> None:
        self.span = span
        self.requests = 0
        self.retries = 0
        self.failure: BaseException | None = None
        self.is_billed_inside = False
        self._request = request
        self._outer = outer
        self._boundary = boundary()  # asked now: a stream may end in another task, or in the garbage collector
        self._answer: ModelAnswer | None = None
        self._inside: set[ModelCall] = set()
        _open[id(span)] = self
        if outer is not None:
            outer._inside.add(self)

    @classmethod
    @guarded(default=None)
    def begin(cls, request: ModelRequest, parent: ActiveSpan | NoopSpan | None = None) -> "ModelCall | None":
        """Start the call's span.

        Args:
            request: What is asked.
            parent: The enclosing span; the current one, or the enclosing model call's, by default.

        Returns:
            None where nothing is recorded.
        """
        outer = current_model_call()
        if parent is None and outer is not None and outer._is_below_current():
            parent = outer.span
        span = start_span(SpanKind.LLM, request.name or request.operation, parent=parent)
        if not isinstance(span, ActiveSpan):
            return None
        call = cls(span, request, outer)
        if request.input is not None:
            span.set_input(request.input)
        return call

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Make the call current inside of the block, for what is called to make it: the client, its HTTP requests."""
        span_before, call_before = enter(self.span), _CURRENT.get()
        _CURRENT.set(self)
        try:
            yield
        finally:
            if _CURRENT.get() is self:
                _CURRENT.set(call_before)
            leave(self.span, span_before)

    def requested(
        self, status: int | None = None, *, error: BaseException | None = None, retry: bool | None = None
    ) -> None:
        """An HTTP request was made for this call.

        Args:
            status: What it was answered with; None if it was not.
            error: What went wrong, if it was not answered.
            retry: Whether it repeats one that failed; one that follows a failure does, by default.
        """
        self.requests += 1
        if retry or (retry is None and self.failure is not None):
            self._retried(self.requests, status)
        refused = status is not None and status >= HTTPStatus.BAD_REQUEST
        self.failure = error or (ServiceError(f"HTTP {status}", status) if refused else None)

    def _retried(self, attempt: int, status: int | None = None) -> None:
        self.retries += 1
        failure = self.failure
        after = failure.status if isinstance(failure, ServiceError) else failure and type(failure).__name__
        said = {"attempt": attempt, "status": status, "after": after}
        self.span.add_event("retry", **{name: value for name, value in said.items() if value is not None})

    @property
    def requests_made(self) -> int:
        """The HTTP requests that were made for it so far, those under way included."""
        return self.requests + sum(call._uncounted() for call in tuple(self._inside))

    def _uncounted(self) -> int:
        """Its requests that the call around it does not know of yet."""
        if self._request.is_physical:
            return 0 if self.requests else 1
        return self.requests_made or 1

    def first_token(self) -> None:
        """The first token, or part of a tool call, is there."""
        call: ModelCall | None = self
        while call is not None:  # those around it may not see tokens
            call.span.mark_first_token()
            call = call._outer

    def answer(self, answer: ModelAnswer) -> None:
        """What the model answered; the last one counts."""
        self._answer = answer

    def end(self, error: BaseException | None = None) -> None:
        """End the call.

        Args:
            error: What left it, if it failed. A consumer that abandons a stream (`GeneratorExit`) is no failure.
        """
        self.forget()
        if not self.span.is_recording:
            return
        self._describe()
        self.report(error)
        if self._answer is not None and self._answer.response_id and self._answer.usage:
            _remember(self.span.trace_id, self._answer.response_id)
        if error is not None and not isinstance(error, GeneratorExit):
            self.note(error)
            fail(self.span, error)
            return
        self.note(self.failure)
        recorder = active_recorder()
        pending = None if recorder is None else finish(self.span, recorder.now())
        if pending is not None and error is None and not _is_in_loop():  # else: it may be the garbage collector
            pending.wait()

    def report(self, error: BaseException | None) -> None:
        """Tell the call around it what was done for it, and how that went."""
        outer = self._outer
        if outer is None:
            return
        if not self._request.is_physical:  # physical ones are counted there one by one
            if outer.failure is not None and self.requests:
                outer._retried(outer.requests + 1)
            outer.requests += self.requests
            outer.retries += self.retries
        outer.failure = self.failure if error is None or isinstance(error, GeneratorExit) else error

    def forget(self) -> None:
        """It is over: what begins from now on is no part of it."""
        _open.pop(id(self.span), None)
        if self._outer is not None:
            self._outer._inside.discard(self)

    def enclosing(self) -> Iterator["ModelCall"]:
        """The calls around it, the nearest first."""
        outer = self._outer
        while outer is not None:
            yield outer
            outer = outer._outer

    def conclude(self, request: ModelRequest, answer: ModelAnswer | None, error: BaseException | None = None) -> None:
        """Say all that `begin`, `answer` and `end` say, for those who learn only at the end what was asked.

        The span does not end by that.

        Args:
            request: What was asked.
            answer: What was answered; None if nothing was.
            error: What went wrong.
        """
        self._request, self._answer = request, answer
        self._describe()
        self.note(error)

    @guarded(default=None)
    def _describe(self) -> None:
        request, answer, span = self._request, self._answer or ModelAnswer(), self.span
        if answer.output is not None:
            span.set_output(answer.output)
        span.set_attributes({**_asked(request), **_answered(answer), **self._counted(answer)})
        if self._answer is None:
            return
        usage = {name: amount for name, amount in answer.usage.items() if amount is not None}
        if usage and not answer.is_cached:
            self._bill(usage, answer)

    def _bill(self, usage: dict[str, Any], answer: ModelAnswer) -> None:
        """Record the usage, unless that was done further inside; and tell those outside."""
        if not self.is_billed_inside:
            own = {**usage, "requests": self.requests or None}
            for model, used in ((answer.model or self._request.model, own), *answer.consulted):
                self.span.record_usage(provider=self._request.provider, model=model, **used)
        if self._boundary is not None:
            self._boundary.is_billed = True
        outer = self._outer
        while outer is not None:
            outer.is_billed_inside = True
            outer = outer._outer

    def note(self, error: BaseException | None) -> None:
        """Tell the boundary around the call how it ended."""
        if self._boundary is None or not self._boundary.span.is_recording:
            return
        if self._outer is not None and not self._outer.span.is_recording:
            return  # the call that it was made for has ended without it
        if error is None:
            self._boundary.succeeded(_WHAT)
        else:
            self._boundary.failed(_WHAT, error)

    def _counted(self, answer: ModelAnswer) -> dict[str, Any]:
        counted: dict[str, Any] = {"reamon.call": "physical" if self._request.is_physical else "logical"}
        if self.retries:
            counted["reamon.retries"] = self.retries
        if answer.is_cached:
            counted["reamon.cache_hit"] = True
        speed = self._tokens_per_second(answer.usage.get("output_tokens"))
        return counted if speed is None else {**counted, "reamon.tokens_per_second": speed}

    def _tokens_per_second(self, output_tokens: int | None) -> float | None:
        """How fast the answer came, from the first token where that is known, else from the request."""
        recorder = active_recorder()
        if recorder is None or not output_tokens:
            return None
        seconds = (recorder.now() - (self.span.first_token or self.span.start)) / NANOS_PER_SECOND
        return round(output_tokens / seconds, 1) if seconds > 0 else None

    def _is_below_current(self) -> bool:
        """Whether this call is the innermost thing that runs here: below the current span, or that span itself."""
        here = current_span()
        node: ActiveSpan | None = self.span
        while node is not None and node is not here:
            node = node.parent
        return node is not None or not isinstance(here, ActiveSpan)


def _is_in_loop() -> bool:
    """Whether an event loop runs here, which must not be held up; a span around the call waits for both."""
    import asyncio  # noqa: PLC0415 - few wait for the disk

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def current_model_call() -> ModelCall | None:
    """The innermost model call that runs here, or None."""
    call = _CURRENT.get()
    if call is not None and call.span.is_recording:
        return call
    return model_call_around(current_span())


def model_call_around(span: ActiveSpan | NoopSpan | None) -> ModelCall | None:
    """The innermost model call that runs and encloses `span`, or is recorded by it; None if there is none."""
    node = span if _open and isinstance(span, ActiveSpan) else None
    while node is not None and id(node) not in _open:
        node = node.parent
    return None if node is None else _open.get(id(node))


def enclosing_model_call() -> ModelCall | None:
    """The model call here where it is the innermost thing that runs: what begins now is a part of it."""
    call = current_model_call()
    return call if call is not None and call._is_below_current() else None


def is_settled(trace_id: str, response_id: str) -> bool:
    """Whether a call of ours in that trace had an answer of that id not long ago, and settled who is billed for it."""
    return (trace_id, response_id) in _answers


def _remember(trace_id: str, response_id: str) -> None:
    while len(_answers) >= _ANSWERS_KEPT:
        try:
            _answers.pop(next(iter(_answers)), None)
        except (RuntimeError, StopIteration):  # another thread was faster
            break
    _answers[trace_id, response_id] = None


def swap_model_call(call: ModelCall | None) -> ModelCall | None:
    """Make `call` the innermost one here, for integrations that cannot use a block. Returns what was so before."""
    before = _CURRENT.get()
    _CURRENT.set(call)
    return before


def _asked(request: ModelRequest) -> dict[str, Any]:
    said = {
        gen_ai.OPERATION: request.operation,
        gen_ai.PROVIDER: request.provider,
        gen_ai.REQUEST_MODEL: request.model,
    }
    said |= {f"gen_ai.request.{name}": value for name, value in request.parameters.items()}
    return {name: value for name, value in said.items() if value is not None}


def _answered(answer: ModelAnswer) -> dict[str, Any]:
    said: dict[str, Any] = {
        gen_ai.RESPONSE_MODEL: answer.model,
        gen_ai.RESPONSE_ID: answer.response_id,
        "gen_ai.response.finish_reasons": list(answer.finish_reasons) or None,
    }
    said |= {attribute: answer.usage.get(name) for name, attribute in gen_ai.USAGE.items()}
    said |= answer.attributes
    return {name: value for name, value in said.items() if value is not None}
