"""Prices: what the units of one model or product cost on a day, and what a usage costs at them."""

from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Any, Final

import msgspec

from reamon.model import CostData, Usage
from reamon.model.cost import EXACT, LARGEST, rounded
from reamon.model.usage import CACHED, COUNTS, PARTS

UNKNOWN: Final = "unknown"
"""The source and the version of a price that nobody knows."""

CALLS: Final = "calls"
"""The unit of what is paid once for each call."""

TOKENS: Final = frozenset(unit for unit in COUNTS if unit.endswith("_tokens"))

_WHOLES: Final = ("input_tokens", "output_tokens")

_OVERLAPPING: Final = {
    "input_audio_tokens": ("input_tokens", CACHED),
    "output_audio_tokens": ("output_tokens", ("reasoning_tokens",)),
}
"""Parts that may be in other parts of their whole too, as audio from a cache is; the others then have the price."""

_TWINS: Final = {"minutes": "audio_seconds", "audio_seconds": "minutes"}
"""The other unit for the same thing."""

_ZERO: Final = Decimal(0)
_NOTHING: Final = rounded(_ZERO)
_ONE: Final = Decimal(1)
_SIXTY: Final = Decimal(60)
_UNIT_COST: Final = Context(prec=28)


class UnitPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit costs.

    Attributes:
        price: USD for `per` units.
        per: How many units that is for.
        tiers: Other prices, each with the size above which it counts, smallest first. The size is that of the prompt
            for tokens (`input_tokens`), and the number of units for all else. A tier's price counts for all units.
        increment: Units are billed in steps of this size; a step begun is a step paid.
        minimum: At least so many units are billed, if any.
    """

    price: Decimal
    per: Decimal = _ONE
    tiers: tuple[tuple[Decimal, Decimal], ...] = ()
    increment: Decimal | None = None
    minimum: Decimal | None = None

    def at(self, size: Decimal) -> tuple[Decimal, Decimal]:
        """The price for `per` units where so much is used at once, and that for one, to 28 digits."""
        price = self.price
        for above, dearer in self.tiers:
            if size > above:
                price = dearer
        return price, _UNIT_COST.divide(price, self.per)

    def billed(self, units: Decimal) -> Decimal:
        """How many units are billed for what was used."""
        if units <= 0:
            return _ZERO
        if self.minimum is not None and units < self.minimum:
            units = self.minimum
        if self.increment is None:
            return units
        whole, rest = EXACT.divmod(units, self.increment)
        return EXACT.multiply(EXACT.add(whole, _ONE) if rest else whole, self.increment)

    def scaled(self, factor: Decimal) -> "UnitPrice":
        """The price with a discount (or a surcharge)."""
        return msgspec.structs.replace(
            self,
            price=EXACT.multiply(self.price, factor),
            tiers=tuple((above, EXACT.multiply(price, factor)) for above, price in self.tiers),
        )

    def for_minutes_as_seconds(self) -> "UnitPrice":
        """A price of minutes as one of seconds, without a division that could not be exact."""
        return msgspec.structs.replace(
            self,
            per=EXACT.multiply(self.per, _SIXTY),
            tiers=tuple((EXACT.multiply(above, _SIXTY), price) for above, price in self.tiers),
            increment=None if self.increment is None else EXACT.multiply(self.increment, _SIXTY),
            minimum=None if self.minimum is None else EXACT.multiply(self.minimum, _SIXTY),
        )


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What one model or product costs on a day.

    Attributes:
        source: Where that is known from ("rates", a profile's name, "genai-prices").
        version: Which edition of the source.
        units: Prices by unit, the names of `reamon.Usage`.
        effective_date: Since when (ISO 8601), where that is known.
        is_free: Whether it costs nothing, whatever is used.
    """

    source: str
    version: str
    units: dict[str, UnitPrice] = {}
    effective_date: str | None = None
    is_free: bool = False

    def scaled(self, factor: Decimal) -> "Prices":
        """The same with a discount (or a surcharge) on all units."""
        return msgspec.structs.replace(self, units={unit: price.scaled(factor) for unit, price in self.units.items()})


def details(usage: Usage, prices: Prices | None, cost_type: str, *, estimated: bool = False) -> tuple[CostData, ...]:
    """What a usage costs: one detail for each unit that is billed, each rounded once.

    What has no price gets a detail without an amount. Units of which nothing was used get none, unless nothing was used
    at all: then one says that this costs 0.
    """
    if prices is None:
        return (unknown(usage, cost_type, estimated=estimated),)
    if prices.is_free:
        return (_detail(usage, prices, cost_type, None, amount=_NOTHING, estimated=estimated),)
    used = list(_consumed(usage, prices.units))
    if not used:
        return (unknown(usage, cost_type, estimated=estimated),)
    billed = [consumed for consumed in used if consumed[1]] or used[:1]
    costly = [_priced(usage, prices, unit, units, cost_type, estimated) for unit, units in billed]
    for unit, units in _unpriced(usage, prices.units):
        costly.append(unknown(usage, cost_type, unit=unit, units=units, estimated=estimated))
    return tuple(costly)


