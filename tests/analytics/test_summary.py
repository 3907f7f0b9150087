"""The summary, computed from stores whose content is known."""

from decimal import Decimal, localcontext
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reamon.analytics import (
    CallCost,
    ErrorSummary,
    Latency,
    OutcomeSummary,
    SlowestStep,
    Summary,
    summarize,
    summary_of,
)
from reamon.model import CostData, Span, SpanError, SpanStatus, Usage
from reamon.model.times import to_datetime
from reamon.store import Store
from reamon.store.facts import CostFact, Facts, TurnFact
from reamon.testing import make_span
from support.stores import MILLI, SECOND, START, failed, stored, turn

TIMEOUT = SpanError("TimeoutError", "no answer within 500 ms")


async def summary_from(directory: Path, spans: list[Span], project: str | None = None) -> Summary:
    async with Store.open(stored(directory / "calls.db", spans)) as store:
        return await summarize(store, project)


async def test_an_empty_store_has_an_empty_summary(tmp_path: Path) -> None:
    summary = await summary_from(tmp_path, [])
    assert (summary.calls, summary.turns, summary.statuses, summary.outcomes, summary.agents) == (0, 0, {}, (), ())
    assert (summary.latency, summary.slowest_step, summary.first_start) == (None, None, None)
    assert (summary.cost.total, summary.cost.status, summary.cost.per_call) == (None, "unknown", None)


async def test_calls_turns_and_statuses_are_counted(tmp_path: Path) -> None:
    spans = [
        *turn("call-1", 0),
        *turn("call-1", 5),
        *turn("call-2", 2, status=SpanStatus.ERROR),
        *turn(None, 3),
        make_span("turn", "workflow", call_id="call-3", status="running", start_ns=START + 9 * SECOND),
    ]
    summary = await summary_from(tmp_path, spans)
    assert (summary.calls, summary.turns) == (3, 5)
    assert summary.statuses == {"completed": 3, "failed": 1, "running": 1}
    assert (summary.first_start, summary.last_start) == (to_datetime(START), to_datetime(START + 9 * SECOND))


async def test_a_call_counts_with_its_last_recorded_outcome(tmp_path: Path) -> None:
    spans = [
        *turn("call-1", 0, outcome="objection"),
        *turn("call-1", 5, outcome="appointment"),
        *turn("call-1", 9),
        *turn("call-2", 1, outcome="appointment"),
        *turn("call-3", 2),
    ]
    assert (await summary_from(tmp_path, spans)).outcomes == (
        OutcomeSummary(outcome="appointment", calls=2),
        OutcomeSummary(outcome=None, calls=1),
    )


async def test_each_agent_has_its_own_figures(tmp_path: Path) -> None:
    spans = [
        *turn("call-1", 0),
        *failed(turn("call-2", 1), ["conversation"], TIMEOUT),
        make_span(
            "scheduler", "agent", agent_type="scheduler", status="degraded", start_ns=START, end_ns=START + MILLI
        ),
    ]
    conversation, qualification, scheduler = (await summary_from(tmp_path, spans)).agents
    assert (conversation.agent_type, conversation.executions, conversation.errors) == ("conversation", 2, 1)
    assert conversation.latency == Latency(p50_ms=400, p95_ms=400, max_ms=400)
    assert (conversation.mean_wait_ms, conversation.cost) == (20, Decimal("0.0008"))
    assert (qualification.errors, qualification.mean_wait_ms, qualification.cost) == (0, None, Decimal("0.1248"))
    assert (scheduler.degraded, scheduler.cost) == (1, None)


async def test_tokens_are_summed_by_model_and_unknown_ones_are_not_taken_for_none(tmp_path: Path) -> None:
    silent = make_span("chat", "llm", attributes={"gen_ai.request.model": "llama3"})
    known, unknown = sorted(
        (await summary_from(tmp_path, [*turn("call-1", 0), *turn("call-1", 1), silent])).models,
        key=lambda model: model.model or "",
    )
    assert (known.provider, known.model, known.calls, known.counted) == ("openai", "gpt-4o-mini", 2, 2)
    assert (known.input_tokens, known.output_tokens, known.cached_input_tokens) == (2400, 80, 2000)
    assert (unknown.model, unknown.calls, unknown.counted, unknown.input_tokens) == ("llama3", 1, 0, None)


async def test_an_error_counts_where_it_arose_not_where_it_passed_through(tmp_path: Path) -> None:
    spans = [
        *failed(turn("call-1", 0), ["chat", "conversation", "process_input"], TIMEOUT),
        *failed(turn("call-2", 1), ["chat", "speak"], TIMEOUT),
        *failed(turn("call-3", 2), ["process_input"], SpanError("ValueError", "no lead")),
    ]
    assert (await summary_from(tmp_path, spans)).errors == (
        ErrorSummary(
            error_type="TimeoutError", occurrences=3, turns=2, where="llm chat", message="no answer within 500 ms"
        ),
        ErrorSummary(
            error_type="ValueError", occurrences=1, turns=1, where="workflow process_input", message="no lead"
        ),
    )


