"""Repricing while PostgreSQL's writers write the same traces: nothing is lost, doubled or raised again."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest

from reamon.analytics.repricing import reprice
from reamon.collectors import CostCollector, PriceBook
from reamon.model import Span, SpanKind, Usage
from reamon.store import Store
from reamon.store.migrate import upgrade
from reamon.store.postgres.writer import PostgresWriter
from reamon.testing import make_span
from support.postgres import connected, postgres_schema
from support.stores import MILLI, SECOND, START

OLD = PriceBook({"acme": {"input_tokens": "0.001"}}, model_prices=False)
NEW = PriceBook({"acme": {"input_tokens": "0.002"}}, model_prices=False)


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_schema() as url:
        upgrade(url)
        yield url


def turn(number: int, requests: int = 3) -> list[Span]:
    """A turn whose agent makes requests of 10 tokens each: 0.01 each at the old price."""
    start = START + number * SECOND
    root = make_span("turn", SpanKind.WORKFLOW, start_ns=start, end_ns=start + SECOND, call_id=f"call-{number}")
    agent = make_span(
        "sales", SpanKind.AGENT, parent=root, agent_type="sales", start_ns=start + MILLI, end_ns=start + SECOND
    )
    agent = agent.replace(agent_id=agent.span_id)
    used = (Usage(provider="acme", input_tokens=10),)
    asked = [
        make_span(
            "ask",
            SpanKind.LLM,
            parent=agent,
            agent_id=agent.span_id,
            start_ns=start + at * MILLI,
            end_ns=start + SECOND,
            usage=used,
        )
        for at in range(2, 2 + requests)
    ]
    return [*asked, agent, root]


def priced(spans: list[Span], book: PriceBook = OLD) -> list[Span]:
    collector = CostCollector(book)
    return [span.replace(costs=additions.costs) if (additions := collector.collect(span)) else span for span in spans]


def write(url: str, batches: list[list[Span]]) -> None:
    with connected(url) as connection:
        writer = PostgresWriter(connection, url.rpartition("=")[2])
        for batch in batches:
            writer.write(batch)


async def costs(url: str) -> tuple[set[Decimal | None], set[Decimal | None], int]:
    """What turns and agents cost, and how many details count."""
    async with Store.open(url) as store:
        turns = (await store.traces.query(limit=500)).items
        agents = (await store.executions.query(limit=500)).items
        details = await store.costs.count()
    return {turn.total_cost for turn in turns}, {agent.cost for agent in agents}, details


async def test_a_replay_does_not_raise_what_was_superseded(url: str) -> None:
    spans = priced([span for number in range(5) for span in turn(number)])
    await asyncio.to_thread(write, url, [spans])
    await reprice(url, NEW)
    await asyncio.to_thread(write, url, [spans])
    assert await costs(url) == ({Decimal("0.06")}, {Decimal("0.06")}, 15)
    assert (await reprice(url, NEW)).details == 0


@pytest.mark.slow
async def test_requests_that_come_meanwhile_are_counted_once(url: str) -> None:
    turns = [priced(turn(number, requests=12)) for number in range(60)]
    firsts = [[span for part in turns for span in (*part[:6], *part[-2:])]]
    lasts = [[span] for part in turns for span in part[6:-2]]
    await asyncio.to_thread(write, url, firsts)
    await asyncio.gather(
        reprice(url, NEW), asyncio.to_thread(write, url, lasts[::2]), asyncio.to_thread(write, url, lasts[1::2])
    )
    totals, agents, details = await costs(url)
    assert details == 60 * 12
    assert totals == agents
    await reprice(url, NEW)
    assert await costs(url) == ({Decimal("0.24")}, {Decimal("0.24")}, 60 * 12)


@pytest.mark.slow
async def test_two_repricings_at_once_do_it_once(url: str) -> None:
    await asyncio.to_thread(write, url, [priced([span for number in range(150) for span in turn(number)])])
    one, other = await asyncio.gather(reprice(url, NEW), reprice(url, NEW))
    assert one.details + other.details == 450
    assert await costs(url) == ({Decimal("0.06")}, {Decimal("0.06")}, 450)
