"""Escalation to a dearer tier of models: what it costs, and how the calls end in which it happens."""

from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Text, and_, case, cast, func, literal, or_, select

from reamon.analytics.costs import share_of
from reamon.analytics.insights.insight import Figure, Insight
from reamon.analytics.insights.scope import EXACT, Scope, call_of, in_usd, mean, sums
from reamon.store.cost_grouping import counting, outcome_of_call
from reamon.store.cost_queries import read_costs
from reamon.store.exact_sums import total, usd
from reamon.store.views import AGENTS, COSTS, TRACES

FIELD: Final = "tier_escalated"
"""The field of an agent's state that says it."""

_DEARER: Final = 2
"""A model is of a dearer tier if it costs this many times what the others do."""

_LLM: Final = "llm"


async def find(scope: Scope) -> list[Insight]:
    """Escalated calls beside the others."""
    dearer = await _dearer_model(scope)
    rows = await scope.rows(_calls(scope, dearer))
    groups = {flag: [row for row in rows if bool(row.escalated) is flag] for flag in (True, False)}
    calls = {flag: sum(int(row.calls) for row in group) for flag, group in groups.items()}
    costs = {flag: _cost(group) for flag, group in groups.items()}
    escalated, others = costs[True], costs[False]
    if min(calls.values()) < scope.minimum or escalated is None or others is None:
        return []
    each, usual = mean(escalated, calls[True]), mean(others, calls[False])
    figures: dict[str, Figure] = {
        "escalated calls": calls[True],
        "other calls": calls[False],
        "cost of an escalated call": each,
        "cost of another call": usual,
        "difference of a call": EXACT.subtract(each, usual),
        "dearer model": dearer,
    }
    figures |= _endings("escalated calls", groups[True], calls[True])
    figures |= _endings("other calls", groups[False], calls[False])
    return [
        scope.insight(
            "escalation",
            f"an escalated call costs {in_usd(each)}, another one {in_usd(usual)}; "
            f"{100 * calls[True] / sum(calls.values()):.0f} % of calls are escalated",
            amount=escalated,
            rows=sum(calls.values()),
            figures=figures,
            traces=[row.example for row in groups[True]],
            caveats=(
                f"escalated are calls whose state says {FIELD}, or that changed to the dearer model",
                "calls are escalated because they are difficult: how they would have ended otherwise is not known",
            ),
        )
    ]


async def _dearer_model(scope: Scope) -> str | None:
    """The model that costs clearly more a request than the other ones; None where none does."""
    found = await read_costs(scope.connection, ("type", "model"), scope.which)
    models = [
        (str(model), each.amount, each.details - each.unknown)
        for (cost_type, model), each in found.groups
        if cost_type == _LLM and model is not None and each.amount
    ]
    if len(models) < 2:
        return None
    models.sort(key=lambda model: mean(model[1], model[2]), reverse=True)
    (name, amount, details), *others = models
    usual = mean(sum((each for _, each, _ in others), Decimal(0)), sum(number for *_, number in others))
    return name if mean(amount, details) >= _DEARER * usual else None


def _calls(scope: Scope, dearer: str | None) -> Select[Any]:
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
    says = or_(*(state.like(f'%"{FIELD}":{space}true%') for space in ("", " ")))
    return select(AGENTS.c.trace_id).where(AGENTS.c.state_after.is_not(None), says, *scope.spans(AGENTS))


def _asked(scope: Scope, which: ColumnElement[bool]) -> Select[Any]:
    """The turns in which certain models were asked."""
    return select(COSTS.c.trace_id).where(*counting(scope.which), COSTS.c.cost_type == _LLM, which)


def _cost(rows: list[Any]) -> Decimal | None:
    known = [amount for row in rows if (amount := usd(row.micros, row.rest)) is not None]
    return sum(known, Decimal(0)) if known else None


def _endings(what: str, rows: list[Any], calls: int) -> dict[str, Figure]:
    """The part of the calls that ended in each way, the most frequent ones."""
    return {
        f"{what} that ended in {row.outcome}": share_of(Decimal(int(row.calls)), Decimal(calls))
        for row in rows[:4]
        if row.outcome is not None
    }
