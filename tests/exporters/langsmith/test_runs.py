import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.exporters.langsmith.runs import Run, RunOptions, to_run
from reamon.guard import guard
from reamon.model import CostData, Decision, Payload, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus, Usage
from reamon.model.ids import uuid7
from reamon.model.times import iso
from reamon.testing import make_span, sample_spans
from reamon.testing.time import START_NS
from support.mapped_runs import decoded, metadata, refusals
from support.spans import spans

OPTIONS = RunOptions(project="calls")
HIDDEN = RunOptions(project="calls", hide_inputs=True, hide_outputs=True, hide_metadata=True)
MILLI = 1_000_000
CALLER = "20251231T235959000000Z018bcfe5-6800-7800-8000-000000000001"
CALLER_CHILD = f"{CALLER}.20251231T235959500000Z018bcfe5-6800-7800-8000-000000000002"


def run_of(*args: Any, **fields: Any) -> Run:
    return to_run(make_span(*args, **fields), OPTIONS)


def test_an_agent_reads_like_a_chain_with_its_states_and_its_decision() -> None:
    turn = make_span("turn", "workflow", call_id="call-1", project="campaign", tags=("outbound",))
    agent = make_span(
        "qualify",
        SpanKind.AGENT,
        parent=turn,
        start_ns=START_NS,
        span_id="019b76da-a800-7000-8000-000000000009",
        trace_id="019b76da-a800-7000-8000-000000000001",
        parent_id="019b76da-a800-7000-8000-000000000001",
        ancestors=("019b76da-a800-7000-8000-000000000001",),
        tags=("outbound",),
        agent_type="qualification",
        execution_order=2,
        version="3",
        input={"text": "hello"},
        output={"reply": "how large?"},
        state_before={"score": 0},
        state_after={"score": 0.7},
        decision=Decision(next_agent="scheduler", reasoning="budget is there", confidence=0.9),
        queue_wait_ns=250_000,
        process_id="p-1",
    )

    run = decoded(to_run(agent, OPTIONS))
    runtime = run["extra"].pop("runtime")

    assert run == {
        "id": "019b76da-a800-7000-8000-000000000009",
        "trace_id": "019b76da-a800-7000-8000-000000000001",
        "parent_run_id": "019b76da-a800-7000-8000-000000000001",
        "dotted_order": "20260101T000000000000Z019b76da-a800-7000-8000-000000000001"
        ".20260101T000000000000Z019b76da-a800-7000-8000-000000000009",
        "name": "qualify",
        "run_type": "chain",
        "start_time": "2026-01-01T00:00:00.000000Z",
        "end_time": "2026-01-01T00:00:00.010000Z",
        "session_name": "campaign",
        "tags": ["outbound"],
        "inputs": {"text": "hello", "state_before": {"score": 0}},
        "outputs": {"reply": "how large?", "state_after": {"score": 0.7}},
        "extra": {
            "metadata": {
                "reamon_kind": "agent",
                "thread_id": "call-1",
                "project": "campaign",
                "version": "3",
                "agent_type": "qualification",
                "execution_order": 2,
                "decision": {"next_agent": "scheduler", "reasoning": "budget is there", "confidence": 0.9},
                "next_agent": "scheduler",
                "confidence": 0.9,
                "queue_wait_ms": 0.25,
            }
        },
    }
    assert runtime["sdk"] == "reamon"
    assert runtime["process_id"] == "p-1"


@pytest.mark.parametrize(
    ("kind", "run_type"),
    [
        (SpanKind.WORKFLOW, "chain"),
        (SpanKind.AGENT, "chain"),
        (SpanKind.STEP, "chain"),
        (SpanKind.LLM, "llm"),
        (SpanKind.TOOL, "tool"),
        (SpanKind.STT, "tool"),
        (SpanKind.TTS, "tool"),
        (SpanKind.TELEPHONY, "tool"),
        (SpanKind.RETRIEVAL, "retriever"),
    ],
)
def test_every_kind_has_a_run_type_and_is_told(kind: SpanKind, run_type: str) -> None:
    run = run_of(kind=kind)
    assert decoded(run)["run_type"] == run_type
    assert metadata(run)["reamon_kind"] == kind.value


