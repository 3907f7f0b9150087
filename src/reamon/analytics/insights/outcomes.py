"""What a call costs that ends in one way or another, and what is spent for each that ends well."""

from decimal import Decimal

from reamon.analytics.insights.ended_calls import CallGroup, EndedCalls, cost, cost_of_one, number, unpriced
from reamon.analytics.insights.insight import Figure, Insight
from reamon.analytics.insights.scope import Scope, in_usd, mean


def told(scope: Scope, ended: EndedCalls) -> list[Insight]:
    """The cost of each outcome."""
    by_outcome: dict[str, list[CallGroup]] = {}
    for group in ended.groups:
        if group.outcome is not None:
            by_outcome.setdefault(group.outcome, []).append(group)
    means = {
        outcome: each
        for outcome, groups in sorted(by_outcome.items())
        if number(groups) >= scope.minimum and (each := cost_of_one(groups)) is not None
    }
    if len(means) < 2:
        return []
    whole = cost(ended.groups) or Decimal(0)
    figures: dict[str, Figure] = {"calls": number(ended.groups)}
    for outcome, each in means.items():
        figures[f"calls that ended in {outcome}"] = number(by_outcome[outcome])
        figures[f"cost of a call that ended in {outcome}"] = each
        figures[f"everything spent, for each {outcome}"] = mean(whole, number(by_outcome[outcome]))
    by_price = sorted(means, key=means.__getitem__, reverse=True)
    dearest, cheapest = by_price[0], by_price[-1]
    return [
        scope.insight(
            "outcome",
            f"a call that ends in {dearest} costs {in_usd(means[dearest])}, "
            f"one that ends in {cheapest} {in_usd(means[cheapest])}",
            amount=whole,
            rows=number(ended.groups),
            figures=figures,
            traces=[min(group.example for group in by_outcome[outcome]) for outcome in (dearest, cheapest)],
            caveats=(
                "a call's outcome is the last that one of its turns recorded",
                f"outcomes of fewer than {scope.minimum} calls are left out",
                *unpriced(ended.groups),
            ),
        )
    ]
