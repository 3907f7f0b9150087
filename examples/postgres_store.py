"""One store for many processes: three workers record calls into PostgreSQL, and all of it is read back as one.

It needs a PostgreSQL database: REAMON_POSTGRES__URL=postgresql://user@host/database.
Tables are made there, in the schema `reamon`. It prints:
call-0 completed $0.0013
call-1 completed $0.0013
call-2 completed $0.0013
"""

import asyncio
import multiprocessing
from datetime import UTC, datetime
from decimal import Decimal

import reamon
from reamon.settings import PostgresSettings
from reamon.store import Store, TraceFilter

PROJECT = "postgres example"


@reamon.trace_agent
def qualification(text: str) -> str:
    """Whether the lead wants to sell."""
    with reamon.trace_llm("chat") as span:
        span.record_cost("0.0013", cost_type="llm", provider="openai", model="gpt-4o")
    return "qualified" if "sell" in text else "not yet"


@reamon.trace_workflow
def turn(call_id: str, text: str) -> str:
    """One turn of a conversation."""
    return qualification(text)


def work(number: int) -> None:
    """One of the workers, on whatever machine: it writes to the same database as the others."""
    reamon.configure(exporters="postgres", project=PROJECT)
    turn(f"call-{number}", "I want to sell my house.")
    reamon.shutdown()  # what the database has not taken by then waits on disk, for the next start


async def show(url: str, since: datetime) -> None:
    """Print what they have recorded since then."""
    async with Store.open(url, project=PROJECT) as store:
        page = await store.traces.query(TraceFilter(since=since))
        for trace in sorted(page.items, key=lambda trace: trace.call_id or ""):
            print(trace.call_id, trace.status, f"${trace.total_cost or Decimal(0):.4f}")


if __name__ == "__main__":
    database = PostgresSettings.from_environment().store_url
    if database is None:
        raise SystemExit("set REAMON_POSTGRES__URL to postgresql://user@host/database")
    began = datetime.now(UTC)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    asyncio.run(show(database, began))