def test_every_sample_span_becomes_a_run_that_the_server_takes() -> None:
    for span in sample_spans():
        assert refusals(to_run(span, OPTIONS)) == [], span.name


def test_a_workflow_that_runs_has_neither_end_nor_outputs_nor_error() -> None:
    run = run_of(kind="workflow", status="running", input={"text": "hi"}, output="early", call_id="call-1")
    assert decoded(run).keys().isdisjoint({"end_time", "outputs", "error"})
    assert refusals(run) == []


# -- inputs and outputs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["hello", 3, None, ["a"], True])
def test_what_is_no_object_goes_under_a_key(value: Any) -> None:
    run = decoded(run_of(input=value, output=value))
    assert run["inputs"] == {"input": value}
    assert run["outputs"] == {"output": value}


def test_a_payload_is_spliced_as_the_bytes_that_it_is() -> None:
    raw = '{ "n": 1.10, "big": 123456789012345678901234567890, "é": "✓" }'.encode()
    assert run_of(input=Payload(raw)).inputs == raw


def test_what_was_not_captured_is_not_sent() -> None:
    run = run_of()
    assert run.inputs is None
    assert run.outputs is None
    assert run.events is None
    assert run.error is None


def test_a_state_stands_beside_a_payload_that_has_such_a_key() -> None:
    run = run_of(input={"state_before": "its own"}, output={"deep": {"state_after": 1}}, state_before=1, state_after=2)
    assert decoded(run)["inputs"] == {"state_before": "its own", "reamon.state_before": 1}
    assert decoded(run)["outputs"] == {"deep": {"state_after": 1}, "state_after": 2}


@pytest.mark.parametrize("value", [None, {}, Payload(b" { } ")])
def test_a_state_needs_no_payload(value: Any) -> None:
    fields = {} if value is None else {"input": value}
    assert decoded(run_of(**fields, state_before={"score": 1}))["inputs"] == {"state_before": {"score": 1}}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b'{"score": NaN}', '{"score": NaN}'),
        (b'{"cut": ', '{"cut":'),
        (b"", ""),
        (b'{"a": "\xff"}', '{"a": "\ufffd"}'),
        (rb'{"a": "\ud800"}', r'{"a": "\ud800"}'),
        (b"[" * 3000 + b"]" * 3000, "[" * 3000 + "]" * 3000),
        (b"[" * 501 + b"]" * 501, "[" * 501 + "]" * 501),
    ],
)
def test_a_payload_that_is_no_json_is_shown_as_text(raw: bytes, shown: str) -> None:
    run = run_of(input=Payload(raw), state_before=Payload(raw), metadata=Payload(raw))
    assert decoded(run)["inputs"] == {"input": shown, "state_before": shown}
    assert metadata(run)["metadata"] == shown
    assert refusals(run) == []


def test_a_payload_with_many_brackets_that_is_not_deep_stays_what_it_is() -> None:
    wide = [{"said": "[[[[{{{{"}] * 600
    assert decoded(run_of(input=wide))["inputs"] == {"input": wide}
    deep = Payload(b"[" * 500 + b"]" * 500)
    assert run_of(input=deep).inputs == b'{"input":%b}' % deep.raw


# -- tree ------------------------------------------------------------------------------------------------------------


def test_a_root_is_its_own_trace() -> None:
    root = make_span("turn", "workflow")
    run = decoded(to_run(root, OPTIONS))
    assert run["trace_id"] == root.span_id
    assert "parent_run_id" not in run


def test_a_child_that_began_before_its_parent_is_put_at_its_start() -> None:
    root = make_span("turn", "workflow", start_ns=START_NS)
    early = make_span("early", parent=root, start_ns=START_NS - 5 * MILLI, end_ns=START_NS - 4 * MILLI)
    leaf = make_span("leaf", parent=early, start_ns=START_NS - 4_500_000, end_ns=START_NS - 4_200_000)

    child, grandchild = decoded(to_run(early, OPTIONS)), decoded(to_run(leaf, OPTIONS))

    assert child["start_time"] == child["end_time"] == iso(START_NS)
    assert child["extra"]["metadata"]["reamon_start_time"] == iso(START_NS - 5 * MILLI)
    assert grandchild["dotted_order"].startswith(child["dotted_order"] + ".")
    assert refusals(to_run(early, OPTIONS)) == refusals(to_run(leaf, OPTIONS)) == []


