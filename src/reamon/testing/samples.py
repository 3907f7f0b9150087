"""Sample spans: one that you shape yourself, and a set in which everything occurs that an exporter has to cope with."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from reamon.model import CostData, Decision, Payload, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus, Usage
from reamon.model.ids import uuid7
from reamon.testing.time import START_NS

_MILLI: Final = 1_000_000
_PAYLOADS: Final = frozenset({"input", "output", "state_before", "state_after", "metadata"})
_NAMES: Final = (
    "",
    "名前 ✓ مرحبا 🎈",
    "two\nlines\tand a tab",
    "'; DROP TABLE spans; --",
    '"quoted" \\',
    "control \x00 \x1b[31m",
    "lone \ud800",
)
_numbers = itertools.count(1)


def make_span(
    name: str = "work", kind: SpanKind | str = SpanKind.STEP, *, parent: Span | None = None, **fields: Any
) -> Span:
    """A finished span, valid in itself, with an id that no other has.

    Args:
        name: Its name.
        kind: What it is.
        parent: The enclosing span: gives trace, ancestors, call and project, and the start unless that is given.
        **fields: Any field of `Span`. Payload fields (`input`, `output`, `state_before`, `state_after`, `metadata`)
            take plain values. A span of status `running` gets no end.

    Raises:
        TypeError: `Span` has no such field.

    Example:
        >>> turn = make_span("turn", "workflow", call_id="call-1")
        >>> reply = make_span("reply", "llm", parent=turn, input={"text": "hello"})
        >>> reply.trace_id == turn.trace_id, reply.call_id, reply.input.raw
        (True, 'call-1', b'{"text":"hello"}')
    """
    number = next(_numbers)
    start_ns = fields.pop("start_ns", START_NS + number * _MILLI if parent is None else parent.start_ns + _MILLI)
    status = SpanStatus(fields.pop("status", SpanStatus.OK))
    span_id = fields.pop("span_id", uuid7(start_ns, number))
    defaults: dict[str, Any] = {"trace_id": span_id}
    if parent is not None:
        defaults = {
            "trace_id": parent.trace_id,
            "parent_id": parent.span_id,
            "ancestors": (*parent.ancestors, parent.span_id),
            "call_id": parent.call_id,
            "project": parent.project,
        }
    if status is not SpanStatus.RUNNING:
        defaults["end_ns"] = start_ns + 10 * _MILLI
    for field in _PAYLOADS & fields.keys():
        fields[field] = _payload(fields[field])
    values = {**defaults, **fields}
    return Span(span_id=span_id, kind=SpanKind(kind), name=name, status=status, start_ns=start_ns, **values)


def sample_spans() -> list[Span]:
    """Finished spans that exercise an exporter: made anew, with new ids, at each call.

    Every kind and every final status; empty and full optional fields; names and payloads in many scripts, with control
    characters, quotes and lone surrogates; a large payload; known, unknown, huge and tiny costs; traces whose root is
    no workflow; children that come before their parents, and children whose parent never comes.
    """
    return [*_one_of_each(), *_statuses(), *_texts(), *_money(), *_loners()]


def running_spans() -> list[Span]:
    """Workflows that have begun and not ended, as `Exporter.started` gets them."""
    return [
        make_span("bare", SpanKind.WORKFLOW, status=SpanStatus.RUNNING),
        make_span("full", SpanKind.WORKFLOW, status=SpanStatus.RUNNING, call_id="call-9", input={"text": "hi"}),
    ]


def _one_of_each() -> Iterator[Span]:
    """A trace with a span of every kind, as they finish: children first."""
    root = make_span(
        "turn",
        SpanKind.WORKFLOW,
        call_id="call-1",
        project="campaign",
        tags=("outbound", "demo"),
        version="1.2",
        metadata={"campaign": 7},
        input={"text": "hello"},
        output={"text": "good bye"},
        outcome="appointment",
        process_id="018bcfe5-6800-7800-8000-00000000abcd",
        links=(SpanLink("trace-before", "span-before", "parent_trace"),),
    )
    agent = make_span(
        "qualify",
        SpanKind.AGENT,
        parent=root,
        agent_type="qualification",
        execution_order=1,
        version="3",
        state_before={"score": 0},
        state_after={"score": 0.7},
        decision=Decision(next_agent="scheduler", reasoning="budget is there", confidence=0.9, action="advance"),
        queue_wait_ns=250_000,
    )
    for kind in SpanKind:
        if kind not in (SpanKind.WORKFLOW, SpanKind.AGENT):
            yield make_span(kind.value, kind, parent=agent, agent_id=agent.span_id, **_details(kind))
    yield agent.replace(agent_id=agent.span_id)
    yield root


def _details(kind: SpanKind) -> dict[str, Any]:
    """What spans of a kind usually carry."""
    usage = {
        SpanKind.LLM: Usage(provider="openai", model="gpt-4o", input_tokens=120, output_tokens=30, requests=2),
        SpanKind.STT: Usage(provider="whisper", audio_seconds=Decimal("4.25")),
        SpanKind.TTS: Usage(provider="elevenlabs", characters=310),
        SpanKind.TELEPHONY: Usage(provider="twilio", minutes=Decimal("1.5"), messages=1),
    }.get(kind)
    if usage is None:
        return {"input": ["query"], "output": None}
    return {
        "usage": (usage,),
        "input": {"prompt": "…"},
        "first_token_ns": 1_500_000,
        "attributes": {"gen_ai.request.model": usage.model, "streamed": True, "nested": {"list": [1, 2.5, None]}},
        "events": (SpanEvent("retry", START_NS + _MILLI, {"attempt": 2}), SpanEvent("bare", START_NS)),
    }


def _statuses() -> Iterator[Span]:
    """A root in every final status."""
    error = SpanError("TimeoutError", "no answer\nwithin 500 ms", 'Traceback:\n  File "x.py", line 1\n')
    for status in SpanStatus:
        if status is not SpanStatus.RUNNING:
            failed = status in (SpanStatus.ERROR, SpanStatus.DEGRADED)
            yield make_span(
                f"ends {status}",
                SpanKind.WORKFLOW,
                status=status,
                error=error if failed else None,
                status_reason="the model was slow" if failed else None,
            )


def _texts() -> Iterator[Span]:
    """Names and payloads that are easy to get wrong."""
    for name in _NAMES:
        yield make_span(name, call_id=name, tags=(name,), attributes={name: name})
    yield make_span("long", input={"text": "x" * 64_000}, output="é" * 20_000)
    yield make_span("indented", input=Payload(b'{\n  "indented": true\n}'))
    yield make_span("plain values", input=None, output=[], state_before="", state_after=0, metadata={})


def _money() -> Iterator[Span]:
    """Costs of all sizes, and one that nobody knows."""
    amounts = (Decimal("0"), Decimal("0.000000000001"), Decimal("123456789012.123456789012"), None)
    costs = tuple(CostData(cost_type=f"type {number}", amount=amount) for number, amount in enumerate(amounts))
    yield make_span("costs", SpanKind.LLM, costs=costs)
    yield make_span(
        "detailed cost",
        SpanKind.LLM,
        costs=(
            CostData(
                cost_type="llm",
                amount=Decimal("0.0036"),
                provider="openai",
                model="gpt-4",
                usage_units=Decimal("120"),
                unit="input_tokens",
                unit_cost=Decimal("0.00003"),
                price_source="rates",
                price_version="2026-01",
                effective_date="2026-01-01",
            ),
        ),
    )


def _loners() -> Iterator[Span]:
    """Spans without the company that one would expect."""
    yield make_span("an agent alone", SpanKind.AGENT, agent_type="scheduler", execution_order=1)
    yield make_span("a model call alone", SpanKind.LLM)
    yield make_span("of a parent that never comes", SpanKind.TOOL, parent=make_span("lost", SpanKind.WORKFLOW))
    moment = make_span("of no duration")
    yield moment.replace(end_ns=moment.start_ns)


def _payload(value: Any) -> Payload:
    return value if isinstance(value, Payload) else Payload.of(value)
