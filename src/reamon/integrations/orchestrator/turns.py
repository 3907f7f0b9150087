"""Turns: what an orchestrator does with one utterance of a call; each is a workflow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from reamon.guard import guard
from reamon.integrations.boundary import Boundary, boundary
from reamon.integrations.colours import Answered, Arguments, chosen_at_call, observed
from reamon.integrations.degrading import degrade
from reamon.integrations.orchestrator.answers import describe_flags
from reamon.integrations.orchestrator.shapes import owner_of
from reamon.integrations.patches import Patches
from reamon.model import SpanKind
from reamon.tracing import ActiveSpan, current_span, enabled
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

    def wrap(self, name: str, method: Any, patches: Patches) -> Any:
        """The method that takes the place of `method`."""
        owner = owner_of(method)
        traced = self._scope(observed(method, lambda args, _kwargs: _turn(name, owner, args)))

        def choose(args: Arguments) -> Any:
            target = owner if owner is not None else args[0] if args else None
            around = boundary()
            if not patches.is_active or (around is not None and around.call == (id(target), name)):
                return method  # by way of `super()`, or of another instrumentation of the same
            if self._look_at is not None and owner is None and enabled():
                try:
                    self._look_at(target)
                except Exception as error:
                    guard.contain("agents of an orchestrator", error)
            return traced

        return chosen_at_call(method, choose)


@contextmanager
def _turn(name: str, owner: Any, args: Arguments) -> Iterator[Answered]:
    """One turn while it runs, observed from inside of its span; what is yielded takes its answer."""
    span = current_span()
    if not isinstance(span, ActiveSpan):
        yield lambda answer: answer
        return
    if owner is None and args:
        owner = args[0]
    with Boundary(span, (id(owner), name)) as around:
        yield lambda answer: _answered(around, answer)


def _answered(around: Boundary, answer: Any) -> Any:
    """The turn has an answer, which goes on as it is; what was swallowed on the way makes it a degraded one."""
    describe_flags(around.span, answer)
    if around.swallowed is not None:
        degrade(around.span, around.swallowed, around.swallowed_by)
    return answer