def test_a_start_that_was_not_moved_is_told_once() -> None:
    start_ns = START_NS + 123_456_789
    run = run_of(start_ns=start_ns, span_id=uuid7(start_ns, 7))
    assert "reamon_start_time" not in metadata(run)


def test_a_start_that_the_id_does_not_know_is_told_beside_it() -> None:
    span = make_span("edited", start_ns=START_NS)
    run = to_run(span.replace(start_ns=START_NS + MILLI), OPTIONS)
    assert decoded(run)["start_time"] == iso(START_NS)
    assert metadata(run)["reamon_start_time"] == iso(START_NS + MILLI)


def test_a_foreign_id_carries_no_start() -> None:
    run = run_of(span_id="3f2504e0-4f89-41d3-9a0c-0305e82c3301", start_ns=START_NS)
    assert decoded(run)["dotted_order"] == "20260101T000000000000Z3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def test_a_foreign_id_above_moves_nothing() -> None:
    foreign = "ffffffff-ffff-41d3-9a0c-0305e82c3301"
    run = run_of(start_ns=START_NS, ancestors=(uuid7(START_NS, 1), foreign), parent_id=foreign)
    assert decoded(run)["start_time"] == iso(START_NS)
    assert refusals(run) == []


def test_a_trace_that_a_langsmith_caller_continues_hangs_below_its_run() -> None:
    links = (SpanLink("t", "s", "langsmith_parent", CALLER_CHILD),)
    root = make_span("turn", "workflow", links=links)
    child = make_span("reply", parent=root, links=links)

    below, leaf = decoded(to_run(root, OPTIONS)), decoded(to_run(child, OPTIONS))

    assert below["trace_id"] == leaf["trace_id"] == "018bcfe5-6800-7800-8000-000000000001"
    assert below["parent_run_id"] == "018bcfe5-6800-7800-8000-000000000002"
    assert leaf["parent_run_id"] == root.span_id
    assert below["dotted_order"].startswith(CALLER_CHILD + ".")
    assert leaf["dotted_order"].startswith(below["dotted_order"] + ".")
    assert "links" not in below["extra"]["metadata"]
    assert refusals(to_run(root, OPTIONS)) == refusals(to_run(child, OPTIONS)) == []


def test_a_caller_whose_clock_is_a_little_ahead_is_followed() -> None:
    caller = "20260101T000500000000Z018bcfe5-6800-7800-8000-000000000001"
    run = run_of(start_ns=START_NS, links=(SpanLink("t", "s", "langsmith_parent", caller),))
    assert decoded(run)["start_time"] == "2026-01-01T00:05:00.000000Z"
    assert metadata(run)["reamon_start_time"] == iso(START_NS)
    assert refusals(run) == []


@pytest.mark.parametrize(
    "context",
    [
        None,
        "",
        "garbage",
        CALLER + ".",
        CALLER[:-1],
        CALLER.replace("20251231", "20251399"),
        CALLER.replace("2025", "2999"),
        f"{CALLER_CHILD}.20251231T235959000000Z018bcfe5-6800-7800-8000-000000000003",
        CALLER + "\r\nX-Evil: 1",
    ],
)
def test_a_caller_that_makes_no_sense_is_not_followed(context: str | None) -> None:
    root = make_span("turn", "workflow", start_ns=START_NS, links=(SpanLink("t", "s", "langsmith_parent", context),))
    child = make_span("reply", parent=root, links=root.links)
    assert decoded(to_run(root, OPTIONS))["trace_id"] == root.span_id
    assert decoded(to_run(child, OPTIONS))["trace_id"] == root.span_id


