"""Services: an application's own method that asks a model is a logical call, whatever is behind it.

Behind it may be a cache, a queue with workers of its own, retries, several requests. The logical call tells how many
requests were made for it, and that none was where a cache answered; what they consumed is billed where they were made.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from reamon.integrations.model_call import ModelCall, ModelRequest, current_model_call, swap_model_call
from reamon.tracing import ActiveSpan, current_span

_UNKNOWN: Final = ModelRequest(operation="chat", provider=None, model=None)


class ModelService:
    """One method that asks a model.

    A call of it that makes no request is a cache hit, but only once another has made one: else its requests go by ways
    that nobody here sees.
    """

    def __init__(self) -> None:
        self._makes_requests = False

    def observed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, to be traced as an `llm` span: what is called in it to ask the model belongs to it."""
        if inspect.iscoroutinefunction(method):

            @functools.wraps(method)
            async def asking(*args: Any, **kwargs: Any) -> Any:
                with self._call():
                    return await method(*args, **kwargs)
        else:

            @functools.wraps(method)
            def asking(*args: Any, **kwargs: Any) -> Any:
                with self._call():
                    return method(*args, **kwargs)

        return asking

    @contextmanager
    def _call(self) -> Iterator[None]:
        span = current_span()
        if not isinstance(span, ActiveSpan):
            yield
            return
        call = ModelCall(span, _UNKNOWN, current_model_call())
        before = swap_model_call(call)
        try:
            yield
        except BaseException as error:
            self._end(call, error)
            raise
        else:
            self._end(call, None)
        finally:
            swap_model_call(before)

    def _end(self, call: ModelCall, error: BaseException | None) -> None:
        call.forget()
        self._makes_requests = self._makes_requests or call.requests > 0
        call.span.set_attribute("reamon.call", "logical")
        if self._makes_requests:
            call.span.set_attribute("reamon.requests", call.requests)
        if self._makes_requests and not call.requests and error is None:
            call.span.set_attribute("reamon.cache_hit", True)
        call.note(error)
