"""Paths: which agents ran one after the other in a turn, and which sequence of them costs most."""

from typing import Any, Final

from sqlalchemy import Select, func, select

from reamon.analytics.costs import share_of
from reamon.analytics.insights.insight import Figure, Insight
from reamon.analytics.insights.scope import EXACT, Scope, mean, sums
from reamon.store.exact_sums import usd
from reamon.store.views import AGENTS, TRACES

_MOST: Final = 1_000
_NAMED: Final = 3


async def find(scope: Scope) -> list[Insight]:
    """The path on which most was spent, and how dear a turn on it is beside the others."""
    rows = await scope.rows(_paths(scope))
    turns = sum(row.turns for row in rows)
    if len(rows) < 2 or turns < scope.minimum:
        return []
    amounts = [(row.path, int(row.turns), usd(row.micros, row.rest), row.example) for row in rows]
    known = [(path, number, amount, example) for path, number, amount, example in amounts if amount is not None]
    if not known:
        return []
    path, number, amount, example = known[0]
    whole = sum((each[2] for each in known), start=known[0][2] * 0)
    usual = mean(whole, turns)
    times = EXACT.divide(mean(amount, number), usual) if usual else None
    if number < scope.minimum:
        return []
    figures: dict[str, Figure] = {
        "turns": number,
        "share": share_of(amount, whole),
        "mean of a turn": mean(amount, number),
        "mean of all turns": usual,
    }
    figures |= {f"then {other}": cost for other, _, cost, _ in known[1:_NAMED]}
    compared = "" if times is None else f", {times:.1f} times the mean of a turn"
    return [
        scope.insight(
            "path",
            f"most is spent on the path {path}: {number:,} turns{compared}",
            amount=amount,
            rows=number,
            figures=figures,
            traces=[example],
            caveats=("a turn whose cost is not known is left out",),
        )
    ]


def _paths(scope: Scope) -> Select[Any]:
    """The paths, the dearest first, each with its turns, what they cost, and one of them."""
    order = (AGENTS.c.execution_order, AGENTS.c.id)
    so_far = func.aggregate_strings(AGENTS.c.agent_type, " → ")
    steps = (
        select(
            AGENTS.c.trace_id,
            so_far.over(partition_by=AGENTS.c.trace_id, order_by=order).label("path"),
            func.row_number()
            .over(partition_by=AGENTS.c.trace_id, order_by=[column.desc() for column in order])
            .label("from_the_end"),
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
        )
        .join(TRACES, TRACES.c.trace_id == steps.c.trace_id)
        .where(steps.c.from_the_end == 1, TRACES.c.total_cost.is_not(None), *scope.turns())
        .group_by(steps.c.path)
        .order_by(whole.desc(), steps.c.path)
        .limit(_MOST)
    )
