"""What a decorated function costs while nothing is recorded, against a wrapper that only passes on."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import reamon
from benchmarks import harness
from benchmarks.harness import Figures
from benchmarks.promises import Outcome, Promise, Table

CALLS = 200_000
SUBJECTS = ("unconfigured", "suppressed", "disabled")


def measure(subject: str, home: Path) -> Figures:
    """Microseconds a call, above the bare function: wrapped by us, and by the empty wrapper."""

    def answer(question: str) -> str:
        return question

    async def answer_async(question: str) -> str:
        return question

    sync = {"plain": answer, "empty": _passing(answer), "ours": reamon.trace_step(answer)}
    coroutine = {"plain": answer_async, "empty": _passing_async(answer_async), "ours": reamon.trace_step(answer_async)}
    with _silent(subject):
        return {
            **{f"sync_{name}": _time_sync(function) for name, function in sync.items()},
            **{f"async_{name}": _time_async(function) for name, function in coroutine.items()},
        }


def run(rounds: int) -> Outcome:
    """Measure the three ways in which nothing is recorded."""
    figures = harness.measure("passthrough", SUBJECTS, rounds)
    ratios = {
        subject: (row["sync_ours"] / row["sync_empty"], row["async_ours"] / row["async_empty"])
        for subject, row in figures.items()
    }
    table = Table(
        "A decorated call while nothing is recorded",
        ("empty wrapper ns", "decorated ns", "x", "async: empty ns", "decorated ns", "x"),
        {
            subject: (
                row["sync_empty"],
                row["sync_ours"],
                ratios[subject][0],
                row["async_empty"],
                row["async_ours"],
                ratios[subject][1],
            )
            for subject, row in figures.items()
        },
    )
    promises = tuple(
        Promise("passthrough", f"{subject}, against an empty wrapper", max(pair), 3.0, "x")
        for subject, pair in ratios.items()
    )
    return Outcome(table, promises)


@contextlib.contextmanager
def _silent(subject: str) -> Iterator[None]:
    """Nothing is recorded, for the reason that `subject` names."""
    if subject == "unconfigured":
        yield
        return
    reamon.configure(enabled=subject != "disabled", exporters=[])
    with reamon.suppress() if subject == "suppressed" else contextlib.nullcontext():
        yield
    reamon.shutdown()


def _passing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def _passing_async(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


def _time_sync(function: Callable[[str], Any]) -> float:
    begun = time.thread_time_ns()
    for _ in range(CALLS):
        function("hello")
    return (time.thread_time_ns() - begun) / CALLS


def _time_async(function: Callable[[str], Any]) -> float:
    begun = time.thread_time_ns()
    for _ in range(CALLS):
        try:
            function("hello").send(None)
        except StopIteration:
            continue
    return (time.thread_time_ns() - begun) / CALLS