@given(st.lists(st.integers(-5_000_000_000, 5_000_000_000), min_size=1, max_size=8))
def test_every_path_begins_with_the_path_of_its_parent(offsets: list[int]) -> None:
    start_ns, ancestors, above = START_NS, (), ""
    for number, offset in enumerate(offsets):
        start_ns += offset
        span_id = uuid7(start_ns, number)
        span = make_span(span_id=span_id, start_ns=start_ns, ancestors=ancestors, end_ns=start_ns)
        run = to_run(span, OPTIONS)
        order = decoded(run)["dotted_order"]
        assert refusals(run) == []
        assert order.startswith(above)
        ancestors, above = (*ancestors, span_id), order + "."


# -- metadata --------------------------------------------------------------------------------------------------------


def test_the_conversation_is_the_thread_of_every_run() -> None:
    root = make_span("turn", "workflow", call_id="call-1")
    child = make_span("reply", parent=root)
    assert metadata(to_run(root, OPTIONS))["thread_id"] == metadata(to_run(child, OPTIONS))["thread_id"] == "call-1"


def test_what_the_application_said_is_merged_by_name_but_cannot_take_the_thread_away() -> None:
    said = metadata(run_of(call_id="call-1", metadata={"campaign": 7}, attributes={"lead": "Ada", "thread_id": "x"}))
    assert said["campaign"] == 7
    assert said["lead"] == "Ada"
    assert said["thread_id"] == "call-1"


def test_metadata_keeps_its_digits() -> None:
    run = run_of(metadata=Payload(b'{"amount":0.10,"id":123456789012345678901234567890}'))
    assert run.extra is not None
    assert b'"amount":0.10,"id":123456789012345678901234567890' in run.extra


def test_the_model_is_told_by_usage_or_else_by_the_attributes() -> None:
    attributes = {
        "gen_ai.provider.name": "azure",
        "gen_ai.request.model": "asked",
        "gen_ai.response.model": "answered",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 64,
    }
    asked = metadata(run_of(kind="llm", attributes=attributes))
    billed = metadata(run_of(kind="llm", attributes=attributes, usage=(Usage(provider="openai", model="gpt-4o"),)))
    assert (asked["ls_provider"], asked["ls_model_name"]) == ("azure", "asked")
    assert (asked["ls_temperature"], asked["ls_max_tokens"]) == (0.2, 64)
    assert (billed["ls_provider"], billed["ls_model_name"]) == ("openai", "gpt-4o")


def test_a_model_that_was_named_by_hand_stands() -> None:
    usage = (Usage(model="gpt-4o-2024-08-06"),)
    assert metadata(run_of(attributes={"ls_model_name": "gpt-4o"}, usage=usage))["ls_model_name"] == "gpt-4o"


def test_links_are_told_with_their_relation() -> None:
    said = metadata(run_of(links=(SpanLink("t-1", "s-1", "parent_trace"),)))
    assert said["links"] == [{"trace_id": "t-1", "span_id": "s-1", "relation": "parent_trace"}]


def test_the_project_of_the_span_wins_over_the_one_of_the_options() -> None:
    assert decoded(run_of())["session_name"] == "calls"
    assert decoded(run_of(project="campaign"))["session_name"] == "campaign"


# -- consumption -----------------------------------------------------------------------------------------------------


def test_a_model_call_tells_tokens_details_and_costs() -> None:
    usage = (
        Usage(input_tokens=100, output_tokens=30, cached_input_tokens=40, reasoning_tokens=10, requests=1),
        Usage(input_tokens=20, cache_write_tokens=5, input_audio_tokens=2, output_audio_tokens=3, requests=1),
    )
    costs = (
        CostData(cost_type="llm", amount=Decimal("0.10"), unit="input_tokens"),
        CostData(cost_type="llm", amount=Decimal("0.02"), unit="cached_input_tokens"),
        CostData(cost_type="llm", amount=Decimal("0.3"), unit="output_tokens"),
        CostData(cost_type="infrastructure", amount=Decimal("1")),
    )
    said = metadata(run_of(kind="llm", usage=usage, costs=costs))
    assert said["usage_metadata"] == {
        "input_tokens": 120,
        "output_tokens": 30,
        "total_tokens": 150,
        "input_token_details": {"cache_read": 40, "cache_creation": 5, "audio": 2},
        "output_token_details": {"reasoning": 10, "audio": 3},
        "input_cost": 0.12,
        "output_cost": 0.3,
        "total_cost": 1.42,
    }
    assert said["requests"] == 2


