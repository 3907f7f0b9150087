"""Costs: rates of your own beside known ones, what had no price, and a calculator for a call that goes on.

It prints:
acme/large input_tokens 1200 x 0.0000025 = 0.003000 (rates)
acme/large output_tokens 80 x 0.00001 = 0.000800 (rates)
twilio/voice minutes 3 x 0.014 = 0.042000 (rates)
ollama/llama3.2 free (local)
somebody/something unknown
own/infrastructure calls 1 x 0.001 = 0.001000 (rates)
the call: 0.046800 USD, partial
without a price: {'somebody/something': 1}
so far: 0.039000 USD, of that twilio 0.017000
"""

from decimal import Decimal

import reamon
from reamon.collectors import CostCalculator, CostCollector
from reamon.exporters import MemoryExporter

RATES = {
    "acme/large": {"per": 1_000_000, "input_tokens": "2.50", "output_tokens": "10"},
    "twilio/voice": {"minutes": "0.014", "increment": 1},
    "own/infrastructure": {"calls": "0.001"},
}


def told(cost: reamon.CostData) -> str:
    """A cost detail in a line."""
    who = f"{cost.provider}/{cost.model}"
    if cost.amount is None:
        return f"{who} unknown"
    if cost.unit_cost is None:
        return f"{who} free ({cost.price_source})"
    return f"{who} {cost.unit} {cost.usage_units} x {cost.unit_cost:f} = {cost.amount:.6f} ({cost.price_source})"


def main() -> None:
    """Record one turn of a call, and then calculate another call by hand."""
    memory, costs = MemoryExporter(), CostCollector(RATES, model_prices=False)
    reamon.configure(exporters=[memory], collectors=[costs])
    with reamon.trace_workflow("turn", call_id="call-1"), reamon.trace_step("work") as span:
        span.record_usage(provider="acme", model="large", input_tokens=1200, output_tokens=80)
        span.record_usage(provider="twilio", model="voice", minutes=Decimal("2.2"))
        span.record_usage(provider="ollama", model="llama3.2", input_tokens=900)
        span.record_usage(provider="somebody", model="something", input_tokens=5)
    reamon.flush()
    details = [cost for span in memory.spans for cost in span.costs]
    for cost in details:
        print(told(cost))
    breakdown = reamon.CostBreakdown.of(details)
    print(f"the call: {breakdown.total:.6f} USD, {breakdown.status}")
    print(f"without a price: {costs.unknown()}")

    calculator = CostCalculator(record=False)
    calculator.calculate_llm_cost("call-2", "openai-gpt-4", 600, 100)
    calculator.calculate_twilio_cost("call-2", 2)
    so_far = calculator.get_call_cost_breakdown("call-2")
    print(f"so far: {so_far['total']:.6f} USD, of that twilio {so_far['twilio']:.6f}")


if __name__ == "__main__":
    main()
