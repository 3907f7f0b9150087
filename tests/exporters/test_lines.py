"""A span as a line of JSON, and back."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given

from reamon.exporters._lines import beginning_of, from_line, to_line
from reamon.model import CostData, Payload, Span, SpanEvent
from reamon.testing import make_span, sample_spans
from support.spans import spans


def test_a_line_has_the_keys_of_the_contract_in_their_order() -> None:
    root = make_span("turn", "workflow", call_id="call-1", start_ns=1_700_000_000_123_456_789)
    span = make_span(
        "qualify",
        "agent",
        parent=root,
        start_ns=1_700_000_000_123_456_789,
        end_ns=1_700_000_000_125_000_000,
        agent_type="qualification",
        input={"text": "hello"},
        output={"text": "bye"},
        state_before={"score": 0},
    )
    assert json.loads(to_line(span)) == {
        "span_id": span.span_id,
        "trace_id": root.span_id,
        "parent_id": root.span_id,
        "kind": "agent",
        "name": "qualify",
        "status": "ok",
        "start_time": "2023-11-14T22:13:20.123456Z",
        "end_time": "2023-11-14T22:13:20.125000Z",
        "duration_ms": 1.543211,
        "call_id": "call-1",
        "agent_type": "qualification",
        "input": {"text": "hello"},
        "output": {"text": "bye"},
        "state_before": {"score": 0},
        "ancestors": [root.span_id],
    }


def test_a_payload_is_spliced_as_the_bytes_that_it_is() -> None:
    line = to_line(make_span(input=Payload(b'{"b": 1.50, "a":2}')))
    assert b'"input":{"b": 1.50, "a":2}' in line


def test_indented_json_in_a_payload_does_not_tear_the_line() -> None:
    line = to_line(make_span(input=Payload(b'{\n  "a": "x\\ny"\n}\n')))
    assert line.count(b"\n") == 1
    assert json.loads(line)["input"] == {"a": "x\ny"}


def test_money_is_exact_text() -> None:
    cost = CostData(cost_type="llm", amount=Decimal("0.100000000001"), unit_cost=Decimal("0.00003"))
    unknown = CostData(cost_type="tts", amount=None)
    written = json.loads(to_line(make_span(costs=(cost, unknown))))["costs"]
    assert [detail["amount"] for detail in written] == ["0.100000000001", None]
    assert written[0]["unit_cost"] == "0.00003"


def test_a_payload_of_null_is_not_the_same_as_none() -> None:
    span = from_line(to_line(make_span(output=None)))
    assert span.output == Payload(b"null")
    assert span.input is None


def test_an_event_has_a_time_that_people_read() -> None:
    line = to_line(make_span(events=(SpanEvent("retry", 1_700_000_000_000_001_000, {"attempt": 2}),)))
    assert json.loads(line)["events"] == [
        {"name": "retry", "time": "2023-11-14T22:13:20.000001Z", "attributes": {"attempt": 2}}
    ]


def test_what_json_cannot_say_is_described_and_the_rest_of_the_line_stands() -> None:
    span = make_span("lone \ud800", attributes={"lock": object(), "n": 1}, input={"a": 1}, tags=("x",))
    written = json.loads(to_line(span))
    assert written["name"] == "lone \\ud800"
    assert written["attributes"]["n"] == 1
    assert written["attributes"]["lock"]["__type__"] == "object"
    assert (written["input"], written["tags"]) == ({"a": 1}, ["x"])


def test_a_circular_attribute_does_not_keep_the_span_from_being_written() -> None:
    circle: dict[str, object] = {"n": 1}
    circle["self"] = circle
    assert json.loads(to_line(make_span(attributes=circle)))["attributes"]["n"] == 1


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"span_id":"x"}', b"null\n"])
def test_what_is_no_line_of_ours_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_line(line)


def test_a_line_begins_with_the_id_of_its_span() -> None:
    span = make_span()
    assert to_line(span).startswith(beginning_of(span.span_id))


@pytest.mark.parametrize("span", sample_spans(), ids=lambda span: repr(span.name))
def test_every_sample_is_one_line_of_json(span: Span) -> None:
    line = to_line(span)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["span_id"] == span.span_id


@given(spans())
def test_a_span_comes_back_from_its_line_as_it_was(span: Span) -> None:
    assert from_line(to_line(span)) == span


@given(spans())
def test_a_line_is_one_line_and_valid_json(span: Span) -> None:
    line = to_line(span)
    assert line.count(b"\n") == 1
    assert msgspec.json.decode(line)["trace_id"] == span.trace_id