def test_unknown_tokens_are_left_out() -> None:
    assert metadata(run_of(kind="llm", usage=(Usage(input_tokens=7),)))["usage_metadata"] == {
        "input_tokens": 7,
        "total_tokens": 7,
    }


@pytest.mark.parametrize(
    ("amounts", "written"),
    [
        (["0.000000000001"], b"0.000000000001"),
        (["1E-12"], b"0.000000000001"),
        (["123456789012.123456789012"], b"123456789012.123456789012"),
        (["0.1", "0.2"], b"0.3"),
        (["99999999999999999999999999.1", "1E-12"], b"99999999999999999999999999.100000000001"),
        (["0.50"], b"0.50"),
    ],
)
def test_money_is_written_digit_for_digit(amounts: list[str], written: bytes) -> None:
    run = run_of(costs=tuple(CostData(cost_type="tts", amount=Decimal(amount)) for amount in amounts))
    assert run.extra is not None
    assert b'"usage_metadata":{"total_cost":%b}' % written in run.extra


@pytest.mark.parametrize("amount", [None, Decimal("NaN"), Decimal("Infinity")])
def test_a_cost_that_nobody_knows_leaves_no_total(amount: Decimal | None) -> None:
    costs = (CostData(cost_type="llm", amount=Decimal(1)), CostData(cost_type="tts", amount=amount))
    run = run_of(kind="llm", usage=(Usage(input_tokens=1, minutes=Decimal("NaN")),), costs=costs)
    assert metadata(run)["usage_metadata"] == {"input_tokens": 1, "total_tokens": 1}


@pytest.mark.parametrize("kind", ["stt", "tts", "telephony", "agent"])
def test_what_is_no_model_call_tells_the_total_alone(kind: str) -> None:
    costs = (CostData(cost_type=kind, amount=Decimal("0.5"), unit="output_tokens"),)
    said = metadata(run_of(kind=kind, usage=(Usage(characters=310, minutes=Decimal("1.50")),), costs=costs))
    assert said["usage_metadata"] == {"total_cost": 0.5}
    assert (said["characters"], said["minutes"]) == (310, 1.5)


# -- how it went -----------------------------------------------------------------------------------------------------

ERROR = SpanError("TimeoutError", "no answer", "Traceback: ...")


def test_an_error_tells_type_message_and_stack() -> None:
    run = run_of(status="error", error=ERROR)
    assert decoded(run)["error"] == "TimeoutError: no answer\n\nTraceback: ..."
    assert "error_type" not in metadata(run)


def test_an_error_without_an_exception_tells_the_reason() -> None:
    assert decoded(run_of(status="error", status_reason="no budget"))["error"] == "no budget"
    assert decoded(run_of(status="error"))["error"] == "error"


def test_a_cancelled_run_does_not_look_like_a_success() -> None:
    run = run_of(status="cancelled", status_reason="hung up")
    assert decoded(run)["error"] == "CancelledError: hung up"
    assert metadata(run)["reamon_status"] == "cancelled"


def test_an_interrupted_run_says_that_its_process_died() -> None:
    assert decoded(run_of(status="interrupted"))["error"] == "interrupted: the process that ran it died"


def test_a_degraded_run_has_no_error_but_tells_what_happened() -> None:
    run = run_of(status="degraded", status_reason="the model was slow", error=ERROR)
    said = metadata(run)
    assert run.error is None
    assert (said["reamon_status"], said["status_reason"]) == ("degraded", "the model was slow")
    assert (said["error_type"], said["error_message"]) == ("TimeoutError", "no answer")


