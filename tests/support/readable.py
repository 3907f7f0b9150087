"""Stores to be read in either database, and spans that differ in all that a filter can ask for."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from sqlalchemy import create_engine, insert, select
from sqlalchemy.pool import NullPool

from reamon.model import CostData, Decision, Span, SpanError, SpanKind, SpanStatus
from reamon.model.ids import uuid7
from reamon.store.postgres.urls import parse_url
from reamon.store.tables import metadata
from reamon.testing import make_span
from support.postgres import make_tables, postgres_schema
from support.stores import MILLI, START, stored

DATABASES = ("sqlite", "postgres")


@contextmanager
def readable(database: str, path: Path, spans: Iterable[Span]) -> Iterator[str]:
    """Where a store with these spans is: the path of a file, or the URL of a schema that is dropped afterwards."""
    stored(path, spans)
    if database == "sqlite":
        yield str(path)
        return
    with postgres_schema() as url:
        make_tables(url)
        _copy(path, url)
        yield url


def _copy(path: Path, url: str) -> None:
    """Copy all rows of a SQLite file."""
    address = parse_url(url)
    source = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    server = create_engine(address.sqlalchemy_url, connect_args=address.parameters, poolclass=NullPool)
    target = server.execution_options(schema_translate_map={None: address.schema})
    with source.connect() as reader, target.begin() as writer:
        for table in metadata.sorted_tables:
            rows = [dict(row) for row in reader.execute(select(table)).mappings()]
            if rows:
                writer.execute(insert(table), rows)


PROJECTS = ("calls", "support", None)
WORKFLOWS = ("process_input", "callback")
AGENTS = ("conversation", "scheduler")
MODELS = ("gpt-4o", "gpt-4o-mini")
AMOUNTS = ("0.1", "0.100000000001", "0.09", "10", "9.5", "0", None)
ERRORS = ("No answer within 500 ms", "100 % of_quota \\ USED", "no ANSWER", "keine Antwort: ÄÖÜ")
STATUSES = (SpanStatus.OK, SpanStatus.OK, SpanStatus.ERROR, SpanStatus.DEGRADED, SpanStatus.CANCELLED)


def varied(turns: int = 40, seed: int = 7) -> list[Span]:
    """Turns of several projects, workflows and calls; some begin at once, some within the same second."""
    dice = random.Random(seed)
    spans: list[Span] = []
    for number in range(turns):
        start = START + (number // 4) * 600 * MILLI + (number % 2) * 1000
        spans += _turn(dice, start, number)
    return spans


def _turn(dice: random.Random, start: int, number: int) -> list[Span]:
    status = dice.choice(STATUSES) if number % 13 else SpanStatus.RUNNING
    took = dice.choice((200, 300, 1500)) * MILLI
    root = make_span(
        dice.choice(WORKFLOWS),
        SpanKind.WORKFLOW,
        start_ns=start,
        span_id=uuid7(start, dice.getrandbits(62)),
        call_id=f"call-{number % 5}" if number % 7 else None,
        project=dice.choice(PROJECTS),
        status=status,
        tags=dice.choice(((), ("vip",), ("vip", "new lead"), ('"',))),
        outcome=dice.choice((None, "appointment")),
        error=SpanError("TimeoutError", dice.choice(ERRORS)) if status is SpanStatus.ERROR else None,
        status_reason="the model did not answer" if status is SpanStatus.DEGRADED else None,
        **({} if status is SpanStatus.RUNNING else {"end_ns": start + took}),
    )
    agent_type = dice.choice(AGENTS)
    agent = make_span(
        agent_type,
        SpanKind.AGENT,
        parent=root,
        agent_type=agent_type,
        start_ns=start + 10 * MILLI,
        span_id=uuid7(start + 10 * MILLI, dice.getrandbits(62)),
        end_ns=start + took,
        decision=Decision(
            next_agent=dice.choice(AGENTS), action=dice.choice(("schedule", "ask")), confidence=dice.random()
        ),
    )
    operation = make_span(
        dice.choice(("chat", "judge")),
        dice.choice((SpanKind.LLM, SpanKind.TOOL)),
        parent=agent,
        agent_id=agent.span_id,
        start_ns=start + 20 * MILLI,
        span_id=uuid7(start + 20 * MILLI, dice.getrandbits(62)),
        end_ns=start + dice.choice((100, 5000)) * MILLI,
        attributes={"gen_ai.provider.name": "openai", "gen_ai.request.model": dice.choice(MODELS)},
        error=SpanError("RateLimited", dice.choice(ERRORS)) if number % 3 == 0 else None,
        status=SpanStatus.ERROR if number % 3 == 0 else SpanStatus.OK,
        costs=tuple(_cost(dice, kind) for kind in ("llm", "tts")[: number % 3]),
    )
    return [operation, agent, root]


def _cost(dice: random.Random, cost_type: str) -> CostData:
    amount = dice.choice(AMOUNTS)
    return CostData(
        cost_type=cost_type,
        amount=None if amount is None else Decimal(amount),
        provider="openai",
        model=dice.choice(MODELS),
        estimated=dice.random() < 0.3,
    )
