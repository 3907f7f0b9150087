"""Services: an application's own method that asks a model is a logical call, whatever is behind it.

Behind it may be a cache, a queue with workers of its own, retries, several requests. The logical call tells how many
requests were made for it, and that none was where a cache answered; what they consumed is billed where they were made.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from reamon.guard import guarded
from reamon.integrations.colours import Answered, observed
from reamon.integrations.degrading import degrade
from reamon.integrations.model_call import (
    ModelCall,
    ModelRequest,
    current_model_call,
    model_call_around,
    swap_model_call,
)
from reamon.tracing import ActiveSpan, NoopSpan, current_span

_UNKNOWN: Final = ModelRequest(operation="chat", provider=None, model=None)


class ServiceCall(ModelCall):
    """One call of a service.

    Attributes:
        queued: How much of what was put into queues for it has not been taken out.
    """

    __slots__ = ("queued",)

    def __init__(self, span: ActiveSpan, outer: ModelCall | None) -> None:
        super().__init__(span, _UNKNOWN, outer)
        self.queued = 0


def queued(span: ActiveSpan | NoopSpan | None, change: int) -> None:
    """Something was put into a queue below `span` (1), or taken out (-1): a request, if a service waits for it."""
    call = model_call_around(span)
    if isinstance(call, ServiceCall):
        call.queued += change


class ModelService:
    """One method that asks a model.

    A call of it that makes no request is a cache hit, but only once another has made one: else its requests go by ways
    that nobody here sees.
    """

    def __init__(self) -> None:
        self._makes_requests = False

    def observed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, to be traced as an `llm` span: what is called in it to ask the model belongs to it."""
        return observed(method, lambda _args, _kwargs: self._call())

    @contextmanager
    def _call(self) -> Iterator[Answered]:
        """One call while it runs; what is yielded takes what it answered, and returns it as it is."""
        span = current_span()
        if not isinstance(span, ActiveSpan):
            yield lambda answer: answer
            return
        call = ServiceCall(span, current_model_call())
        before = swap_model_call(call)

        def answered(answer: Any) -> Any:
            self._answered(call, is_pending=inspect.isawaitable(answer))
            return answer

        failure: BaseException | None = None
        try:
            yield answered
        except BaseException as error:
            failure = error
            call.note(error)
            raise
        finally:
            self._count(call)
            call.report(failure)
            call.forget()
            swap_model_call(before)

    @guarded(default=None)
    def _answered(self, call: ServiceCall, *, is_pending: bool) -> None:
        requests = call.requests_made
        if self._makes_requests and not requests and not call.queued:
            call.span.set_attribute("reamon.cache_hit", True)
        if requests and not call.requests and not is_pending:
            call.failure = TimeoutError("something was answered before any request was")
        if call.failure is not None:
            degrade(call.span, call.failure, "the last request")
        call.note(call.failure)

    @guarded(default=None)
    def _count(self, call: ModelCall) -> None:
        requests = call.requests_made
        self._makes_requests = self._makes_requests or requests > 0
        call.span.set_attribute("reamon.call", "logical")
        if self._makes_requests:
            call.span.set_attribute("reamon.requests", requests)
        if call.retries:
            call.span.set_attribute("reamon.retries", call.retries)
