"""The cost collector: usage becomes cost details, by a price book."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from reamon.collectors.estimates import Estimator
from reamon.collectors.paid_calls import PaidCalls, paid_calls
from reamon.collectors.price_book import INFRASTRUCTURE, PriceBook, cost_type_of
from reamon.collectors.prices import unknown
from reamon.collectors.rates import Rates
from reamon.errors import ConfigurationError
from reamon.guard import guard
from reamon.model import CostData, Span, SpanKind, Usage
from reamon.model.cost import STATED_COSTS
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

    What is paid for each call (the unit `calls`) is charged once for each `call_id` that this process records, on the
    first trace of it that ends, unless the application stated a cost of the type "infrastructure" for that call.

    Args:
        rates: A price book, or what one is made of with the next two: rates of your own, or a file of them.
        profile: Rates that come with reamon, by name.
        model_prices: Whether genai-prices is asked for what the rates do not name.
        estimate: Whether tokens that a provider did not report are guessed from the text. Such details are `estimated`.

    Attributes:
        book: The price book.

    Raises:
        ConfigurationError: The rates cannot be used, or a price book comes with a profile or model prices beside it;
            the message names what is wrong.

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
        estimate: bool = False,
    ) -> None:
        if not isinstance(rates, PriceBook):
            rates = PriceBook(rates, profile=profile, model_prices=model_prices)
        elif profile is not None or not model_prices:
            raise ConfigurationError(
                "CostCollector(): a price book has its profile and its model prices already: give profile= and "
                "model_prices= to PriceBook"
            )
        self.book = rates
        self._estimator = Estimator() if estimate else None
        self._unknown: Counter[str] = Counter()
        self._calls = PaidCalls()
        self._shared: PaidCalls | None = None

    def collect(self, span: Span) -> Additions | None:
        """The costs of the span's usage, and of the call where it is the first of it."""
        if not span.usage and span.parent_id is not None and not span.costs and self._estimator is None:
            return None  # most spans: this runs for every one
        costs = self._of_usage(span)
        costs += self._of_call(span)
        attributes = _stated_costs(span.costs) if span.costs else {}
        return Additions(costs=tuple(costs), attributes=attributes) if costs or attributes else None

    def unknown(self) -> dict[str, int]:
        """How many usages had no price so far in this process, by `"provider/model"`."""
        return dict(self._unknown)

    def _of_usage(self, span: Span) -> list[CostData]:
        usages, estimated = self._usage_of(span)
        stated = {cost.cost_type for cost in span.costs}
        costs: list[CostData] = []
        for usage in usages:
            cost_type = _TYPE_OF_KIND.get(span.kind) or cost_type_of(usage)
            if cost_type in stated:
                continue
            details = self._details(span, usage, cost_type, estimated)
            if any(detail.amount is None for detail in details):
                self._count(usage)
            costs += details
        return costs

    def _details(self, span: Span, usage: Usage, cost_type: str, estimated: bool) -> tuple[CostData, ...]:
        """What a usage costs. One that cannot be priced is unknown, and does not take the others with it."""
        try:
            return self.book.price_at(usage, cost_type, _moment(span), span.attributes, estimated=estimated)
        except Exception as error:
            guard.contain(f"collector {self.name}", error)
            return (unknown(usage, cost_type, estimated=estimated),)

    def _usage_of(self, span: Span) -> tuple[Sequence[Usage], bool]:
        """What the span used, and whether that is a guess."""
        if self._estimator is None:
            return span.usage, False
        if span.usage or span.costs:
            self._estimator.see_billed(span)
            return span.usage, False
        guess = self._estimator.usage_of(span)
        return (() if guess is None else (guess,)), True

    def _of_call(self, span: Span) -> Sequence[CostData]:
        """What is paid once for the call, on the first of its traces that ends; what the application stated stands."""
        if span.call_id is None:
            return ()
        if any(cost.cost_type == INFRASTRUCTURE for cost in span.costs):
            self._is_first(span.call_id)
            return ()
        if span.parent_id is not None:
            return ()
        costs = self.book.per_call_at(_moment(span))
        return costs if costs and self._is_first(span.call_id) else ()

    def _is_first(self, call_id: str) -> bool:
        """Note that a call is charged. Returns whether neither this collector nor a calculator did that before."""
        self._shared = paid_calls() or self._shared  # at a shutdown, spans still come when nothing is recorded any more
        is_new = self._calls.add(call_id)
        return (self._shared is None or self._shared.add(call_id)) and is_new

    def _count(self, usage: Usage) -> None:
        name = f"{usage.provider or '?'}/{usage.model or '?'}"
        if name not in self._unknown and len(self._unknown) >= _COUNTED:
            name = _OTHERS
        self._unknown[name] += 1


def _stated_costs(costs: Sequence[CostData]) -> dict[str, Any]:
    """A note of what the application stated without saying so: in a store, it looks like a priced usage."""
    types = sorted({cost.cost_type for cost in costs if not cost.says_stated})
    return {STATED_COSTS: types} if types else {}


def _moment(span: Span) -> int:
    return span.start_ns if span.end_ns is None else span.end_ns