async def test_an_agent_that_is_a_root_counts_its_error_once(tmp_path: Path) -> None:
    alone = make_span("analytics", "agent", agent_type="analytics", status="error", error=TIMEOUT)
    (error,) = (await summary_from(tmp_path, [alone])).errors
    assert (error.occurrences, error.turns, error.where) == (1, 1, "agent analytics")


async def test_cost_is_told_in_all_and_by_type_and_by_call(tmp_path: Path) -> None:
    cost = (await summary_from(tmp_path, [*turn("call-1", 0), *turn("call-1", 5), *turn("call-2", 1)])).cost
    assert (cost.total, cost.status, cost.unpriced) == (Decimal("0.1884"), "complete", 0)
    assert list(cost.by_type.items()) == [("tts", Decimal("0.1872")), ("llm", Decimal("0.0012"))]
    assert cost.per_call == CallCost(
        calls=2, mean=Decimal("0.094200000000"), p50=Decimal("0.0628"), max=Decimal("0.1256")
    )


async def test_a_usage_without_a_price_makes_the_cost_partial_and_its_call_incomparable(tmp_path: Path) -> None:
    unpriced = make_span("chat", "llm", call_id="call-2", costs=(CostData(cost_type="llm", amount=None),))
    unbilled = make_span("chat", "llm", call_id="call-3", usage=(Usage(input_tokens=5),))
    cost = (await summary_from(tmp_path, [*turn("call-1", 0), unpriced, unbilled])).cost
    assert (cost.total, cost.status, cost.unpriced) == (Decimal("0.0628"), "partial", 2)
    assert cost.per_call is not None
    assert cost.per_call.calls == 1


async def test_a_call_that_used_nothing_is_left_out_of_the_cost_of_a_call(tmp_path: Path) -> None:
    cost = (await summary_from(tmp_path, [*turn("call-1", 0), make_span("turn", "workflow", call_id="call-2")])).cost
    assert cost.status == "complete"
    assert cost.per_call is not None
    assert cost.per_call.calls == 1


async def test_the_slowest_step_is_the_slowest_span_with_nothing_below_it(tmp_path: Path) -> None:
    spans = turn("call-1", 0)
    summary = await summary_from(tmp_path, spans)
    chat = spans[0]
    assert summary.slowest_step == SlowestStep(
        kind="llm", name="chat", duration_ms=350, span_id=chat.span_id, trace_id=chat.trace_id, call_id="call-1"
    )


async def test_an_agent_without_operations_may_be_the_slowest_step(tmp_path: Path) -> None:
    alone = make_span("scheduler", "agent", agent_type="scheduler", start_ns=START, end_ns=START + 2 * SECOND)
    slowest = (await summary_from(tmp_path, [*turn("call-1", 0), alone])).slowest_step
    assert slowest is not None
    assert (slowest.kind, slowest.name, slowest.call_id) == ("agent", "scheduler", None)


async def test_a_project_is_summed_up_apart(tmp_path: Path) -> None:
    spans = [*turn("call-1", 0, project="spring"), *failed(turn("call-2", 1), ["chat"], TIMEOUT)]
    summary = await summary_from(tmp_path, spans, project="spring")
    assert (summary.project, summary.calls, summary.turns, summary.errors) == ("spring", 1, 1, ())
    assert [agent.executions for agent in summary.agents] == [1, 1]
    assert (summary.cost.total, summary.models[0].calls) == (Decimal("0.0628"), 1)
    assert summary.slowest_step is not None
    assert summary.slowest_step.call_id == "call-1"


async def test_sums_are_exact_whatever_precision_the_application_works_with(tmp_path: Path) -> None:
    with localcontext(prec=2):
        cost = (await summary_from(tmp_path, [*turn("call-1", 0), *turn("call-2", 1)])).cost
    assert cost.total == Decimal("0.1256")


amounts = st.decimals(min_value=0, max_value=10**9, places=12)


@given(st.dictionaries(st.integers(0, 9), st.lists(amounts, min_size=1, max_size=4), min_size=1))
def test_calls_together_cost_exactly_the_total(calls: dict[int, list[Decimal]]) -> None:
    turns = [
        TurnFact(
            trace_id=f"{call}-{number}", call_id=str(call), status="completed", outcome=None,
            start_time=to_datetime(START), duration_ms=1.0,
        )
        for call, details in calls.items()
        for number in range(len(details))
    ]  # fmt: skip
    costs = [
        CostFact(trace_id=f"{call}-{number}", cost_type="llm", amount=amount)
        for call, details in calls.items()
        for number, amount in enumerate(details)
    ]
    facts = Facts(turns=turns, agents=[], models=[], costs=costs, unbilled=[], errors=[], slowest=None)
    cost = summary_of(facts).cost
    by_call = sorted(sum(details) for details in calls.values())
    assert cost.total == sum(by_call)
    assert cost.per_call is not None
    assert (cost.per_call.calls, cost.per_call.max) == (len(calls), by_call[-1])
    assert abs(cost.per_call.mean * len(calls) - sum(by_call)) <= len(calls) * Decimal("0.000000000001")
