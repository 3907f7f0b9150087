"""What a busy month records: a store of turns with agents, model calls, speech and costs, made the same every time."""

import random
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from reamon.model import CostData, Decision, Payload, Span, SpanError, SpanKind, SpanStatus, Usage
from reamon.model.ids import uuid7
from reamon.store import SpanWriter, connect

MILLI = 1_000_000
DAY = 86_400_000 * MILLI
START = 1_790_812_800_000 * MILLI
"""The first of October 2026."""

DAYS = 30
OPERATIONS_PER_TURN = 7
TURNS_PER_CALL = 8

PROJECTS = ("calls", "support", "pilot")
SHARES = (600, 395, 5)
"""In a thousand turns; the workflows are as unequal."""

WORKFLOWS = ("process_input", "callback", "audit")
MODELS = ("gpt-4o-mini", "gpt-4o", "o3")
AGENTS = ("conversation", "qualification", "objection_handler", "scheduler", "analytics")
STATUSES = (SpanStatus.OK, SpanStatus.DEGRADED, SpanStatus.ERROR, SpanStatus.CANCELLED)
STATUS_SHARES = (945, 30, 20, 5)
PRICES = {"gpt-4o-mini": Decimal("0.00000015"), "gpt-4o": Decimal("0.0000025"), "o3": Decimal("0.00001")}

_TURNS_IN_A_BATCH = 250
_TEXT = "I have seen the house in Elm Street, and what I would like to know is whether the price includes the garage. "


def fill(path: Path, operations: int) -> None:
    """Make a store with about so many operations, spread over thirty days."""
    turns = max(1, operations // OPERATIONS_PER_TURN)
    with closing(connect(path)) as connection:
        writer = SpanWriter(connection)
        batch: list[Span] = []
        for number, spans in enumerate(recorded(turns), 1):
            batch += spans
            if number % _TURNS_IN_A_BATCH == 0:
                writer.write(batch)
                batch = []
        writer.write(batch)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def recorded(turns: int) -> Iterator[list[Span]]:
    """The spans of each turn, in order of time."""
    dice = random.Random(5)
    step = DAYS * DAY // turns
    for number in range(turns):
        yield list(_turn(number, START + number * step, dice))


def _turn(number: int, start: int, dice: random.Random) -> Iterator[Span]:
    status = dice.choices(STATUSES, STATUS_SHARES)[0]
    (project,) = dice.choices(PROJECTS, SHARES)
    root_id = uuid7(start, dice.getrandbits(62))
    common: dict[str, Any] = {
        "trace_id": root_id,
        "call_id": f"call-{number // TURNS_PER_CALL:06d}",
        "project": project,
    }
    at = start
    for order, agent in enumerate(dice.sample(AGENTS, 2), 1):
        at += 20 * MILLI
        agent_id, begun = uuid7(at, dice.getrandbits(62)), at
        below = {**common, "parent_id": agent_id, "agent_id": agent_id, "ancestors": (root_id, agent_id)}
        for kind in (SpanKind.STEP, SpanKind.LLM, SpanKind.TOOL, SpanKind.TTS)[: 4 if order == 1 else 3]:
            at += 15 * MILLI
            yield _operation(kind, at, dice, below)
        yield Span(
            span_id=agent_id,
            parent_id=root_id,
            ancestors=(root_id,),
            kind=SpanKind.AGENT,
            name=agent,
            agent_type=agent,
            execution_order=order,
            status=SpanStatus.OK,
            start_ns=begun,
            end_ns=at + dice.randint(50, 900) * MILLI,
            input=_payload(dice),
            output=_payload(dice),
            decision=Decision(next_agent=dice.choice(AGENTS), reasoning="as asked", confidence=dice.random()),
            **common,
        )
    failed = status is SpanStatus.ERROR
    yield Span(
        span_id=root_id,
        kind=SpanKind.WORKFLOW,
        name=dice.choices(WORKFLOWS, SHARES)[0],
        status=status,
        start_ns=start,
        end_ns=start + dice.randint(300, 3_000) * MILLI,
        tags=("vip",) if number % 50 == 0 else (),
        input=_payload(dice),
        output=_payload(dice),
        error=SpanError("TimeoutError", f"no answer within {dice.randint(1, 9)} s") if failed else None,
        outcome="appointment" if number % 20 == 0 else None,
        **common,
    )


def _operation(kind: SpanKind, start: int, dice: random.Random, below: dict[str, Any]) -> Span:
    usage: tuple[Usage, ...] = ()
    costs: tuple[CostData, ...] = ()
    if kind is SpanKind.LLM:
        (model,) = dice.choices(MODELS, SHARES)
        tokens = dice.randint(200, 2_000)
        usage = (Usage(provider="openai", model=model, input_tokens=tokens, output_tokens=tokens // 20),)
        amount = PRICES[model] * tokens
        costs = (CostData(cost_type="llm", amount=amount, provider="openai", model=model, price_version="2026-10"),)
    elif kind is SpanKind.TTS:
        characters = dice.randint(40, 400)
        usage = (Usage(provider="elevenlabs", characters=characters),)
        costs = (CostData(cost_type="tts", amount=Decimal("0.0002") * characters, provider="elevenlabs"),)
    return Span(
        span_id=uuid7(start, dice.getrandbits(62)),
        kind=kind,
        name={SpanKind.LLM: "chat", SpanKind.TTS: "speak", SpanKind.TOOL: "find_lead"}.get(kind, "prepare"),
        status=SpanStatus.OK,
        start_ns=start,
        end_ns=start + dice.randint(5, 800) * MILLI,
        input=_payload(dice),
        output=_payload(dice),
        usage=usage,
        costs=costs,
        **below,
    )


def _payload(dice: random.Random) -> Payload:
    """About 150 to 500 bytes: an operation has two."""
    length = dice.randint(100, 450)
    text = (_TEXT * 5)[:length]
    return Payload(raw=f'{{"text":"{text}","lead":{dice.randint(1, 99_999)}}}'.encode())
