"""Paths: which agents ran one after the other in a turn, and which sequence of them costs most."""

from typing import Any, Final

from sqlalchemy import Select, func, select

from reamon.analytics.costs import share_of
from reamon.analytics.insights.insight import Figure, Insight
from reamon.analytics.insights.scope import Scope, mean, sums
from reamon.model.cost import EXACT
from reamon.store.exact_sums import total, usd
from reamon.store.views import AGENTS, TRACES

_NAMED: Final = 3


async def find(scope: Scope) -> list[Insight]:
    """The path on which most was spent, and how dear a turn on it is beside the others."""
    rows = await scope.rows(_paths(scope))
    if not rows or rows[0].paths < 2 or rows[0].turns < scope.minimum:
        return []
    amounts = [(row.path, usd(row.micros, row.rest)) for row in rows]
    path, amount = amounts[0]
    whole = usd(rows[0].all_micros, rows[0].all_rest)
    if amount is None or whole is None:
        return []
    number = int(rows[0].turns)
    usual = mean(whole, int(rows[0].all_turns))
    times = EXACT.divide(mean(amount, number), usual) if usual else None
    figures: dict[str, Figure] = {
        "turns": number,
        "share": share_of(amount, whole),
        "mean of a turn": mean(amount, number),
        "mean of all turns": usual,
    }
    figures |= {f"then {other}": cost for other, cost in amounts[1:]}
    compared = "" if times is None else f", {times:.1f} times the mean of a turn"
    return [
        scope.insight(
            "path",
            f"most is spent on the path {path}: {number:,} turns{compared}",
            amount=amount,
            rows=number,
            figures=figures,
            traces=[rows[0].example],
            caveats=("a turn whose cost is not known is left out",),
        )
    ]


def _paths(scope: Scope) -> Select[Any]:
    """The dearest paths, each with its turns, what they cost, and one of them; and what all paths come to."""
    in_order: dict[str, Any] = {
        "partition_by": AGENTS.c.trace_id,
        "order_by": (AGENTS.c.execution_order, AGENTS.c.id),
    }
    so_far = func.aggregate_strings(AGENTS.c.agent_type, " → ")
    steps = (
        select(
            AGENTS.c.trace_id,
            so_far.over(**in_order).label("path"),
            func.lead(AGENTS.c.id).over(**in_order).label("following"),
        )
        .where(*scope.spans(AGENTS))
        .subquery("steps")
    )
    whole, fraction = sums(TRACES.c.total_cost)
    return (
        select(
            steps.c.path,
            func.count().label("turns"),
            whole.label("micros"),
            fraction.label("rest"),
            func.min(steps.c.trace_id).label("example"),
            func.count().over().label("paths"),
            func.sum(func.count()).over().label("all_turns"),
            total(whole).over().label("all_micros"),
            total(fraction).over().label("all_rest"),
        )
        .join(TRACES, TRACES.c.trace_id == steps.c.trace_id)
        .where(steps.c.following.is_(None), TRACES.c.total_cost.is_not(None), *scope.turns())
        .group_by(steps.c.path)
        .order_by(whole.desc(), steps.c.path)
        .limit(_NAMED)
    )
