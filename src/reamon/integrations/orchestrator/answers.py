"""Answers: what an agent returned, as a decision, a cost, an escalation, the end of a call."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.guard import guarded
from reamon.tracing import ActiveSpan

_FLAGS: Final = {"should_escalate_tier": "reamon.escalate_tier", "should_end_call": "reamon.end_call"}
_COSTS: Final = ("cost_usd", "cost")
_UNSET: Final = object()


@guarded(default=None)
def describe_answer(span: ActiveSpan, answer: Any) -> None:
    """Put on an agent's span what its answer says: an object or a mapping with the fields of an `AgentResponse`.

    `decision` (action, reasoning, confidence, next_agent; these may also stand beside it), `should_escalate_tier` and
    `should_end_call`.
    """
    decision = _field(answer, "decision")
    parts = {
        name: _first(_field(decision, name), _field(answer, name))
        for name in ("next_agent", "reasoning", "confidence", "action")
    }
    if any(part is not None for part in parts.values()):
        span.record_decision(**parts)
    describe_flags(span, answer)


@guarded(default=None)
def describe_flags(span: ActiveSpan, answer: Any) -> None:
    """Whether an answer asks for a better model (`should_escalate_tier`), or ends the call (`should_end_call`)."""
    for name, attribute in _FLAGS.items():
        if _field(answer, name):
            span.set_attribute(attribute, True)


@guarded(default=None)
def record_stated_cost(span: ActiveSpan, answer: Any) -> None:
    """Record the cost that an answer states, in USD; for agents whose model calls nobody else bills."""
    amount = _first(*(_field(answer, name) for name in _COSTS))
    if amount is not None:
        span.record_cost(amount, cost_type="agent", price_source="application")


def _field(answer: Any, name: str) -> Any:
    """A field of an object or a mapping; None if it has none. Nothing is computed: properties are not asked."""
    if answer is None:
        return None
    if isinstance(answer, Mapping):
        return answer.get(name)
    fields = getattr(answer, "__dict__", None)
    found = fields.get(name, _UNSET) if isinstance(fields, dict) else _UNSET
    if found is _UNSET and name in getattr(type(answer), "__slots__", ()):
        found = getattr(answer, name, None)
    return None if found is _UNSET else found


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
