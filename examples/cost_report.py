"""What was spent, on what, at other prices, and whether the invoice agrees: the questions that `reamon costs` asks too.

It prints:
sales   $17.50  99.5 %
closer   $0.08   0.5 %
at the new prices $8.75 instead of $17.50
acme-large: $10.00 billed, $8.75 recorded: differs
what acme/acme-large was asked would have cost $0.3500 with acme/acme-small, and not $8.7500
"""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import reamon
from reamon.analytics import cost_insights, cost_report, read_invoice, reconcile, reprice
from reamon.collectors import CostCollector, PriceBook
from reamon.exporters import SQLiteExporter
from reamon.store import Store

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


def record(calls: Path) -> None:
    """Two calls, at the old prices."""
    reamon.configure(exporters=[SQLiteExporter(calls)], collectors=[CostCollector(OLD)])
    for number in (1, 2):
        turn(f"call-{number}")
    reamon.shutdown()


def bill(invoice: Path) -> None:
    """What the provider sends at the end of the month."""
    today = datetime.now(UTC).date()
    invoice.write_text(f"date,model,cost\n{today},acme-large-2026-01-01,10.00\n{today},acme-small,0.08\n")


async def ask_about(calls: Path, invoice: Path) -> None:
    """Ask what was spent, price it anew, compare it with the invoice, and look for savings."""
    async with Store.open(calls) as store:
        for row in (await cost_report(store, by="agent")).rows:
            print(f"{row.key['agent']:<6}  {f'${row.amount:.2f}':>6}  {100 * (row.share or 0):>4.1f} %")
    repriced = await reprice(calls, NEW)
    print(f"at the new prices ${repriced.after:.2f} instead of ${repriced.before:.2f}")
    async with Store.open(calls) as store:
        found = await reconcile(store, read_invoice(invoice), "acme")
        for drift in (drift for drift in found.rows if drift.verdict == "differs"):
            print(f"{drift.model}: ${drift.billed:.2f} billed, ${drift.recorded:.2f} recorded: {drift.verdict}")
        insights = await cost_insights(store, book=NEW, minimum=2)
        print(next(insight.title for insight in insights if insight.saving))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:  # yours stay: `.reamon/reamon.db`, unless you say otherwise
        database, bills = Path(folder, "calls.db"), Path(folder, "invoice.csv")
        record(database)
        bill(bills)
        asyncio.run(ask_about(database, bills))
