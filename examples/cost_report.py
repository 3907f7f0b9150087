"""What was spent, on what, at other prices, and whether the invoice agrees: the questions that `reamon costs` asks too.

It prints:
sales 17.500000000000 USD (99.5 %)
closer 0.080000000000 USD (0.5 %)
at the new prices 8.750000000000 instead of 17.500000000000 USD
acme-large: billed 10.00, recorded 8.750000000000: differs
what acme/acme-large was asked would have cost $0.3500 with acme/acme-small, and not $8.7500
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import reamon
from reamon.analytics import cost_insights, cost_report, read_invoice, reconcile, reprice
from reamon.collectors import CostCollector, PriceBook
from reamon.exporters import SQLiteExporter
from reamon.store import Store

CALLS = Path("calls.db")
SMALL = {"acme/acme-small": {"per": 1_000_000, "input_tokens": 0.1}}
OLD = PriceBook({**SMALL, "acme/acme-large": {"per": 1_000_000, "input_tokens": 5}}, model_prices=False)
NEW = PriceBook({**SMALL, "acme/acme-large": {"per": 1_000_000, "input_tokens": 2.5}}, model_prices=False)


@reamon.trace_llm
def ask(model: str, tokens: int) -> None:
    """A request to a model, which says what it used."""
    reamon.current_span().record_usage(provider="acme", model=model, input_tokens=tokens)


@reamon.trace_workflow
def turn(call_id: str) -> None:
    """One turn: two agents, one of them with the dearer model."""
    with reamon.trace_agent("sales"):
        ask("acme-large", 1_750_000)
    with reamon.trace_agent("closer"):
        ask("acme-small", 400_000)


async def main() -> None:
    """Ask what was spent, price it anew, compare it with the invoice, and look for savings."""
    async with Store.open(CALLS) as store:
        for row in (await cost_report(store, by="agent")).rows:
            print(f"{row.key['agent']} {row.amount} USD ({100 * (row.share or 0):.1f} %)")
    repriced = await reprice(CALLS, NEW)
    print(f"at the new prices {repriced.after} instead of {repriced.before} USD")
    async with Store.open(CALLS) as store:
        found = await reconcile(store, read_invoice(Path("invoice.csv")), "acme")
        for drift in (drift for drift in found.rows if drift.verdict != "agrees"):
            print(f"{drift.model}: billed {drift.billed}, recorded {drift.recorded}: {drift.verdict}")
        insights = await cost_insights(store, book=NEW, minimum=2)
        print(next(insight.title for insight in insights if insight.saving))


if __name__ == "__main__":
    reamon.configure(exporters=[SQLiteExporter(CALLS)], collectors=[CostCollector(OLD)])
    for number in (1, 2):
        turn(f"call-{number}")
    reamon.shutdown()
    today = datetime.now(UTC).date()
    Path("invoice.csv").write_text(f"date,model,cost\n{today},acme-large-2026-01-01,10.00\n{today},acme-small,0.08\n")
    asyncio.run(main())
