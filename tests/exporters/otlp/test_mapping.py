"""Spans of ours as OpenTelemetry has them: ids, names, attributes, events, links, errors."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.exporters import OTLPExporter
from reamon.exporters.otlp.attributes import plain
from reamon.exporters.otlp.mapping import name_of
from reamon.model import CostData, Decision, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus, Usage
from reamon.testing import make_span, sample_spans
from support.otlp_server import OTLPServer, Received

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def server() -> Iterator[OTLPServer]:
    with OTLPServer() as server:
        yield server
        assert server.violations == []


def sent(server: OTLPServer, *spans: Span, **options: Any) -> list[Received]:
    OTLPExporter(server.base, **options).export(spans)
    return server.received


def one(server: OTLPServer, kind: str = "step", **fields: Any) -> Received:
    return sent(server, make_span("name", kind, **fields))[0]


def test_ids_are_the_whole_of_the_trace_and_the_low_half_of_the_span(server: OTLPServer) -> None:
    turn = make_span("turn", "workflow")
    reply = make_span("reply", "llm", parent=turn)
    first, second = sent(server, turn, reply)
    assert first.trace_id == second.trace_id == UUID(turn.trace_id).hex
    assert first.span_id == second.parent_id == UUID(turn.span_id).hex[16:]
    assert second.span_id == UUID(reply.span_id).hex[16:]
    assert first.parent_id is None


@pytest.mark.parametrize(
    ("kind", "name", "otel_kind", "operation"),
    [
        ("workflow", "invoke_workflow name", "INTERNAL", "invoke_workflow"),
        ("agent", "invoke_agent name", "INTERNAL", "invoke_agent"),
        ("llm", "chat name", "CLIENT", "chat"),
        ("tool", "execute_tool name", "INTERNAL", "execute_tool"),
        ("retrieval", "name", "CLIENT", "retrieval"),
        ("stt", "name", "CLIENT", "speech_to_text"),
        ("tts", "name", "CLIENT", "text_to_speech"),
        ("telephony", "name", "CLIENT", None),
        ("step", "name", "INTERNAL", None),
    ],
)
def test_each_kind_has_its_name(
    server: OTLPServer, kind: str, name: str, otel_kind: str, operation: str | None
) -> None:
    span = one(server, kind)
    assert (span.name, span.kind, span.attributes.get("gen_ai.operation.name")) == (name, otel_kind, operation)
    assert span.attributes["reamon.kind"] == kind
    assert {kind.value for kind in SpanKind} >= {kind}


def test_a_model_call_is_called_by_operation_and_model() -> None:
    attributes = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "small"}
    assert name_of(make_span("x", "llm", attributes=attributes)) == "embeddings small"
    assert name_of(make_span("x", "llm", usage=(Usage(model="gpt-4o"),))) == "chat gpt-4o"


def test_usage_is_summed_and_costs_are_exact(server: OTLPServer) -> None:
    span = one(
        server,
        "llm",
        usage=(
            Usage(provider="openai", model="gpt-4o", input_tokens=100, cached_input_tokens=40, output_tokens=7),
            Usage(provider="openai", model="gpt-4o", input_tokens=10, reasoning_tokens=3, audio_seconds=Decimal("1.5")),
        ),
        costs=(CostData(cost_type="llm", amount=Decimal("0.000000000001")),),
    )
    said = span.attributes
    assert said["gen_ai.usage.input_tokens"] == 110
    assert said["gen_ai.usage.cache_read.input_tokens"] == 40
    assert said["gen_ai.usage.output_tokens"] == 7
    assert said["gen_ai.usage.reasoning.output_tokens"] == 3
    assert said["reamon.usage.audio_seconds"] == 1.5
    assert (said["gen_ai.provider.name"], said["gen_ai.request.model"]) == ("openai", "gpt-4o")
    assert (said["reamon.cost.usd"], said["reamon.cost.exact"]) == (1e-12, "0.000000000001")


def test_a_cost_that_nobody_knows_leaves_no_total(server: OTLPServer) -> None:
    costs = (CostData(cost_type="llm", amount=Decimal(1)), CostData(cost_type="tts", amount=None))
    said = one(server, costs=costs).attributes
    assert said["reamon.cost.status"] == "partial"
    assert "reamon.cost.usd" not in said


def test_an_agent_has_its_decision_and_its_state(server: OTLPServer) -> None:
    span = one(
        server,
        "agent",
        agent_type="qualification",
        decision=Decision(next_agent="scheduler", confidence=0.9),
        state_before={"score": 0},
        state_after={"score": 1},
    )
    said = span.attributes
    assert (said["gen_ai.agent.name"], said["reamon.agent_type"]) == ("name", "qualification")
    assert (said["reamon.decision.next_agent"], said["reamon.decision.confidence"]) == ("scheduler", 0.9)
    assert (said["reamon.state.before"], said["reamon.state.after"]) == ('{"score":0}', '{"score":1}')


def test_payloads_stay_at_home_where_they_are_not_wanted(server: OTLPServer) -> None:
    span = make_span("x", "tool", input="secret", output="secret", state_before="secret", state_after="secret")
    assert "secret" not in str(sent(server, span, payloads=False)[0].attributes)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (SpanStatus.OK, "OK", ""),
        (SpanStatus.ERROR, "ERROR", "no answer"),
        (SpanStatus.INTERRUPTED, "ERROR", "no answer"),
        (SpanStatus.CANCELLED, "UNSET", ""),
        (SpanStatus.DEGRADED, "UNSET", ""),
    ],
)
def test_a_status_that_opentelemetry_lacks_is_an_attribute(
    server: OTLPServer, status: SpanStatus, code: str, message: str
) -> None:
    error = None if status is SpanStatus.OK else SpanError("TimeoutError", "no answer", "stack")
    span = one(server, status=status, error=error)
    assert (span.status, span.proto.status.message) == (code, message)
    assert span.attributes["reamon.status"] == status.value
    assert span.attributes.get("error.type") == (error and "TimeoutError")


def test_an_error_is_an_exception_event(server: OTLPServer) -> None:
    made = make_span("x", status=SpanStatus.ERROR, error=SpanError("TimeoutError", "no answer", "the stack"))
    (span,) = sent(server, made)
    expected = {
        "exception.type": "TimeoutError",
        "exception.message": "no answer",
        "exception.stacktrace": "the stack",
    }
    assert span.events == [("exception", made.end_ns, expected)]


def test_events_and_times_keep_their_nanoseconds(server: OTLPServer) -> None:
    made = make_span("x", start_ns=1_700_000_000_000_000_001, end_ns=1_700_000_000_000_000_009, first_token_ns=3)
    event = SpanEvent("retry", 1_700_000_000_000_000_005, {"attempt": 2})
    (span,) = sent(server, made.replace(events=(event,)))
    assert (span.proto.start_time_unix_nano, span.proto.end_time_unix_nano) == (made.start_ns, made.end_ns)
    assert span.events == [
        ("retry", 1_700_000_000_000_000_005, {"attempt": 2}),
        ("gen_ai.first_token", 1_700_000_000_000_000_004, {}),
    ]


def test_links_to_strangers_keep_their_ids_and_those_to_ours_become_theirs(server: OTLPServer) -> None:
    outer = make_span("outer")
    links = (
        SpanLink(TRACE, SPAN, "remote_parent"),
        SpanLink(outer.trace_id, outer.span_id, "parent_trace"),
        SpanLink("nothing", "that anybody knows", "linked"),
    )
    span = one(server, "workflow", links=links)
    assert span.links == [
        (TRACE, SPAN, {"reamon.relation": "remote_parent"}),
        (UUID(outer.trace_id).hex, UUID(outer.span_id).hex[16:], {"reamon.relation": "parent_trace"}),
    ]
    assert span.parent_id is None


def test_the_resource_is_of_the_process_that_recorded(server: OTLPServer) -> None:
    process = "018bcfe5-6800-7800-8000-00000000abcd"
    made = make_span(process_id=process)
    (span,) = sent(server, made, service_name="voice", resource_attributes={"deployment.environment.name": "a, b=c"})
    assert span.resource["service.instance.id"] == process
    assert (span.resource["service.name"], span.resource["deployment.environment.name"]) == ("voice", "a, b=c")
    assert span.scope == "reamon"


def test_a_collector_can_read_every_sample(server: OTLPServer) -> None:
    spans = sample_spans()
    received = {span.our_id: span for span in sent(server, *spans)}
    assert received.keys() == {span.span_id for span in spans}
    for span in spans:
        assert received[span.span_id].attributes["reamon.kind"] == span.kind.value
        assert (received[span.span_id].parent_id is None) == (span.parent_id is None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(said=st.dictionaries(st.text(), JSON, max_size=4))
def test_whatever_an_attribute_is_it_can_be_sent(said: dict[str, Any]) -> None:
    for name, value in plain(said).items():
        name.encode()
        items = value if isinstance(value, list) else [value]
        assert len({type(item) for item in items}) == 1
        assert all(isinstance(item, str | bool | int | float) for item in items)
        assert all(not isinstance(item, int) or -(1 << 63) <= item < 1 << 63 for item in items)
        assert all(not isinstance(item, str) or item.encode().decode() == item for item in items)
