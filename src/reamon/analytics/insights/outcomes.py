"""What a call costs that ends in one way or another, and what is spent for each that ends well."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, select

from reamon.analytics.insights.insight import Figure, Insight
from reamon.analytics.insights.scope import Scope, call_of, in_usd, mean, sums
from reamon.store.cost_grouping import outcome_of_call
from reamon.store.exact_sums import usd
from reamon.store.views import TRACES


async def find(scope: Scope) -> list[Insight]:
    """The cost of each outcome."""
    rows = await scope.rows(_outcomes(scope))
    known = [
        (str(row.outcome), int(row.calls), amount, row.example)
        for row in rows
        if row.outcome is not None and (amount := usd(row.micros, row.rest)) is not None
    ]
    enough = [each for each in known if each[1] >= scope.minimum]
    if len(enough) < 2:
        return []
    whole = sum((amount for row in rows if (amount := usd(row.micros, row.rest)) is not None), Decimal(0))
    calls = sum(int(row.calls) for row in rows)
    by_price = sorted(enough, key=lambda each: mean(each[2], each[1]), reverse=True)
    figures: dict[str, Figure] = {"calls": calls}
    for outcome, number, amount, _ in enough:
        figures[f"calls that ended in {outcome}"] = number
        figures[f"cost of a call that ended in {outcome}"] = mean(amount, number)
        figures[f"everything spent, for each {outcome}"] = mean(whole, number)
    dearest, cheapest = by_price[0], by_price[-1]
    return [
        scope.insight(
            "outcome",
            f"a call that ends in {dearest[0]} costs {in_usd(mean(dearest[2], dearest[1]))}, "
            f"one that ends in {cheapest[0]} {in_usd(mean(cheapest[2], cheapest[1]))}",
            amount=whole,
            rows=calls,
            figures=figures,
            traces=[dearest[3], cheapest[3]],
            caveats=(
                "a call's outcome is the last that one of its turns recorded",
                f"outcomes of fewer than {scope.minimum} calls are left out",
            ),
        )
    ]


def _outcomes(scope: Scope) -> Select[Any]:
    turns = (
        select(call_of().label("call"), outcome_of_call().label("outcome"), TRACES.c.total_cost, TRACES.c.trace_id)
        .where(*scope.turns())
        .subquery("ended")
    )
    whole, fraction = sums(turns.c.total_cost)
    return (
        select(
            turns.c.outcome,
            func.count(turns.c.call.distinct()).label("calls"),
            whole.label("micros"),
            fraction.label("rest"),
            func.min(turns.c.trace_id).label("example"),
        )
        .group_by(turns.c.outcome)
        .order_by(turns.c.outcome)
    )
