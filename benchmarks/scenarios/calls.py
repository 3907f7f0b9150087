"""Fifty calls at once on one event loop: what tracing takes from the application that makes them.

A turn is five spans, each with 2 KB of payloads (half in, half out), 0.2 ms of CPU of the application's own and a
wait for a model. The extra CPU is the whole process's, until everything is delivered, less that of the same calls
undecorated.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks import harness, tracers
from benchmarks.harness import Figures
from benchmarks.promises import Outcome, Promise, Table

CALLS = 50
TURNS = 20
SPANS_PER_TURN = 5
WORK = 0.0002
WAIT = (0.010, 0.030)
SPANS = CALLS * TURNS * SPANS_PER_TURN

Step = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def measure(subject: str, home: Path) -> Figures:
    """CPU microseconds per span and the 99th percentile of a turn, in milliseconds."""
    tracer = tracers.load(subject)
    tracer.start(home)
    turn = _turn(tracer, random.Random(7))
    process = time.process_time()
    latencies = asyncio.run(_campaign(turn))
    delivered = tracer.finish()
    process = time.process_time() - process
    if delivered is not None and delivered != (0 if subject == "undecorated" else SPANS):
        raise SystemExit(f"{subject} delivered {delivered} spans of {SPANS}")
    return {"process": process / SPANS * 1e6, "p99": statistics.quantiles(latencies, n=100)[98] * 1e3}


def run(rounds: int) -> Outcome:
    """Compare every tracer that is installed."""
    subjects = [name for name in tracers.installed() if name != "bare"]
    figures = harness.measure("calls", subjects, rounds)
    base = figures.pop("undecorated")
    extra = {name: row["process"] - base["process"] for name, row in figures.items()}
    late = {name: row["p99"] - base["p99"] for name, row in figures.items()}
    table = Table(
        "50 calls at once: 5 spans a turn, 2 KB payloads, 0.2 ms of CPU per span",
        ("extra CPU µs a span", "x OpenTelemetry", "extra p99 of a turn, ms"),
        {name: (extra[name], extra[name] / extra["opentelemetry"], late[name]) for name in figures},
    )
    return Outcome(
        table,
        (
            _cheaper("SQLite", extra["reamon_sqlite"] / extra["opentelemetry"], 0.6),
            _cheaper("JSONL", extra["reamon_jsonl"] / extra["opentelemetry"], 0.45),
            Promise("calls", "p99 of a turn, more than undecorated (SQLite)", late["reamon_sqlite"], 5.0, "ms"),
        ),
    )


def _cheaper(sink: str, ratio: float, bound: float) -> Promise:
    return Promise("calls", f"extra CPU with {sink}, against OpenTelemetry with no back end", ratio, bound, "x")


async def _campaign(turn: Step) -> list[float]:
    latencies: list[float] = []

    async def call(number: int) -> None:
        for _ in range(TURNS):
            begun = time.perf_counter()
            await turn(_payload("question", number))
            latencies.append(time.perf_counter() - begun)

    await asyncio.gather(*(call(number) for number in range(CALLS)))
    return latencies


def _turn(tracer: tracers.Tracer, chance: random.Random) -> Step:
    """One turn: a workflow over an agent that makes three model calls."""

    async def model(question: dict[str, Any]) -> dict[str, Any]:
        _work()
        await asyncio.sleep(chance.uniform(*WAIT))
        return _payload("answer", question["lead"])

    model = tracer.traced("llm", model)

    async def agent(question: dict[str, Any]) -> dict[str, Any]:
        _work()
        for _ in range(SPANS_PER_TURN - 2):
            answer = await model(question)
        return answer

    agent = tracer.traced("agent", agent)

    async def turn(question: dict[str, Any]) -> dict[str, Any]:
        _work()
        return await agent(question)

    return tracer.traced("workflow", turn)


def _work() -> None:
    """Use the CPU, by this thread's own clock: a stolen slice is not mistaken for work."""
    end = time.thread_time() + WORK
    while time.thread_time() < end:
        pass


def _payload(word: str, number: int) -> dict[str, Any]:
    """About 1 KB of JSON, different for every call."""
    lines = [f"{word} {number}.{line}: a sentence of a conversation about a house" for line in range(16)]
    return {"lead": number, "history": lines}
