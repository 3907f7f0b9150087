"""The store after a busy month: 1,000,000 operations in a SQLite file, and how long it takes to find something in it.

`BENCH_STORE=FILE` keeps the file, and takes one that is there. How each question is answered goes to standard error.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import harness, plans, recorded
from benchmarks.harness import Figures
from benchmarks.promises import Outcome, Promise, Table
from reamon.analytics.costs import cost_report
from reamon.store import (
    ALL_PROJECTS,
    CostDetailFilter,
    ExecutionFilter,
    OperationFilter,
    Store,
    TraceFilter,
)
from reamon.store.cost_filter import CostFilter

OPERATIONS = 1_000_000
REPEATED = 7
PAGE = 50
DAY = datetime(2026, 10, 4, tzinfo=UTC)
IN_A_DAY: dict[str, Any] = {"since": DAY, "until": DAY + timedelta(days=1)}
CALL = "call-000777"

Question = Callable[[Store], Awaitable[Any]]


def _traces(**which: Any) -> Question:
    return lambda store: store.traces.query(TraceFilter(**which), limit=PAGE)


def _executions(**which: Any) -> Question:
    return lambda store: store.executions.query(ExecutionFilter(**which), limit=PAGE)


def _operations(**which: Any) -> Question:
    return lambda store: store.operations.query(OperationFilter(**which), limit=PAGE)


def _costs(**which: Any) -> Question:
    return lambda store: store.costs.query(CostDetailFilter(**which), limit=PAGE)


PAGES: dict[str, Question] = {
    "traces, the newest": _traces(),
    "traces of a call": _traces(call_id=CALL),
    "traces, failed": _traces(status="failed"),
    "traces, failed or degraded": _traces(status=("failed", "degraded")),
    "traces of a workflow": _traces(workflow="callback"),
    "traces of a rare workflow": _traces(workflow="audit"),
    "traces of a project": _traces(project="calls"),
    "traces of a rare project, failed": _traces(project="pilot", status="failed"),
    "traces of a project, a rare workflow": _traces(project="calls", workflow="audit"),
    "traces with an agent": _traces(agent="scheduler"),
    "traces with an agent that never ran": _traces(agent="nobody"),
    "traces of a day": _traces(**IN_A_DAY),
    "traces of a day and a project, failed": _traces(project="calls", status="failed", **IN_A_DAY),
    "traces of a call, a project and a workflow": _traces(call_id=CALL, project="calls", workflow="process_input"),
    "executions of an agent": _executions(agent="scheduler"),
    "executions of an agent in a rare project": _executions(agent="scheduler", project="pilot"),
    "executions of a call": _executions(call_id=CALL, project="calls"),
    "operations, the newest": _operations(),
    "operations with a model": _operations(model="gpt-4o"),
    "operations with a rare model in a project": _operations(model="o3", project="calls"),
    "operations of a rare project": _operations(project="pilot"),
    "operations of a day with a model": _operations(model="o3", **IN_A_DAY),
    "operations of a call with a model": _operations(call_id=CALL, model="gpt-4o"),
    "costs of a day": _costs(**IN_A_DAY),
    "costs of a call": _costs(call_id=CALL),
    "costs of a project": _costs(project="calls"),
}
"""A page by each value that an index leads to, and by several of them."""

OTHERS: dict[str, Question] = {
    "a call with its traces, whole": lambda store: store.traces.of_call(CALL),
    "a day's cost by agent": lambda store: cost_report(store, ("agent",), CostFilter(**IN_A_DAY)),
}


def measure(subject: str, home: Path) -> Figures:
    """Milliseconds for each question, the median of several times."""
    return asyncio.run(_measure(Path(os.environ["BENCH_STORE"])))


async def _measure(path: Path) -> Figures:
    async with Store.open(path, project=ALL_PROJECTS) as store:
        return {name: await _median(store, question) for name, question in (OTHERS | PAGES).items()}


async def _median(store: Store, question: Question) -> float:
    await question(store)
    times = []
    for _ in range(REPEATED):
        begun = time.perf_counter()
        await question(store)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def run(rounds: int) -> Outcome:
    """Make the store, unless it is kept, and ask it."""
    with tempfile.TemporaryDirectory(prefix="reamon-bench-store-") as directory:
        kept = os.environ.get("BENCH_STORE")
        path = Path(kept or Path(directory) / "store.db")
        if not path.exists():
            recorded.fill(path, OPERATIONS)
        os.environ["BENCH_STORE"] = str(path)
        try:
            asyncio.run(_tell_plans(path))
            row = harness.measure("store", ["reamon"], rounds)["reamon"]
        finally:
            if kept is None:
                del os.environ["BENCH_STORE"]
    call, costs = (row[name] for name in OTHERS)
    slowest = max(PAGES, key=row.__getitem__)
    table = Table(
        f"{OPERATIONS:,} operations of a month in a SQLite file",
        ("ms",),
        {name: (row[name],) for name in OTHERS | PAGES},
    )
    return Outcome(
        table,
        (
            Promise("store", "a trace by its call, whole", call, 20.0, "ms"),
            Promise("store", f"the slowest page: {slowest}", row[slowest], 50.0, "ms"),
            Promise("store", "a day's cost by agent", costs, 300.0, "ms"),
        ),
    )


async def _tell_plans(path: Path) -> None:
    """Print how SQLite answers each question."""
    async with Store.open(path, project=ALL_PROJECTS) as store, store.moment() as connection:
        for name, question in (OTHERS | PAGES).items():
            with plans.listening(store) as asked:
                await question(store)
            print(name, file=sys.stderr)
            for statement in asked:
                for step in await plans.plan(connection, statement):
                    print(f"    {step}", file=sys.stderr)
