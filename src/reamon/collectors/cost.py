"""The cost collector: usage becomes cost details, by rates that you give."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from reamon.errors import ConfigurationError
from reamon.model import CostData, Span, SpanKind, Usage
from reamon.model.cost import exact
from reamon.model.usage import AMOUNTS, COUNTS
from reamon.protocols import Additions

Rate = Decimal | int | str | float
Rates = Mapping[str, Mapping[str, Rate]]
UNITS: Final = COUNTS + AMOUNTS

_PARTS: Final = {
    "input_tokens": ("cached_input_tokens", "cache_write_tokens", "input_audio_tokens"),
    "output_tokens": ("reasoning_tokens", "output_audio_tokens"),
}
"""Which units are counted within another one: what has a rate of its own is not billed at the whole's rate too."""


class CostCollector:
    """Prices what spans consumed.

    A cost that the application stated on the span (`record_cost`) stands: usage of the same cost type is not priced
    again. Usage of a provider that has no rate gets a cost detail without an amount, since unknown is not free. Without
    any rates the collector adds nothing.

    Args:
        rates: USD for one unit, by unit (the names of `reamon.Usage`), by `"provider/model"` or, for all models that
            are not named, by `"provider"`.

    Raises:
        ConfigurationError: A rate is no number or negative, or a unit is unknown.

    Example:
        >>> rates = {"openai/gpt-4o": {"input_tokens": "0.0000025", "output_tokens": "0.00001"}}
        >>> usage = Usage(provider="openai", model="gpt-4o", input_tokens=1000, output_tokens=100)
        >>> CostCollector(rates).price(usage, "llm").amount
        Decimal('0.0035000')
    """

    name = "cost"

    def __init__(self, rates: Rates | None = None) -> None:
        self._rates = {key.lower(): _checked(key, units) for key, units in (rates or {}).items()}

    def collect(self, span: Span) -> Additions | None:
        """The costs of the span's usage."""
        if not span.usage or not self._rates:
            return None
        cost_type = span.kind.value if span.kind is not SpanKind.AGENT else "llm"
        if any(cost.cost_type == cost_type for cost in span.costs):
            return None
        costs = tuple(
            self.price(usage, cost_type, "rates" if number == 1 else f"rates#{number}")
            for number, usage in enumerate(span.usage, 1)
        )
        return Additions(costs=costs)

    def price(self, usage: Usage, cost_type: str, price_version: str = "rates") -> CostData:
        """What one usage costs.

        Args:
            usage: What was consumed.
            cost_type: What it is paid as.
            price_version: Which edition of the rates; with the span and the cost type it makes the detail's key.
        """
        rates = self._rates_of(usage)
        units = {} if rates is None else _billed(usage, rates)
        single = next(iter(units)) if len(units) == 1 else None
        return CostData(
            cost_type=cost_type,
            amount=sum((units[unit] * rates[unit] for unit in units), Decimal(0)) if rates and units else None,
            provider=usage.provider,
            model=usage.model,
            usage_units=units[single] if single else None,
            unit=single,
            unit_cost=rates[single] if rates and single else None,
            price_source="rates",
            price_version=price_version,
        )

    def _rates_of(self, usage: Usage) -> Mapping[str, Decimal] | None:
        provider = (usage.provider or "").lower()
        return self._rates.get(f"{provider}/{(usage.model or '').lower()}") or self._rates.get(provider)


def _billed(usage: Usage, rates: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """How many units are billed at each rate."""
    units: dict[str, Decimal] = {}
    for unit in rates:
        consumed = getattr(usage, unit)
        if consumed is None:
            continue
        parts = sum(getattr(usage, part) or 0 for part in _PARTS.get(unit, ()) if part in rates)
        units[unit] = Decimal(max(consumed - parts, 0))
    return units


def _checked(key: str, units: Mapping[str, Rate]) -> dict[str, Decimal]:
    checked = {}
    for unit, rate in units.items():
        if unit not in UNITS:
            raise ConfigurationError(f"rates[{key!r}]: there is no unit {unit!r}; the units are: {', '.join(UNITS)}")
        try:
            price = exact(rate)
        except ValueError as error:
            raise ConfigurationError(f"rates[{key!r}][{unit!r}]: {error}") from None
        if price < 0:
            raise ConfigurationError(f"rates[{key!r}][{unit!r}] = {rate!r}: a rate is not negative")
        checked[unit] = price
    return checked
