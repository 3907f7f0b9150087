"""Grouping: cost details told apart by what they say, and by the agents and traces that they belong to."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Subquery, and_, case, func, select

from reamon.store.cost_filter import TIMES, CostFilter
from reamon.store.exact_sums import micros, rest, total
from reamon.store.local_times import Stretch, local
from reamon.store.views import AGENTS, COSTS, TRACES

_OWN: Final = {
    "type": "cost_type",
    "provider": "provider",
    "model": "model",
    "project": "project",
    "trace": "trace_id",
    "unit": "unit",
}
"""What a detail says itself, and the column that says it."""

_OF_THE_TRACE: Final = frozenset({"call", "workflow", "version", "outcome"})

PARTS: Final = ("micros", "rest", "details", "unknown", "estimated")
"""The columns of what is added up: two that make an exact amount, and three counts."""

COUNTS: Final = PARTS[2:]
UTC_ONLY: Final = (Stretch(None, timedelta(0)),)


def counting(which: CostFilter) -> list[ColumnElement[bool]]:
    """The conditions that a detail counts, and is one of those that are meant."""
    conditions: list[ColumnElement[bool]] = [COSTS.c.superseded_by.is_(None)]
    if which.since is not None:
        conditions.append(COSTS.c.timestamp >= which.since)
    if which.until is not None:
        conditions.append(COSTS.c.timestamp < which.until)
    if which.project is not None:
        conditions.append(COSTS.c.project == which.project)
    if which.provider is not None:
        conditions.append(func.lower(COSTS.c.provider) == which.provider.lower())
    if which.call_id is not None:
        conditions.append(COSTS.c.trace_id.in_(select(TRACES.c.trace_id).where(TRACES.c.call_id == which.call_id)))
    return conditions


def keyed(
    by: Sequence[str],
    which: CostFilter,
    offsets: Sequence[Stretch] = UTC_ONLY,
    amount: ColumnElement[Any] = COSTS.c.cost_amount,
) -> Subquery:
    """Sums (`PARTS`) with the keys that tell them apart (`key_0`, `key_1`, …); a key may have several.

    Details are added up by what they say themselves first, and only those sums are joined with traces: there are far
    fewer of them. Agents are not that few; a detail's own is looked up, in an index alone.

    Args:
        by: The names of the keys: of `DIMENSIONS`, or "unit".
        which: The details that count.
        offsets: Those of the zone whose days and hours are meant.
        amount: What is added up: text with twelve places on SQLite.
    """
    first = _summed(_own_keys(by, which, offsets, amount))
    source: FromClause = first
    if not _OF_THE_TRACE.isdisjoint(by):
        source = source.outerjoin(TRACES, TRACES.c.trace_id == first.c.trace_id)
    keys = [_key(name, first).label(f"key_{number}") for number, name in enumerate(by)]
    return select(*keys, *(first.c[name] for name in PARTS)).select_from(source).subquery("keyed")


def outcome_of_call() -> ColumnElement[Any]:
    """How the call of a row of `workflow_traces` ended: the last outcome that one of its turns recorded.

    A call is one of its project; another project may have given one of its own the same id.
    """
    turns = TRACES.alias("turns")
    same_project = func.coalesce(turns.c.project, "") == func.coalesce(TRACES.c.project, "")  # no index is to tempt it
    last = (
        select(turns.c.outcome)
        .where(turns.c.call_id == TRACES.c.call_id, same_project, turns.c.outcome.is_not(None))
        .order_by(turns.c.id.desc())
        .limit(1)
        .correlate(TRACES)
        .scalar_subquery()
    )
    return func.coalesce(last, TRACES.c.outcome)  # a trace without a call has its own


def _own_keys(by: Sequence[str], which: CostFilter, offsets: Sequence[Stretch], amount: ColumnElement[Any]) -> Subquery:
    """Each detail that counts, with what tells it apart."""
    keys: dict[str, ColumnElement[Any]] = {}
    for name in by:
        if name in _OWN:
            keys[_OWN[name]] = COSTS.c[_OWN[name]]
        elif name in TIMES:
            keys[name] = local(name, COSTS.c.timestamp, offsets)
        elif name != "agent":
            keys["trace_id"] = COSTS.c.trace_id
            keys |= {"call_id": COSTS.c.call_id} if name == "call" else {}
    source: FromClause = COSTS
    if "agent" in by:
        keys["agent_type"] = AGENTS.c.agent_type
        is_agent = and_(AGENTS.c.trace_id == COSTS.c.trace_id, AGENTS.c.span_id == COSTS.c.agent_id)
        source = COSTS.outerjoin(AGENTS, is_agent)
    columns = [column.label(name) for name, column in keys.items()]
    details = select(*columns, amount.label("amount"), COSTS.c.estimated).select_from(source)
    return details.where(*counting(which)).subquery("details")


def _summed(details: Subquery) -> Subquery:
    keys = [column for column in details.c if column.name not in {"amount", "estimated"}]
    amount = details.c.amount
    return (
        select(
            *keys,
            total(micros(amount)).label("micros"),
            total(rest(amount)).label("rest"),
            func.count().label("details"),
            (func.count() - func.count(amount)).label("unknown"),
            func.sum(case((details.c.estimated, 1), else_=0)).label("estimated"),
        )
        .group_by(*keys)
        .subquery("sums")
    )


def _key(name: str, first: Subquery) -> ColumnElement[Any]:
    match name:
        case "call":
            return func.coalesce(TRACES.c.call_id, first.c.call_id)
        case "workflow":
            return TRACES.c.workflow_name
        case "version":
            return TRACES.c.workflow_version
        case "outcome":
            return outcome_of_call()
    column: ColumnElement[Any] = first.c[_OWN.get(name, "agent_type" if name == "agent" else name)]
    return column