@pytest.mark.parametrize("name", ["GraphInterrupt", "NodeInterrupt", "GraphBubbleUp"])
def test_an_interrupt_of_a_graph_is_flagged(name: str) -> None:
    run = run_of(status="error", error=SpanError(f"langgraph.errors.{name}", "which slot?"))
    assert metadata(run)["ls_is_error_interrupt"] is True
    assert decoded(run)["error"] == f"langgraph.errors.{name}: which slot?"


def test_an_interrupt_that_is_told_by_its_event_is_flagged_too() -> None:
    run = run_of(status="ok", events=(SpanEvent("interrupt", START_NS, {"values": ["which slot?", 2]}),))
    assert metadata(run)["ls_is_error_interrupt"] is True
    assert decoded(run)["error"] == "GraphInterrupt: which slot?, 2"


def test_an_event_of_that_name_alone_is_no_interrupt() -> None:
    run = run_of(status="ok", events=(SpanEvent("interrupt", START_NS, {"by": "the caller"}),))
    assert "ls_is_error_interrupt" not in metadata(run)
    assert decoded(run).get("error") is None


def test_another_error_is_no_interrupt() -> None:
    assert "ls_is_error_interrupt" not in metadata(run_of(status="error", error=ERROR))


def test_the_first_token_comes_before_the_events() -> None:
    events = (SpanEvent("retry", START_NS + MILLI, {"attempt": 2}), SpanEvent("bare", START_NS))
    run = run_of(start_ns=START_NS, first_token_ns=1_500_000, events=events)
    assert decoded(run)["events"] == [
        {"name": "new_token", "time": "2026-01-01T00:00:00.001500Z"},
        {"name": "retry", "time": "2026-01-01T00:00:00.001000Z", "kwargs": {"attempt": 2}},
        {"name": "bare", "time": "2026-01-01T00:00:00.000000Z"},
    ]
    assert metadata(run)["first_token_ms"] == 1.5


# -- hiding ----------------------------------------------------------------------------------------------------------


def test_what_is_hidden_is_nowhere_in_the_run() -> None:
    secret = {"secret": "s3cret"}
    span = make_span(
        kind="llm",
        call_id="s3cret",
        input=secret,
        output=secret,
        state_before=secret,
        state_after=secret,
        metadata=secret,
        attributes=secret,
        decision=Decision(reasoning="s3cret"),
        outcome="s3cret",
        version="s3cret",
        events=(SpanEvent("e", START_NS, secret),),
        usage=(Usage(provider="openai", model="gpt-4o", input_tokens=1),),
    )
    run = to_run(span, HIDDEN)
    assert "s3cret" not in json.dumps(decoded(run))
    assert decoded(run)["inputs"] == decoded(run)["outputs"] == {}
    assert metadata(run) == {
        "ls_provider": "openai",
        "ls_model_name": "gpt-4o",
        "usage_metadata": {"input_tokens": 1, "total_tokens": 1},
    }


def test_hiding_invents_no_payload() -> None:
    run = to_run(make_span(), HIDDEN)
    assert run.inputs is None
    assert run.outputs is None


# -- what is not sound -----------------------------------------------------------------------------------------------


class Foreign:
    pass


@pytest.mark.parametrize(
    "attributes",
    [
        {"object": Foreign()},
        {"nan": float("nan")},
        {"huge": 10**5000},
        {"lone \ud800": "lone \ud800"},
        {"bytes": b"\xff"},
        {"set": {1, 2}},
        {"decimal": Decimal("NaN")},
        {3: "a number for a name"},
    ],
)
def test_an_attribute_that_json_cannot_say_costs_the_run_nothing_else(attributes: dict[Any, Any]) -> None:
    run = run_of("kept", attributes=attributes, input={"text": "hello"}, events=(SpanEvent("e", 0, attributes),))
    assert decoded(run)["inputs"] == {"text": "hello"}
    assert len(metadata(run)) == 2
    assert refusals(run) == []


@pytest.mark.parametrize("field", ["name", "call_id", "project", "version", "outcome", "status_reason", "process_id"])
def test_a_text_that_utf_8_cannot_say_is_mended(field: str) -> None:
    span = make_span(input={"text": "hello"}).replace(**{field: "lone \ud800"})
    run = to_run(span, OPTIONS)
    assert "lone ?" in json.dumps(decoded(run))
    assert decoded(run)["inputs"] == {"text": "hello"}


