"""Ended calls: how calls ended, whether they were escalated to a dearer tier of models, and what they cost."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, Text, and_, case, cast, func, literal, or_, select

from reamon.analytics.insights.scope import Scope, call_of, mean, sums
from reamon.store.cost_grouping import counting, outcome_of_call
from reamon.store.exact_sums import total, usd
from reamon.store.views import AGENTS, COSTS, TRACES

ESCALATED: Final = "tier_escalated"
"""The field of an agent's state that says that a call was escalated."""

UNPRICED: Final = "calls of which no cost is known are left out of the means"

_DEARER: Final = 2
"""A model is of a dearer tier if it costs this many times what the others do."""

_LLM: Final = "llm"


class CallGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that ended alike.

    Attributes:
        outcome: How; None where none was recorded.
        escalated: Whether they were escalated.
        calls: How many they are.
        priced: Of how many some cost is known.
        amount: What these cost; None where there are none.
        example: One of their turns.
    """

    outcome: str | None
    escalated: bool
    calls: int
    priced: int
    amount: Decimal | None
    example: str


class EndedCalls(msgspec.Struct, frozen=True, kw_only=True):
    """All calls, in groups.

    Attributes:
        dearer_model: The model that costs clearly more a request than the others; None where none does.
        groups: The calls, the largest group first.
    """

    dearer_model: str | None
    groups: tuple[CallGroup, ...]


def number(groups: Sequence[CallGroup]) -> int:
    """How many calls these are."""
    return sum(group.calls for group in groups)


def cost(groups: Sequence[CallGroup]) -> Decimal | None:
    """What these calls cost; None where nothing is known."""
    known = [group.amount for group in groups if group.amount is not None]
    return sum(known, Decimal(0)) if known else None


def cost_of_one(groups: Sequence[CallGroup]) -> Decimal | None:
    """What one of these calls costs in the mean, those without a known cost left out."""
    whole, priced = cost(groups), sum(group.priced for group in groups)
    return None if whole is None else mean(whole, priced)


def unpriced(groups: Sequence[CallGroup]) -> tuple[str, ...]:
    """The caveat that some of these calls have no known cost, where that is so."""
    return (UNPRICED,) if any(group.priced < group.calls for group in groups) else ()


async def read_ended_calls(scope: Scope) -> EndedCalls:
    """Read the calls of a scope."""
    dearer = _dearer_model(scope)
    groups = [
        CallGroup(
            outcome=row.outcome,
            escalated=bool(row.escalated),
            calls=int(row.calls),
            priced=int(row.priced),
            amount=usd(row.micros, row.rest),
            example=str(row.example),
        )
        for row in await scope.rows(_query(scope, dearer))
    ]
    return EndedCalls(dearer_model=dearer, groups=tuple(groups))


def _dearer_model(scope: Scope) -> str | None:
    """The model that costs clearly more a request than the other ones; None where none does."""
    models = [
        (str(model), each.amount, each.details - each.unknown)
        for (cost_type, model), each in scope.spent_by("type", "model").groups
        if cost_type == _LLM and model is not None and each.amount
    ]
    if len(models) < 2:
        return None
    models.sort(key=lambda model: mean(model[1], model[2]), reverse=True)
    (name, amount, details), *others = models
    usual = mean(sum((each for _, each, _ in others), Decimal(0)), sum(number for *_, number in others))
    return name if mean(amount, details) >= _DEARER * usual else None


def _query(scope: Scope, dearer: str | None) -> Select[Any]:
    """How many calls there are, and what they cost, by whether they were escalated and how they ended."""
    turns = (
        select(
            call_of().label("call"),
            outcome_of_call().label("outcome"),
            TRACES.c.trace_id,
            TRACES.c.total_cost,
            _flag(TRACES.c.trace_id.in_(_said_so(scope))).label("said_so"),
            _flag(TRACES.c.trace_id.in_(_asked(scope, COSTS.c.model == dearer))).label("dearer"),
            _flag(TRACES.c.trace_id.in_(_asked(scope, COSTS.c.model != dearer))).label("usual"),
        )
        .where(*scope.turns())
        .subquery("turns")
    )
    whole, fraction = sums(turns.c.total_cost)
    calls = (
        select(
            func.max(turns.c.outcome).label("outcome"),
            whole.label("micros"),
            fraction.label("rest"),
            func.max(turns.c.said_so).label("said_so"),
            func.max(turns.c.dearer).label("dearer"),
            func.max(turns.c.usual).label("usual"),
            func.min(turns.c.trace_id).label("example"),
        )
        .group_by(turns.c.call)
        .subquery("calls")
    )
    changed = and_(calls.c.dearer == 1, calls.c.usual == 1)
    judged = select(
        calls.c.outcome,
        calls.c.micros,
        calls.c.rest,
        calls.c.example,
        _flag(or_(calls.c.said_so == 1, changed)).label("escalated"),
    ).subquery("judged")
    return (
        select(
            judged.c.escalated,
            judged.c.outcome,
            func.count().label("calls"),
            func.count(judged.c.micros).label("priced"),
            total(judged.c.micros).label("micros"),
            total(judged.c.rest).label("rest"),
            func.min(judged.c.example).label("example"),
        )
        .group_by(judged.c.escalated, judged.c.outcome)
        .order_by(func.count().desc(), judged.c.outcome)
    )


def _flag(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, literal(1)), else_=literal(0))


def _said_so(scope: Scope) -> Select[Any]:
    """The turns of which an agent's state says that they were escalated."""
    state = cast(AGENTS.c.state_after, Text)
    says = or_(*(state.like(f'%"{ESCALATED}":{space}true%') for space in ("", " ")))
    return select(AGENTS.c.trace_id).where(AGENTS.c.state_after.is_not(None), says, *scope.spans(AGENTS))


def _asked(scope: Scope, which: ColumnElement[bool]) -> Select[Any]:
    """The turns in which certain models were asked."""
    return select(COSTS.c.trace_id).where(*counting(scope.which), COSTS.c.cost_type == _LLM, which)
