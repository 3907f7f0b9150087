"""The cost collector: usage becomes cost details, by a price book."""

from collections import Counter
from pathlib import Path
from typing import Final

from reamon.collectors.price_book import PriceBook, cost_type_of
from reamon.collectors.prices import UNKNOWN
from reamon.collectors.rates import Rates
from reamon.model import CostData, Span, SpanKind, Usage
from reamon.protocols import Additions

_TYPE_OF_KIND: Final = {
    kind: kind.value
    for kind in (SpanKind.LLM, SpanKind.TOOL, SpanKind.RETRIEVAL, SpanKind.STT, SpanKind.TTS, SpanKind.TELEPHONY)
}
"""What is paid as what it is; agents, workflows and steps pay for what they used."""

_COUNTED: Final = 1_000
_OTHERS: Final = "others"


class CostCollector:
    """Prices what spans consumed, one cost detail for each unit that is billed.

    A cost that the application stated on the span (`record_cost`) stands: usage of the same cost type is not priced
    again. Usage of which no price is known gets a cost detail without an amount, since unknown is not free.

    Args:
        rates: A price book, or what one is made of: rates of your own, or a file of them.
        profile: Rates that come with reamon, by name.
        model_prices: Whether genai-prices is asked for what the rates do not name.

    Raises:
        ConfigurationError: The rates cannot be used; the message names what is wrong.

    Example:
        >>> from reamon.testing import make_span
        >>> collector = CostCollector({"openai/gpt-4o": {"input_tokens": "0.0000025", "output_tokens": "0.00001"}})
        >>> usage = Usage(provider="openai", model="gpt-4o", input_tokens=1000, output_tokens=100)
        >>> additions = collector.collect(make_span(kind="llm", usage=(usage,)))
        >>> sum(cost.amount for cost in additions.costs)
        Decimal('0.003500000000')
    """

    name = "cost"

    def __init__(
        self,
        rates: PriceBook | Rates | Path | str | None = None,
        *,
        profile: str | None = None,
        model_prices: bool = True,
    ) -> None:
        if not isinstance(rates, PriceBook):
            rates = PriceBook(rates, profile=profile, model_prices=model_prices)
        self.book = rates
        self._unknown: Counter[str] = Counter()

    def collect(self, span: Span) -> Additions | None:
        """The costs of the span's usage."""
        if not span.usage:
            return None
        costs = self._of_usage(span)
        return Additions(costs=tuple(costs)) if costs else None

    def unknown(self) -> dict[str, int]:
        """How many usages had no price so far in this process, by `"provider/model"`."""
        return dict(self._unknown)

    def _of_usage(self, span: Span) -> list[CostData]:
        stated = {cost.cost_type for cost in span.costs}
        moment = span.start_ns if span.end_ns is None else span.end_ns
        costs: list[CostData] = []
        for usage in span.usage:
            cost_type = _TYPE_OF_KIND.get(span.kind) or cost_type_of(usage)
            if cost_type in stated:
                continue
            details = self.book.price_at(usage, cost_type, moment, span.attributes)
            if any(detail.price_source == UNKNOWN for detail in details):
                self._count(usage)
            costs += details
        return costs

    def _count(self, usage: Usage) -> None:
        name = f"{usage.provider or '?'}/{usage.model or '?'}"
        if name not in self._unknown and len(self._unknown) >= _COUNTED:
            name = _OTHERS
        self._unknown[name] += 1
