"""Threads: `wrap_executor` makes a pool's work part of the span that submitted it.

It prints:
valuation: 3 of 3 look-ups are its children
"""

from concurrent.futures import ThreadPoolExecutor

import reamon
from reamon.exporters import MemoryExporter


@reamon.trace_retrieval
def look_up(street: str) -> int:
    """What the houses in a street are worth."""
    return 100_000 * len(street)


@reamon.trace_agent
def valuation(streets: list[str]) -> int:
    """The mean over some streets, looked up at once."""
    with reamon.wrap_executor(ThreadPoolExecutor(max_workers=3)) as pool:
        return sum(pool.map(look_up, streets)) // len(streets)


if __name__ == "__main__":
    memory = MemoryExporter()
    reamon.configure(exporters=[memory])
    valuation(["Hill Road", "Mill Lane", "High Street"])
    reamon.flush()
    (agent,) = memory.named("valuation")
    children = [span for span in memory.named("look_up") if span.parent_id == agent.span_id]
    print(f"{agent.name}: {len(children)} of {len(memory.named('look_up'))} look-ups are its children")
