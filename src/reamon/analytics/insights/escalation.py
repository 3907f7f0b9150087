"""Escalation to a dearer tier of models: what it costs, and how the calls end in which it happens."""

from collections.abc import Sequence
from decimal import Decimal

from reamon.analytics.costs import share_of
from reamon.analytics.insights.ended_calls import (
    ESCALATED,
    CallGroup,
    EndedCalls,
    cost,
    cost_of_one,
    number,
    unpriced,
)
from reamon.analytics.insights.insight import Figure, Insight
from reamon.analytics.insights.scope import Scope, in_usd
from reamon.model.cost import EXACT


def told(scope: Scope, ended: EndedCalls) -> list[Insight]:
    """Escalated calls beside the others."""
    escalated = [group for group in ended.groups if group.escalated]
    others = [group for group in ended.groups if not group.escalated]
    each, usual = cost_of_one(escalated), cost_of_one(others)
    if min(number(escalated), number(others)) < scope.minimum or each is None or usual is None:
        return []
    figures: dict[str, Figure] = {
        "escalated calls": number(escalated),
        "other calls": number(others),
        "cost of an escalated call": each,
        "cost of another call": usual,
        "difference of a call": EXACT.subtract(each, usual),
        "dearer model": ended.dearer_model,
    }
    figures |= _endings("escalated calls", escalated)
    figures |= _endings("other calls", others)
    return [
        scope.insight(
            "escalation",
            f"an escalated call costs {in_usd(each)}, another one {in_usd(usual)}; "
            f"{100 * number(escalated) / number(ended.groups):.0f} % of calls are escalated",
            amount=cost(escalated),
            rows=number(ended.groups),
            figures=figures,
            traces=[group.example for group in escalated],
            caveats=(
                f"escalated are calls whose state says {ESCALATED}, or that changed to the dearer model",
                "calls are escalated because they are difficult: how they would have ended otherwise is not known",
                *unpriced(ended.groups),
            ),
        )
    ]


def _endings(what: str, groups: Sequence[CallGroup]) -> dict[str, Figure]:
    """The part of the calls that ended in each way, the most frequent ones."""
    calls = Decimal(number(groups))
    return {
        f"{what} that ended in {group.outcome}": share_of(Decimal(group.calls), calls)
        for group in groups[:4]
        if group.outcome is not None
    }
