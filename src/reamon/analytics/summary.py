"""The summary: what a store holds, in the figures that a campaign is judged by."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import msgspec

from reamon.analytics.percentiles import percentile
from reamon.model import CostBreakdown, CostData
from reamon.model.cost import EXACT, rounded
from reamon.store.facts import AgentFact, CostFact, ErrorFact, Facts, ModelUsage, StepFact, TurnFact

if TYPE_CHECKING:
    from reamon.store import Store


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took, in milliseconds; percentiles by nearest rank."""

    p50_ms: float
    p95_ms: float
    max_ms: float


class OutcomeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls ended in one way; `outcome` is None for those that recorded none."""

    outcome: str | None
    calls: int


class AgentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one type of agent did.

    Attributes:
        agent_type: The type.
        executions: How often it ran.
        errors: How many executions failed.
        degraded: How many answered, but not as they should.
        latency: Of the executions that have ended; None where none has.
        mean_wait_ms: Mean time spent waiting for a turn, over the executions that recorded it; None where none did.
        cost: The sum of the known costs of its executions; None where none is known.
    """

    agent_type: str
    executions: int
    errors: int
    degraded: int
    latency: Latency | None
    mean_wait_ms: float | None
    cost: Decimal | None


class ErrorSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One type of error.

    Attributes:
        error_type: The exception's class.
        occurrences: How often it arose; passing through enclosing spans does not count again.
        turns: How many workflow traces met it.
        where: The kind and name of the span in which it arose most often.
        message: What it said the last time.
    """

    error_type: str
    occurrences: int
    turns: int
    where: str
    message: str | None


class CallCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a call costs, in USD, over the calls that cost something and whose cost is completely known.

    Attributes:
        calls: How many calls that are.
        mean: Their mean, rounded to twelve places.
        p50: Their median by nearest rank.
        max: The dearest.
    """

    calls: int
    mean: Decimal
    p50: Decimal
    max: Decimal


class CostSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What everything cost, in USD.

    Attributes:
        total: The sum of all known amounts; None where nothing is known.
        status: "complete", "partial" (something that was used has no known price) or "unknown".
        by_type: The known amounts by cost type, dearest first.
        unpriced: How many usages have no known price: details without an amount, and spans that used something and
            have no detail.
        per_call: What a call costs; None where no call's cost is completely known.
    """

    total: Decimal | None
    status: str
    by_type: dict[str, Decimal]
    unpriced: int
    per_call: CallCost | None


class SlowestStep(msgspec.Struct, frozen=True, kw_only=True):
    """The span that took longest among those that have nothing below them."""

    kind: str
    name: str
    duration_ms: float
    span_id: str
    trace_id: str
    call_id: str | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A store, or one project of it, in figures.

    Attributes:
        project: The project that was asked for; None means all.
        first_start: When the first turn began.
        last_start: When the last turn began.
        calls: How many calls there are.
        turns: How many workflow traces there are.
        statuses: How many turns there are of each status.
        outcomes: How many calls ended in each way (a call's last recorded outcome), the most frequent first.
        latency: Of the turns that have ended; None where none has.
        agents: One entry for each type of agent, by name.
        models: One entry for each model.
        errors: One entry for each type of error, the most frequent first.
        cost: What it cost.
        slowest_step: The slowest piece of work; None where nothing has ended.
    """

    project: str | None
    first_start: datetime | None
    last_start: datetime | None
    calls: int
    turns: int
    statuses: dict[str, int]
    outcomes: tuple[OutcomeSummary, ...]
    latency: Latency | None
    agents: tuple[AgentSummary, ...]
    models: tuple[ModelUsage, ...]
    errors: tuple[ErrorSummary, ...]
    cost: CostSummary
    slowest_step: SlowestStep | None


async def summarize(store: "Store", project: str | None = None) -> Summary:
    """Compute the summary of what `store` holds, all of it as of one moment.

    Args:
        store: An open store.
        project: Look at this project alone.

    Example:
        ```python
        async with Store.open("calls.db") as store:
            summary = await summarize(store)
            print(summary.calls, summary.cost.total)
        ```
    """
    return summary_of(await store.facts(project), project)


def summary_of(facts: Facts, project: str | None = None) -> Summary:
    """The summary of facts that were read already."""
    with localcontext(EXACT):
        return _summary(facts, project)


def _summary(facts: Facts, project: str | None) -> Summary:
    calls = _calls(facts.turns)
    return Summary(
        project=project,
        first_start=facts.turns[0].start_time if facts.turns else None,
        last_start=facts.turns[-1].start_time if facts.turns else None,
        calls=len(calls),
        turns=len(facts.turns),
        statuses=dict(Counter(turn.status for turn in facts.turns).most_common()),
        outcomes=_outcomes(calls.values()),
        latency=_latency(turn.duration_ms for turn in facts.turns),
        agents=_agents(facts.agents),
        models=tuple(facts.models),
        errors=_errors(facts.errors),
        cost=_cost(facts, calls.values()),
        slowest_step=_slowest(facts.slowest, facts.turns),
    )