def per_call(provider: str, product: str | None, prices: Prices, cost_type: str) -> CostData:
    """What is paid once for a call."""
    price, unit_cost = prices.units[CALLS].at(_ONE)
    return CostData(
        cost_type=cost_type,
        amount=rounded(EXACT.divide(price, prices.units[CALLS].per)),
        provider=provider,
        model=product,
        usage_units=_ONE,
        unit=CALLS,
        unit_cost=unit_cost,
        price_source=prices.source,
        price_version=prices.version,
        effective_date=prices.effective_date,
    )


def unknown(
    usage: Usage, cost_type: str, *, unit: str | None = None, units: Decimal | None = None, estimated: bool = False
) -> CostData:
    """A detail that says that nobody knows what this costs."""
    return CostData(
        cost_type=cost_type,
        amount=None,
        provider=usage.provider,
        model=usage.model,
        usage_units=units,
        unit=unit,
        price_source=UNKNOWN,
        price_version=UNKNOWN,
        estimated=estimated,
    )


def _priced(usage: Usage, prices: Prices, unit: str, units: Decimal, cost_type: str, estimated: bool) -> CostData:
    price = prices.units.get(unit) or _of_twin(prices.units, unit)
    billed = units if price.increment is None and price.minimum is None else price.billed(units)
    rate, unit_cost = price.at(Decimal(usage.input_tokens or 0) if price.tiers and unit in TOKENS else units)
    try:
        amount = EXACT.multiply(billed, rate)
        amount = rounded(amount if price.per == _ONE else EXACT.divide(amount, price.per))
    except ArithmeticError:  # more digits than money has
        amount = None
    if amount is None or amount > LARGEST:  # nobody used that much
        return unknown(usage, cost_type, unit=unit, units=units, estimated=estimated)
    return _detail(
        usage,
        prices,
        cost_type,
        unit,
        units=billed,
        unit_cost=unit_cost,
        amount=amount,
        estimated=estimated,
    )


def _detail(
    usage: Usage,
    prices: Prices,
    cost_type: str,
    unit: str | None,
    *,
    amount: Decimal,
    units: Decimal | None = None,
    unit_cost: Decimal | None = None,
    estimated: bool = False,
) -> CostData:
    return CostData(
        cost_type=cost_type,
        amount=amount,
        provider=usage.provider,
        model=usage.model,
        usage_units=units,
        unit=unit,
        unit_cost=unit_cost,
        price_source=prices.source,
        price_version=prices.version,
        effective_date=prices.effective_date,
        estimated=estimated,
    )


def _consumed(usage: Usage, units: dict[str, UnitPrice]) -> Iterator[tuple[str, Decimal]]:
    """The units that have a price, with what was used of each; of a whole, without the parts that have their own."""
    for unit in units:
        used = _without_parts(usage, unit, units)
        if used is not None:
            yield unit, Decimal(used)
        elif unit == "requests":
            yield unit, _ONE  # whoever used something asked for it
        elif unit in _TWINS and _TWINS[unit] not in units:
            twin = _TWINS[unit]
            used = _without_parts(usage, twin, units)
            if used is not None:
                yield (twin, used) if unit == "minutes" else (unit, EXACT.multiply(used, _SIXTY))


def _without_parts(usage: Usage, unit: str, units: dict[str, UnitPrice]) -> Any:
    """What was used of a unit, without what is billed at the price of another one; None where that is not known."""
    used = getattr(usage, unit, None)
    if used is None:
        return None
    for part in PARTS.get(unit, ()):
        if part in units:
            used -= _without_parts(usage, part, units) or 0
    if unit in _OVERLAPPING:
        whole, others = _OVERLAPPING[unit]
        size = getattr(usage, whole)
        if size is not None:
            used = min(used, size - sum(_without_parts(usage, other, units) or 0 for other in others if other in units))
    return used if used > 0 else _ZERO


def _of_twin(units: dict[str, UnitPrice], unit: str) -> UnitPrice:
    """The price of seconds where minutes have one."""
    return units[_TWINS[unit]].for_minutes_as_seconds()


def _unpriced(usage: Usage, units: dict[str, UnitPrice]) -> Iterator[tuple[str, Decimal]]:
    """What was used beside that, has no price, and is not another measure of the same."""
    if any(unit in TOKENS for unit in units):
        for whole in _WHOLES:
            outermost = (whole,) if getattr(usage, whole) is not None else _outermost(usage, PARTS[whole])
            for unit in outermost:
                rest = 0 if unit in units else _without_parts(usage, unit, units)
                if rest > 0:
                    yield unit, Decimal(rest)
    for unit in ("messages", "web_searches"):
        if getattr(usage, unit) and unit not in units:
            yield unit, Decimal(getattr(usage, unit))


def _outermost(usage: Usage, parts: tuple[str, ...]) -> Iterator[str]:
    """The parts of an unknown whole that are known, and in no other one that is."""
    known = [part for part in parts if getattr(usage, part) is not None]
    within = {inner for part in known for inner in PARTS.get(part, ())}
    yield from (part for part in known if part not in within)
