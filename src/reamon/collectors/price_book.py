"""The price book: what a usage costs on a day, from your own rates, a profile, and known model prices."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

from reamon.collectors.model_prices import ModelPrices
from reamon.collectors.prices import Prices, details, per_call
from reamon.collectors.rate_files import load_rates, profile_rates
from reamon.collectors.rates import Rates, RateSheet
from reamon.collectors.service_tiers import service_tier_of
from reamon.errors import ConfigurationError
from reamon.model import CostData, Usage
from reamon.model.times import from_datetime, to_datetime

INFRASTRUCTURE: Final = "infrastructure"
"""The cost type of what is paid once for each call."""

_LOCAL: Final = "local"
_CACHE_HIT: Final = Prices(source="cache-hit", version="cache-hit", is_free=True)
_KEPT: Final = 8_192
_NANOS_PER_DAY: Final = 86_400_000_000_000
_NONE: Final[Mapping[str, Any]] = {}
_TYPES: Final = (
    ("input_tokens", "llm"),
    ("output_tokens", "llm"),
    ("characters", "tts"),
    ("audio_seconds", "stt"),
    ("minutes", "telephony"),
    ("messages", "telephony"),
)


class PriceBook:
    """Looks up what things cost, in this order: your own rates, a profile, what runs locally (free), model prices.

    Model prices come from the library `genai-prices` (the extra `costs`), which knows what the usual providers charge
    for each model since when. It is asked once for each model and day, and imported at the first question.

    Args:
        rates: Your own: a mapping by `"provider/model"` or `"provider"` (see docs/costs.md), or a file of them.
        profile: Rates that come with reamon, by name: `"reautomation2"`.
        model_prices: Whether genai-prices is asked at all.

    Attributes:
        sources: The editions of all that is asked, in this order; genai-prices only where it is installed.

    Raises:
        ConfigurationError: The rates cannot be used, or there is no such profile; the message says what is wrong where.

    Example:
        >>> book = PriceBook({"acme/large": {"per": 1_000_000, "input_tokens": 2.5, "output_tokens": 10}})
        >>> usage = Usage(provider="acme", model="large", input_tokens=1200, output_tokens=80)
        >>> [(detail.unit, str(detail.amount)) for detail in book.price(usage, at=date(2026, 7, 1))]
        [('input_tokens', '0.003000000000'), ('output_tokens', '0.000800000000')]
    """

    def __init__(
        self, rates: Rates | Path | str | None = None, *, profile: str | None = None, model_prices: bool = True
    ) -> None:
        sheets: list[RateSheet] = []
        if isinstance(rates, str | Path):
            sheets.append(load_rates(Path(rates)))
        elif rates is not None:
            sheets.append(RateSheet("rates", rates))
        if profile is not None:
            sheets.append(profile_rates(profile))
        sheets.append(profile_rates(_LOCAL))
        self._sheets = tuple(sheets)
        self._model_prices = ModelPrices() if model_prices else None
        self._found: dict[tuple[str | None, str | None, str | None, int], Prices | None] = {}
        self._per_call: dict[int, tuple[CostData, ...]] = {}

    @classmethod
    def load(cls, path: Path | str, *, profile: str | None = None, model_prices: bool = True) -> "PriceBook":
        """The price book with the rates of a file, TOML or YAML.

        Args:
            path: The file.
            profile: See the class.
            model_prices: See the class.

        Raises:
            ConfigurationError: The file is not there or cannot be used; the message names it and the key in it.
            MissingExtraError: It is YAML, and PyYAML is not installed.
        """
        return cls(Path(path), profile=profile, model_prices=model_prices)

    @property
    def sources(self) -> tuple[str, ...]:
        """The editions of all that is asked, in this order."""
        known = None if self._model_prices is None else self._model_prices.version
        return (*(sheet.version for sheet in self._sheets), *((known,) if known else ()))

    @property
    def version(self) -> str:
        """The edition of the whole book; another one wherever any price may be another."""
        return "+".join(self.sources)

    @property
    def names(self) -> tuple[str, ...]:
        """The providers and models that have rates of their own, as `"provider/model"`, aliases included."""
        return tuple(key for sheet in self._sheets for key in sheet.keys)

    def meaning_of(self, name: str) -> str:
        """The `"provider/model"` that an alias stands for; any other name as it is.

        Example:
            >>> PriceBook(profile="reautomation2").meaning_of("openai-gpt-3.5")
            'openai/gpt-3.5-turbo'
        """
        return next((sheet.aliases[name.lower()] for sheet in self._sheets if name.lower() in sheet.aliases), name)

    def price(
        self,
        usage: Usage,
        cost_type: str | None = None,
        *,
        at: datetime | date,
        attributes: Mapping[str, Any] = _NONE,
        estimated: bool = False,
    ) -> tuple[CostData, ...]:
        """What a usage costs: one detail for each unit that is billed. The same question has the same answer.

        Args:
            usage: What was consumed.
            cost_type: What it is paid as ("llm", "tts"); made from the units by default.
            at: When: an aware datetime, or a day (UTC).
            attributes: Those of the span, which say whether it was a batch or a cache hit.
            estimated: Whether the usage is a guess; the details then say so.

        Returns:
            At least one detail; one without an amount where no price is known.
        """
        return self.price_at(usage, cost_type or cost_type_of(usage), _nanoseconds(at), attributes, estimated=estimated)

    def price_at(
        self,
        usage: Usage,
        cost_type: str,
        moment: int,
        attributes: Mapping[str, Any] = _NONE,
        *,
        estimated: bool = False,
    ) -> tuple[CostData, ...]:
        """`price`, with the moment in nanoseconds since 1970, as spans have it."""
        if attributes and attributes.get("reamon.cache_hit") is True:
            return details(usage, _CACHE_HIT, cost_type)
        service_tier = service_tier_of(attributes) if attributes else None
        return details(
            usage, self._find(usage.provider, usage.model, service_tier, moment), cost_type, estimated=estimated
        )

    def per_call(self, at: datetime | date) -> tuple[CostData, ...]:
        """What is paid once for each call, whatever it uses: the rates that have the unit `calls`."""
        return self.per_call_at(_nanoseconds(at))

    def per_call_at(self, moment: int) -> tuple[CostData, ...]:
        """`per_call`, with the moment in nanoseconds since 1970."""
        day = moment // _NANOS_PER_DAY
        known = self._per_call.get(day)
        if known is None:
            if len(self._per_call) > 100:
                self._per_call.clear()
            known = self._per_call[day] = self._paid_per_call(to_datetime(moment).date())
        return known

    def prices(
        self, provider: str | None, model: str | None = None, *, at: datetime | date, service_tier: str | None = None
    ) -> Prices | None:
        """What the units of a model or product cost, or None where that is not known.

        Args:
            provider: Who bills it.
            model: The model or the product.
            at: When: an aware datetime, or a day (UTC).
            service_tier: How requests are served, where that is paid for differently ("batch", "flex").
        """
        return self._find(provider, model, service_tier, _nanoseconds(at))

    def _find(self, provider: str | None, model: str | None, service_tier: str | None, moment: int) -> Prices | None:
        key = (provider, model, service_tier, moment // _NANOS_PER_DAY)
        try:
            return self._found[key]
        except KeyError:
            pass
        asked = ((provider or "").strip().lower(), (model or "").strip().lower())
        prices, keeps = self._look_up(*asked, service_tier, to_datetime(moment))
        if keeps:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[key] = prices
        return prices

    def _look_up(
        self, provider: str, model: str, service_tier: str | None, moment: datetime
    ) -> tuple[Prices | None, bool]:
        """The prices, and whether they are the same all day."""
        if not provider:
            return None, True
        day = moment.date()
        for sheet in self._sheets:
            prices = sheet.find(provider, model, day, service_tier)
            if prices is not None:
                return prices, True
        if self._model_prices is None:
            return None, True
        found = self._model_prices.find(provider, model, moment, service_tier)
        return found, not self._model_prices.varies_within_a_day(provider, model)

    def _paid_per_call(self, day: date) -> tuple[CostData, ...]:
        paid: list[CostData] = []
        named: set[str] = set()
        for sheet in self._sheets:
            for key, prices in sheet.per_call(day):
                if key not in named:  # the sheet before says what it costs
                    named.add(key)
                    provider, _, product = key.partition("/")
                    paid.append(per_call(provider, product or None, prices, INFRASTRUCTURE))
        return tuple(paid)


def cost_type_of(usage: Usage) -> str:
    """What a usage is paid as, by what was consumed.

    Example:
        >>> cost_type_of(Usage(provider="twilio", messages=1))
        'telephony'
    """
    return next((cost_type for unit, cost_type in _TYPES if getattr(usage, unit) is not None), "llm")


def _nanoseconds(at: datetime | date) -> int:
    if isinstance(at, datetime):
        return from_datetime(at)
    if isinstance(at, date):
        return from_datetime(datetime.combine(at, time(), UTC))
    raise ConfigurationError(f"at = {at!r}: a day or an aware datetime is needed")
