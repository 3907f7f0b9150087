"""Budgets: five workers dial until the day's money is spent, and with a cheaper model towards the end.

It prints:
told: budget 'day' is past 70 %: 0.70 of 1.00 USD
told: budget 'day' is past 85 %: 0.90 of 1.00 USD
told: budget 'day' is past 95 %: 0.95 of 1.00 USD
9 calls with the good model
5 calls with the cheap model
budget 'day': 0.95 spent of 1.00 USD
"""

import asyncio
from collections import Counter
from decimal import Decimal

import reamon
from reamon import budgets
from reamon.exporters import MemoryExporter

PRICES = {"good": Decimal("0.10"), "cheap": Decimal("0.01")}
calls: Counter[str] = Counter()
turn = asyncio.Lock()  # one call at a time, so that the example says the same each time


@reamon.trace_workflow
async def dial(call_id: str, model: str) -> None:
    """A call; the span of its model says what it cost."""
    with reamon.trace_llm("talk") as span:
        span.record_cost(PRICES[model], cost_type="llm")
    calls[model] += 1


async def work(numbers: list[str]) -> None:
    """Dial one after the other, until there is nobody left to call, or no money."""
    while numbers:
        call_id = numbers.pop()
        async with turn:
            model = "cheap" if budgets.action() == "degrade" else "good"
            async with await budgets.areserve(PRICES[model], call_id=call_id) as call:
                if not call.allowed:
                    return
                await dial(call_id, model)
            await reamon.aflush()


async def main() -> None:
    """A hundred numbers, five workers."""
    numbers = [f"call-{number}" for number in range(100)]
    async with asyncio.TaskGroup() as workers:
        for _ in range(5):
            workers.create_task(work(numbers))


if __name__ == "__main__":
    reamon.configure(
        exporters=[MemoryExporter()],
        budgets={"day": 1, "warn_at": "0.7", "degrade_at": "0.85", "stop_at": "0.95", "state": "memory"},
    )
    budgets.on_crossing(lambda event: print("told:", event.message))
    asyncio.run(main())
    for model in PRICES:
        print(f"{calls[model]} calls with the {model} model")
    print(budgets.check().reason)
