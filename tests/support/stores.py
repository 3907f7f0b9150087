"""Stores to read from, made by the writer from spans."""

from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from reamon.model import CostData, Decision, Span, SpanError, SpanKind, SpanStatus, Usage
from reamon.store import SpanWriter, connect
from reamon.testing import make_span

SECOND = 1_000_000_000
MILLI = 1_000_000
START = 1_795_000_000 * SECOND


def stored(path: Path, spans: Iterable[Span]) -> Path:
    """A store at `path` that holds `spans`; those that still run are written as starts."""
    known = list(spans)
    with closing(connect(path)) as connection:
        writer = SpanWriter(connection)
        writer.write_started([span for span in known if span.status is SpanStatus.RUNNING])
        writer.write([span for span in known if span.status is not SpanStatus.RUNNING])
    return path


def turn(call_id: str | None, at: float, **root: object) -> list[Span]:
    """A turn that starts `at` seconds: conversation asks a model, qualification speaks.

    Args:
        call_id: Its call.
        at: Seconds after `START`.
        **root: Fields of the workflow span.
    """
    start = START + round(at * SECOND)
    fields: dict[str, object] = {"end_ns": start + 900 * MILLI, "process_id": "process-1", **root}
    workflow = make_span("process_input", SpanKind.WORKFLOW, start_ns=start, call_id=call_id, **fields)
    conversation = make_span(
        "conversation",
        SpanKind.AGENT,
        parent=workflow,
        agent_type="conversation",
        execution_order=1,
        start_ns=start + 10 * MILLI,
        end_ns=start + 410 * MILLI,
        queue_wait_ns=20 * MILLI,
        state_before={"stage": "greeting", "history": ["hello"]},
        state_after={"stage": "qualifying", "history": ["hello", "yes"]},
        decision=Decision(next_agent="qualification", reasoning="the lead asks for the price", confidence=0.8),
    )
    chat = make_span(
        "chat",
        SpanKind.LLM,
        parent=conversation,
        agent_id=conversation.span_id,
        start_ns=start + 50 * MILLI,
        end_ns=start + 400 * MILLI,
        first_token_ns=120 * MILLI,
        usage=(
            Usage(
                provider="openai", model="gpt-4o-mini", input_tokens=1200, output_tokens=40, cached_input_tokens=1000
            ),
        ),
        costs=(CostData(cost_type="llm", amount=Decimal("0.0004"), provider="openai", model="gpt-4o-mini"),),
    )
    qualification = make_span(
        "qualification",
        SpanKind.AGENT,
        parent=workflow,
        agent_type="qualification",
        execution_order=2,
        start_ns=start + 420 * MILLI,
        end_ns=start + 890 * MILLI,
    )
    speech = make_span(
        "speak",
        SpanKind.TTS,
        parent=qualification,
        agent_id=qualification.span_id,
        start_ns=start + 430 * MILLI,
        end_ns=start + 530 * MILLI,
        usage=(Usage(provider="elevenlabs", characters=312),),
        costs=(CostData(cost_type="tts", amount=Decimal("0.0624"), provider="elevenlabs"),),
    )
    return [chat, conversation, speech, qualification, workflow]


def failed(spans: Iterable[Span], names: Iterable[str], error: SpanError) -> list[Span]:
    """The spans, those of these names failed with `error`."""
    broken = set(names)
    return [span.replace(status=SpanStatus.ERROR, error=error) if span.name in broken else span for span in spans]