def test_a_moment_that_no_date_can_say_costs_the_run_nothing_else() -> None:
    run = run_of(input="kept", end_ns=1 << 80, events=(SpanEvent("e", 1 << 70),), attributes={"a": 1})
    assert decoded(run)["inputs"] == {"input": "kept"}
    assert decoded(run)["events"][0]["time"].startswith("2262-")


@pytest.mark.parametrize("span_id", ["", "span-1", 'x"\r\n\r\n', "lone \ud800", "019b76da-a800-7000-8000-00000000000g"])
def test_a_span_that_stands_nowhere_is_for_the_server_to_refuse(span_id: str) -> None:
    with guard.relaxed():
        run = run_of(span_id=span_id)
        below = run_of(ancestors=(span_id,))
    assert refusals(run)
    assert run.id.isascii()
    assert '"' not in run.id
    assert "reamon_error" in metadata(run)
    assert "reamon_error" in metadata(below)


@pytest.mark.parametrize("start_ns", [-1, -(1 << 80), 1 << 80])
def test_a_start_that_no_date_can_say_raises_nothing(start_ns: int) -> None:
    with guard.relaxed():
        assert decoded(to_run(make_span().replace(start_ns=start_ns, end_ns=start_ns), OPTIONS))


@given(spans(), st.booleans())
def test_any_span_becomes_a_run_that_the_server_takes(span: Span, hide: bool) -> None:
    options = HIDDEN if hide else OPTIONS
    run = to_run(_placed(span), options)
    assert refusals(run) == []
    assert run.size == len(run.fields) + sum(len(part) for _, part in run.parts if part)


def _placed(span: Span) -> Span:
    """The span with ids as ours are, and enclosing spans that fit."""
    root = uuid7(max(span.start_ns - MILLI, 0), 1)
    ancestors = (root, uuid7(span.start_ns + MILLI, 2)) if span.parent_id else ()
    span_id = uuid7(span.start_ns, 3)
    return span.replace(
        span_id=span_id,
        trace_id=ancestors[0] if ancestors else span_id,
        ancestors=ancestors,
        parent_id=ancestors[-1] if ancestors else None,
    )


@pytest.mark.parametrize(
    "detail",
    [
        {"kind": SpanKind.STEP},
        {"kind": SpanKind.AGENT},
        {"status": SpanStatus.DEGRADED},
        {"status_reason": "slow"},
        {"call_id": "call-2"},
        {"project": "another"},
        {"version": "2"},
        {"process_id": "p-2"},
        {"start_ns": START_NS - 1_000_000},
        {"metadata": Payload.of({"tier": "gold"})},
        {"execution_order": 3},
        {"first_token_ns": 1_000_000},
        {"attributes": {"attempt": 2}},
        {"outcome": "booked"},
        {"decision": Decision(next_agent="scheduler")},
        {"usage": (Usage(provider="openai", model="gpt-4o", input_tokens=5),)},
        {"error": SpanError("GraphInterrupt", "ask")},
        {"links": (SpanLink("t-1", "s-1"),)},
        {"queue_wait_ns": 1_000_000},
    ],
    ids=lambda detail: next(iter(detail)),
)
def test_a_detail_is_told_though_a_span_without_it_came_before(detail: dict[str, Any]) -> None:
    plain = make_span("look_up", SpanKind.TOOL, start_ns=START_NS, span_id=uuid7(START_NS, 7), call_id="call-1")
    detailed = plain.replace(**detail)
    before = decoded(to_run(plain, OPTIONS))["extra"]
    said = decoded(to_run(detailed, OPTIONS))["extra"]
    again = decoded(to_run(detailed, OPTIONS))["extra"]
    assert said != before
    assert said == again
    assert decoded(to_run(plain, HIDDEN))["extra"]["metadata"] == {}
    assert decoded(to_run(plain, OPTIONS))["extra"] == before
