"""Three questions to a store: what failed, who was unsure, and what was dear. One project sees its own calls only.

It prints:
failed       call-2: TimeoutError: no answer
unsure       qualification in 2 of 3 turns
dear         call-3 0.25
of support   1 turn
"""

import asyncio
import contextlib
import tempfile
from decimal import Decimal
from pathlib import Path

import reamon
from reamon.exporters import SQLiteExporter
from reamon.store import ExecutionFilter, Store, TraceFilter


def record(database: Path) -> None:
    """Four turns of two projects."""
    reamon.configure(exporters=[SQLiteExporter(database)])
    turn("call-1", "calls", confidence=0.9, cost="0.04")
    with contextlib.suppress(TimeoutError):
        turn("call-2", "calls", confidence=0.3, cost="0.02", fails=True)
    turn("call-3", "calls", confidence=0.4, cost="0.25")
    turn("call-4", "support", confidence=0.1, cost="0.90")
    reamon.shutdown()


def turn(call_id: str, project: str, *, confidence: float, cost: str, fails: bool = False) -> None:
    """One turn with one agent."""
    with reamon.trace_workflow("process_input", call_id=call_id, project=project):
        with reamon.trace_agent("qualification") as agent:
            agent.record_decision(next_agent="scheduler", confidence=confidence)
            agent.record_cost(cost, cost_type="llm", provider="openai")
        if fails:
            raise TimeoutError("no answer")


async def ask(database: Path) -> None:
    """Ask as the team of one project, then as that of the other."""
    async with Store.open(database, project="calls") as store:
        async for trace in store.traces.iterate(TraceFilter(status="failed")):
            print(f"{'failed':<12} {trace.call_id}: {trace.error_type}: {trace.error_message}")
        unsure = await store.executions.count(ExecutionFilter(agent="qualification", max_confidence=0.5))
        print(f"{'unsure':<12} qualification in {unsure} of {await store.traces.count()} turns")
        dearest = await store.traces.query(TraceFilter(min_cost=Decimal("0.10")), limit=1)
        for trace in dearest.items:
            print(f"{'dear':<12} {trace.call_id} {trace.total_cost:.2f}")
    async with Store.open(database, project="support") as store:
        print(f"{'of support':<12} {await store.traces.count()} turn")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:  # yours stay: `.reamon/reamon.db`, unless you say otherwise
        calls = Path(folder, "calls.db")
        record(calls)
        asyncio.run(ask(calls))
