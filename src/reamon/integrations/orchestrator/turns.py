"""Turns: what an orchestrator does with one utterance of a call; each is a workflow."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from reamon.guard import guard
from reamon.integrations.boundary import Boundary
from reamon.integrations.orchestrator.answers import describe_flags
from reamon.integrations.orchestrator.degrading import degrade
from reamon.model import SpanKind
from reamon.tracing import ActiveSpan, current_span
from reamon.tracing.scope import Scope


class TurnMethod:
    """Traces an orchestrator's method that answers a turn.

    Args:
        name: What a turn is called; the method's name by default.
        look_at: Called with the orchestrator before each turn; None if there is nothing to look at.
    """

    def __init__(self, name: str | None, look_at: Callable[[Any], None] | None) -> None:
        self._scope = Scope(SpanKind.WORKFLOW, name, call_id="call_id")
        self._look_at = look_at

    def wrap(self, _owner: Any, _name: str, method: Any) -> Any:
        """The method that takes the place of `method`."""
        look_at = None if inspect.ismethod(method) else self._look_at
        if inspect.iscoroutinefunction(method):

            @functools.wraps(method)
            async def turn(*args: Any, **kwargs: Any) -> Any:
                with _turn(look_at, args) as around:
                    return _answered(around, await method(*args, **kwargs))
        else:

            @functools.wraps(method)
            def turn(*args: Any, **kwargs: Any) -> Any:
                with _turn(look_at, args) as around:
                    return _answered(around, method(*args, **kwargs))

        return self._scope(turn)


@contextmanager
def _turn(look_at: Callable[[Any], None] | None, args: tuple[Any, ...]) -> Iterator[Boundary | None]:
    span = current_span()
    if look_at is not None and args:
        try:
            look_at(args[0])
        except Exception as error:
            guard.contain("agents of an orchestrator", error)
    if not isinstance(span, ActiveSpan):
        yield None
        return
    with Boundary(span) as around:
        yield around


def _answered(around: Boundary | None, answer: Any) -> Any:
    """The turn has an answer, which goes on as it is; what was swallowed on the way makes it a degraded one."""
    if around is not None:
        describe_flags(around.span, answer)
        if around.swallowed is not None:
            degrade(around.span, around.swallowed, around.swallowed_by)
    return answer
