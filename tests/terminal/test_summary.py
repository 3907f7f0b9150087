"""The summary for people."""

from decimal import Decimal

from reamon.analytics import Summary, summary_of
from reamon.model.times import to_datetime
from reamon.store.facts import AgentFact, CostFact, ErrorFact, Facts, ModelUsage, StepFact, TurnFact
from reamon.terminal import summary_document
from reamon.terminal.layout import lines


def turn(number: int, status: str = "completed", outcome: str | None = None) -> TurnFact:
    return TurnFact(
        trace_id=f"trace-{number}", call_id=f"call-{number}", status=status, outcome=outcome,
        start_time=to_datetime(number * 1_000_000_000), duration_ms=100.0 * (number + 1),
    )  # fmt: skip


def told(facts: Facts) -> list[str]:
    summary: Summary = summary_of(facts)
    return [" ".join(line.plain.split()) for line in lines(summary_document(summary))]


NOTHING = Facts(turns=[], agents=[], models=[], costs=[], unbilled=[], errors=[], slowest=None)


def test_nothing_recorded_is_said_in_a_sentence() -> None:
    assert told(NOTHING) == ["Nothing is recorded yet."]


def test_every_part_has_its_lines() -> None:
    facts = Facts(
        turns=[turn(0, outcome="appointment"), turn(1, status="failed")],
        agents=[AgentFact(agent_type="scheduler", status="error", duration_ms=30.0, queue_wait_ms=2.0, cost=None)],
        models=[
            ModelUsage(
                provider="openai", model="gpt-4o", calls=1200, counted=1100,
                input_tokens=50_000, output_tokens=9000, cached_input_tokens=None,
            )
        ],
        costs=[CostFact(trace_id="trace-0", cost_type="llm", amount=Decimal("0.25"))],
        unbilled=["trace-1"],
        errors=[
            ErrorFact(
                span_id="s", parent_id=None, trace_id="trace-1", kind="agent", name="scheduler",
                error_type="ValueError", error_message="no slot",
            )
        ],
        slowest=StepFact(span_id="s", trace_id="trace-1", kind="agent", name="scheduler", duration_ms=30.0),
    )  # fmt: skip
    out = told(facts)
    assert "turns 2 ✓ 1 completed ✗ 1 failed" in out
    assert "a turn took p50 100 ms, p95 200 ms, max 200 ms" in out
    assert "cost $0.250000 (llm $0.250000) incomplete: some prices are unknown" in out
    assert "cost of a call mean $0.250000, p50 $0.250000, max $0.250000 over the 1 call with all costs known" in out
    assert "slowest step agent scheduler 30 ms in call call-1" in out
    assert "appointment 1 50.0 % ████████████████████" in out
    assert "scheduler 1 1 0 30 ms 30 ms 30 ms ██████████ 2.0 ms" in out
    assert "openai/gpt-4o 1,200 1,100 50,000 unknown 9,000" in out
    assert "ValueError 1 1 agent scheduler no slot" in out


def test_what_nobody_priced_is_not_called_free() -> None:
    facts = Facts(turns=[turn(0)], agents=[], models=[], costs=[], unbilled=["trace-0"], errors=[], slowest=None)
    assert "cost no cost is known" in told(facts)
