"""Rows: every field of a span has a column, and its value arrives there unchanged."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given

from reamon.model import CostData, Decision, Payload, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus, Usage
from reamon.model.times import iso
from reamon.store import rows
from reamon.testing import make_span
from support.spans import spans


def named(columns: tuple[str, ...], row: rows.Row) -> dict[str, Any]:
    """A row as a dictionary, with None for NULL."""
    values = (None if isinstance(value, float) and math.isnan(value) else value for value in row)
    return dict(zip(columns, values, strict=True))


def operation(span: Span) -> dict[str, Any]:
    return named(rows.OPERATION_COLUMNS, rows.operation_row(span))


def agent(span: Span) -> dict[str, Any]:
    return named(rows.AGENT_COLUMNS, rows.agent_row(span))


def workflow(span: Span) -> dict[str, Any]:
    return named(rows.WORKFLOW_COLUMNS, rows.workflow_row(span))


def decoded(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def shared(span: Span) -> Iterator[tuple[str, Any]]:
    """What all three tables say of a span."""
    yield "start_time", iso(span.start_ns)
    yield "end_time", None if span.end_ns is None else iso(span.end_ns)
    yield "duration_ms", None if span.duration_ns is None else span.duration_ns / 1e6
    yield "queue_wait_ms", None if span.queue_wait_ns is None else span.queue_wait_ns / 1e6
    yield "first_token_ms", None if span.first_token_ns is None else span.first_token_ns / 1e6
    yield "status_reason", span.status_reason or None
    yield "error_type", span.error.type if span.error else None
    yield "error_message", span.error.message if span.error else None
    yield "error_stack", span.error.stack if span.error else None
    yield "input_data", span.input.text if span.input else None
    yield "output_data", span.output.text if span.output else None


@given(spans())
def test_every_table_says_what_the_span_says(span: Span) -> None:
    for row in (operation(span), agent(span), workflow(span)):
        assert {name: row[name] for name, _ in shared(span)} == dict(shared(span))
        assert (decoded(row["attributes"]) or {}) == span.attributes
        assert len(decoded(row["events"]) or []) == len(span.events)
        assert msgspec.convert(decoded(row["usage"]) or [], tuple[Usage, ...]) == span.usage
        assert len(decoded(row["links"]) or []) == len(span.links)


@given(spans())
def test_an_agents_row_holds_its_states_and_its_decision(span: Span) -> None:
    row = agent(span)
    assert row["agent_type"] == (span.agent_type or span.name)
    assert row["state_before"] == (span.state_before.text if span.state_before else None)
    assert row["state_after"] == (span.state_after.text if span.state_after else None)
    assert msgspec.convert(decoded(row["decision"]), Decision | None) == span.decision
    assert row["success"] == (span.status is SpanStatus.OK)


@given(spans())
def test_nothing_is_lost_where_a_table_has_no_column(any_span: Span) -> None:
    span = any_span.replace(kind=SpanKind.TOOL)
    kept = decoded(operation(span)["extra"]) or {}
    assert msgspec.convert(kept.get("decision"), Decision | None) == span.decision
    for name, payload in (("state_before", span.state_before), ("state_after", span.state_after)):
        assert kept.get(name) == (payload.value if payload else None)


PLAIN = make_span(parent=make_span(), input={"n": 1}, output={"ok": True}, agent_id="agent", process_id="p")

HELD_BY_A_PLAIN_ROW = {
    "span_id", "trace_id", "parent_id", "kind", "name", "status", "start_ns", "end_ns", "input", "output",
}  # fmt: skip
NOT_IN_OPERATIONS = {
    "ancestors", "process_id", "call_id", "project", "tags", "agent_type", "agent_id", "execution_order",
}  # fmt: skip
"""What is known of the trace or of an agent, and has no column in `operations`, plain or not."""

UNUSUAL: dict[str, Any] = {
    "parent_id": None,
    "end_ns": None,
    "version": "2",
    "metadata": Payload(b"{}"),
    "first_token_ns": 0,
    "attributes": {"a": 1},
    "outcome": "booked",
    "state_before": Payload(b"{}"),
    "state_after": Payload(b"{}"),
    "decision": Decision(),
    "usage": (Usage(),),
    "costs": (CostData(cost_type="llm", amount=None),),
    "events": (SpanEvent("retry", 0),),
    "error": SpanError("ValueError", ""),
    "status_reason": "slow",
    "links": (SpanLink("a", "b"),),
    "queue_wait_ns": 0,
}
"""A value of each field that a plain row cannot hold."""


def test_every_field_of_a_span_is_held_by_a_plain_row_or_makes_it_not_plain() -> None:
    assert set(Span.__struct_fields__) - HELD_BY_A_PLAIN_ROW - NOT_IN_OPERATIONS <= set(UNUSUAL)


@pytest.mark.parametrize("field", UNUSUAL)
def test_what_a_plain_row_cannot_hold_makes_a_span_not_plain(field: str) -> None:
    assert rows.is_plain(PLAIN)
    assert not rows.is_plain(PLAIN.replace(**{field: UNUSUAL[field]}))


@given(spans())
def test_a_plain_row_says_what_the_full_one_does(any_span: Span) -> None:
    plain = PLAIN.replace(**{name: getattr(any_span, name) for name in HELD_BY_A_PLAIN_ROW | NOT_IN_OPERATIONS})
    if rows.is_plain(plain):
        full = operation(plain)
        assert named(rows.PLAIN_COLUMNS, rows.plain_operation_row(plain)) == {
            name: full.pop(name) for name in rows.PLAIN_COLUMNS
        }
        assert set(full.values()) == {None}


def test_a_minimal_span_has_no_extra() -> None:
    assert operation(make_span(parent=make_span()))["extra"] is None


def test_outcome_version_and_metadata_below_the_root_are_extra() -> None:
    child = make_span(parent=make_span(), outcome="booked", version="2", metadata={"a": 1})
    assert decoded(operation(child)["extra"]) == {"outcome": "booked", "metadata": {"a": 1}, "version": "2"}
    assert decoded(agent(child.replace(kind=SpanKind.AGENT))["extra"]) == {"outcome": "booked", "metadata": {"a": 1}}


def test_a_workflow_that_went_well_is_completed_and_one_that_did_not_has_failed() -> None:
    statuses = {status: workflow(make_span(status=status))["status"] for status in SpanStatus}
    assert statuses == {
        SpanStatus.RUNNING: "running",
        SpanStatus.OK: "completed",
        SpanStatus.ERROR: "failed",
        SpanStatus.CANCELLED: "cancelled",
        SpanStatus.DEGRADED: "degraded",
        SpanStatus.INTERRUPTED: "interrupted",
    }


def test_a_workflow_that_runs_has_no_end() -> None:
    row = workflow(make_span(kind="workflow", status="running"))
    assert (row["end_time"], row["duration_ms"], row["total_cost"], row["cost_status"]) == (None, None, None, "unknown")


def test_counts_are_summed_over_all_usage_and_unknown_where_nobody_says() -> None:
    usage = (
        Usage(provider="openai", model="gpt-4o", input_tokens=100, output_tokens=5),
        Usage(provider="ollama", model="llama3", input_tokens=20),
    )
    row = operation(make_span(kind="llm", usage=usage))
    assert (row["provider"], row["model"]) == ("openai", "gpt-4o")
    assert (row["input_tokens"], row["output_tokens"], row["cached_input_tokens"]) == (120, 5, None)


def test_a_sum_of_counts_beyond_64_bits_is_unknown_and_costs_no_span() -> None:
    usage = (Usage(input_tokens=(1 << 63) - 1, output_tokens=(1 << 63) - 2), Usage(input_tokens=1, output_tokens=1))
    row = operation(make_span(kind="llm", usage=usage))
    assert (row["input_tokens"], row["output_tokens"]) == (None, (1 << 63) - 1)
    assert msgspec.convert(decoded(row["usage"]), tuple[Usage, ...]) == usage


def test_provider_and_model_come_from_the_attributes_where_no_usage_names_them() -> None:
    attributes = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    row = operation(make_span(kind="llm", attributes=attributes, usage=(Usage(input_tokens=1),)))
    assert (row["provider"], row["model"]) == ("openai", "gpt-4o")
    assert operation(make_span(kind="llm", attributes={"gen_ai.request.model": 4}))["model"] is None


def test_an_events_time_is_readable() -> None:
    row = operation(make_span(events=(SpanEvent("retry", 1_700_000_000_123_456_789, {"attempt": 2}),)))
    assert decoded(row["events"]) == [
        {"name": "retry", "time": "2023-11-14T22:13:20.123456Z", "attributes": {"attempt": 2}}
    ]


def test_payloads_are_spliced_as_they_are_and_not_encoded_again() -> None:
    odd = Payload(b'{ "spaced" :\t1.0 }')
    row = operation(make_span(input=odd, state_before=odd))
    assert row["input_data"] == odd.text
    assert row["extra"] == '{"state_before":' + odd.text + "}"


def test_details_of_one_type_and_price_are_numbered_so_that_none_is_lost() -> None:
    costs = tuple(
        CostData(cost_type=kind, amount=Decimal("0.1"), price_version=version)
        for kind, version in (("llm", "1"), ("llm", "1"), ("llm", "2"), ("tts", "1"))
    )
    found = [named(rows.COST_COLUMNS, row) for row in rows.cost_rows(make_span(costs=costs))]
    assert [(row["cost_type"], row["price_version"], row["item"]) for row in found] == [
        ("llm", "1", 0),
        ("llm", "1", 1),
        ("llm", "2", 0),
        ("tts", "1", 0),
    ]


def test_an_amount_has_twelve_places_and_an_unknown_one_is_null() -> None:
    costs = (
        CostData(cost_type="llm", amount=Decimal("1E-7"), usage_units=Decimal("1E+3")),
        CostData(cost_type="tts", amount=None),
    )
    span = make_span(costs=costs)
    known, unknown = (named(rows.COST_COLUMNS, row) for row in rows.cost_rows(span))
    assert (known["cost_amount"], known["usage_units"]) == ("0.000000100000", "1000")
    assert unknown["cost_amount"] is None
    assert operation(span)["cost"] == "0.000000100000"


def test_a_span_of_unknown_cost_has_none_which_is_not_zero() -> None:
    assert operation(make_span(costs=(CostData(cost_type="llm", amount=None),)))["cost"] is None


def test_an_agent_at_the_root_has_nothing_extra() -> None:
    alone = make_span(kind="agent", state_before={"score": 0}, decision=Decision(action="stop"), version="3")
    assert (agent(alone)["extra"], workflow(alone)["extra"]) == (None, None)


def test_sqlite_stores_what_stands_for_null_as_null() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("SELECT typeof(?)", (rows.NULL,)).fetchone() == ("null",)