Calls = Iterable[Sequence[TurnFact]]


def _calls(turns: Sequence[TurnFact]) -> dict[str, list[TurnFact]]:
    calls: defaultdict[str, list[TurnFact]] = defaultdict(list)
    for turn in turns:
        if turn.call_id is not None:
            calls[turn.call_id].append(turn)
    return calls


def _outcomes(calls: Calls) -> tuple[OutcomeSummary, ...]:
    last = (next((turn.outcome for turn in reversed(turns) if turn.outcome), None) for turns in calls)
    return tuple(OutcomeSummary(outcome=outcome, calls=number) for outcome, number in Counter(last).most_common())


def _latency(durations: Iterable[float | None]) -> Latency | None:
    ordered = sorted(duration for duration in durations if duration is not None)
    if not ordered:
        return None
    return Latency(p50_ms=percentile(ordered, 50), p95_ms=percentile(ordered, 95), max_ms=ordered[-1])


def _agents(executions: Iterable[AgentFact]) -> tuple[AgentSummary, ...]:
    by_type: defaultdict[str, list[AgentFact]] = defaultdict(list)
    for execution in executions:
        by_type[execution.agent_type].append(execution)
    return tuple(_agent(agent_type, by_type[agent_type]) for agent_type in sorted(by_type))


def _agent(agent_type: str, executions: Sequence[AgentFact]) -> AgentSummary:
    waits = [execution.queue_wait_ms for execution in executions if execution.queue_wait_ms is not None]
    costs = [execution.cost for execution in executions if execution.cost is not None]
    return AgentSummary(
        agent_type=agent_type,
        executions=len(executions),
        errors=sum(execution.status == "error" for execution in executions),
        degraded=sum(execution.status == "degraded" for execution in executions),
        latency=_latency(execution.duration_ms for execution in executions),
        mean_wait_ms=sum(waits) / len(waits) if waits else None,
        cost=sum(costs, Decimal(0)) if costs else None,
    )


def _errors(errors: Sequence[ErrorFact]) -> tuple[ErrorSummary, ...]:
    by_type: defaultdict[str, list[ErrorFact]] = defaultdict(list)
    for error in sorted(errors, key=lambda error: error.span_id):
        by_type[error.error_type].append(error)
    summaries = (_error(error_type, met) for error_type, met in by_type.items())
    return tuple(sorted(summaries, key=lambda error: (-error.occurrences, error.error_type)))


def _error(error_type: str, met: Sequence[ErrorFact]) -> ErrorSummary:
    """The summary of one type: it arose in the spans of which no child met it too."""
    unique = {error.span_id: error for error in met}
    passed_through = {error.parent_id for error in unique.values()}
    origins = [error for error in unique.values() if error.span_id not in passed_through]
    where = Counter(f"{error.kind} {error.name}" for error in origins)
    return ErrorSummary(
        error_type=error_type,
        occurrences=len(origins),
        turns=len({error.trace_id for error in met}),
        where=where.most_common(1)[0][0],
        message=origins[-1].error_message,
    )


def _cost(facts: Facts, calls: Calls) -> CostSummary:
    breakdown = CostBreakdown.of(CostData(cost_type=fact.cost_type, amount=fact.amount) for fact in facts.costs)
    unpriced = [fact.trace_id for fact in facts.costs if fact.amount is None] + facts.unbilled
    is_partial = breakdown.total is not None and bool(unpriced)
    return CostSummary(
        total=breakdown.total,
        status="partial" if is_partial else breakdown.status,
        by_type=dict(sorted(breakdown.by_type.items(), key=lambda item: (-item[1], item[0]))),
        unpriced=len(unpriced),
        per_call=_call_cost(calls, facts.costs, set(unpriced)),
    )


def _call_cost(calls: Calls, details: Iterable[CostFact], unpriced: Collection[str]) -> CallCost | None:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for detail in details:
        totals[detail.trace_id] += detail.amount or 0
    priced = ({turn.trace_id for turn in turns} for turns in calls)
    ordered = sorted(
        sum((totals[trace_id] for trace_id in turns & totals.keys()), Decimal(0))
        for turns in priced
        if turns & totals.keys() and turns.isdisjoint(unpriced)
    )
    if not ordered:
        return None
    return CallCost(
        calls=len(ordered),
        mean=rounded(sum(ordered, Decimal(0)) / len(ordered)),
        p50=percentile(ordered, 50),
        max=ordered[-1],
    )


def _slowest(step: StepFact | None, turns: Sequence[TurnFact]) -> SlowestStep | None:
    if step is None:
        return None
    call_id = next((turn.call_id for turn in turns if turn.trace_id == step.trace_id), None)
    return SlowestStep(call_id=call_id, **msgspec.structs.asdict(step))
