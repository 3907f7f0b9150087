"""What a span costs: ten children under each root, a small dict in and a small dict out."""

import time
from pathlib import Path
from typing import Any

from benchmarks import harness, tracers
from benchmarks.harness import Figures
from benchmarks.promises import Outcome, Promise, Table

CHILDREN = 10
WARM_UP = 100
ROOTS = 2_000
SPANS = ROOTS * (CHILDREN + 1)
ALL_SPANS = SPANS + WARM_UP * (CHILDREN + 1)
"""What the background works off: it may reach what was recorded to warm up only later."""

QUESTION = {"text": "What is my home worth?", "lead": 4711, "score": 0.75, "tags": ["seller", "warm"]}
ANSWER = {"text": "I can book a valuation for Tuesday.", "action": "schedule", "confidence": 0.9}


def measure(subject: str, home: Path) -> Figures:
    """Microseconds per span: CPU of the calling thread, and of the whole process until all is delivered."""
    tracer = tracers.load(subject)
    tracer.start(home)

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        return ANSWER

    answer = tracer.traced("llm", answer)

    def turn(question: dict[str, Any]) -> dict[str, Any]:
        for _ in range(CHILDREN):
            answer(question)
        return ANSWER

    turn = tracer.traced("workflow", turn)

    process = time.process_time()
    for _ in range(WARM_UP):
        turn(QUESTION)
    caller = time.thread_time()
    for _ in range(ROOTS):
        turn(QUESTION)
    caller = time.thread_time() - caller
    delivered = tracer.finish()
    process = time.process_time() - process
    _check(subject, delivered)
    return {"caller": caller / SPANS * 1e6, "process": process / ALL_SPANS * 1e6}


def run(rounds: int) -> Outcome:
    """Compare every tracer that is installed."""
    figures = harness.measure("spans", tracers.installed(), rounds)
    base = figures.pop("undecorated")
    for row in figures.values():
        for name in row:
            row[name] -= base[name]
    bare, otel = figures["bare"], figures["opentelemetry"]
    ours = figures["reamon_sqlite"]
    table = Table(
        "A span: 10 children per root, small input and output captured",
        ("caller µs", "x bare", "process µs", "x OpenTelemetry"),
        {
            name: (row["caller"], row["caller"] / bare["caller"], row["process"], row["process"] / otel["process"])
            for name, row in figures.items()
        },
    )
    return Outcome(
        table,
        (
            Promise("spans", "caller, against the barest tracer", ours["caller"] / bare["caller"], 2.5, "x"),
            Promise(
                "spans",
                "OpenTelemetry's caller, against ours",
                otel["caller"] / ours["caller"],
                8.0,
                "x",
                at_most=False,
            ),
            Promise(
                "spans",
                "whole process with SQLite, against OpenTelemetry with no back end",
                ours["process"] / otel["process"],
                0.45,
                "x",
            ),
        ),
    )


def _check(subject: str, delivered: int | None) -> None:
    expected = 0 if subject == "undecorated" else ALL_SPANS
    if delivered is not None and delivered != expected:
        raise SystemExit(f"{subject} delivered {delivered} spans of {expected}")
