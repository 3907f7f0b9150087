"""Rates: prices of your own, from a mapping or a file, checked before anything is priced."""

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import msgspec

from reamon.collectors.prices import CALLS, Prices, UnitPrice
from reamon.errors import ConfigurationError
from reamon.model.cost import exact
from reamon.model.usage import AMOUNTS, COUNTS

Rates = Mapping[str, Any]
"""A table of prices, or a list of such tables, by `"provider/model"`; `RateSheet` checks what is in it."""
UNITS: Final = (*COUNTS, *AMOUNTS, CALLS)

_OPTIONS: Final = ("from", "per", "increment", "minimum", "free", "tiers", "service_tiers")
_STEPPED: Final = ("minutes", "audio_seconds", "characters", "messages")
_DATED: Final = re.compile(r"(.+?)[-@](\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")
_ALWAYS: Final = date.min
_SMALLEST: Final = Decimal("1e-18")
_LARGEST: Final = Decimal("1e15")


class Edition(msgspec.Struct, frozen=True):
    """The rates of one key from a day on.

    Attributes:
        since: The first day.
        prices: What the units cost.
        service_tiers: Factors by the service tier of a request ("batch": half of it).
    """

    since: date
    prices: Prices
    service_tiers: dict[str, Decimal]


class RateSheet:
    """Rates by provider and model.

    Args:
        name: What details name as their price's source.
        rates: By `"provider/model"`, by `"provider/beginning*"`, or, for all models that are not named, by
            `"provider"`: prices by unit, and the options that docs/costs.md lists; or several of these, each in force
            `from` a day on.
        aliases: Other names of keys: `{"whisper-api": "openai/whisper-1"}`.
        version: Which edition of the sheet this is; made from what is in it by default.
        where: What to call it in a message.

    Raises:
        ConfigurationError: Something in it cannot be used; the message names it.
    """

    def __init__(
        self,
        name: str,
        rates: Rates,
        aliases: Mapping[str, str] | None = None,
        version: str | None = None,
        where: str = "rates",
    ) -> None:
        self.name = name
        self.version = f"{name}@{version or _digest(rates)}"
        if not isinstance(rates, Mapping):
            raise ConfigurationError(f"{where}: rates are a table of providers, not {type(rates).__name__}")
        self._editions: dict[str, tuple[Edition, ...]] = {}
        for key, table in rates.items():
            here = f"{where}[{str(key)!r}]"
            self._editions[_new_name(here, key, self._editions)] = _editions(self, here, str(key), table)
        self.aliases = self._checked_aliases(aliases or {}, where)
        self._beginnings = sorted((key[:-1] for key in self._editions if key.endswith("*")), key=len, reverse=True)

    @property
    def keys(self) -> tuple[str, ...]:
        """The providers and models that have rates, aliases included."""
        return (*self._editions, *self.aliases)

    def find(self, provider: str, model: str, day: date, service_tier: str | None = None) -> Prices | None:
        """The prices in force on a day, or None.

        A model is looked for by its name, by its name without the date of its version (`gpt-4o-2024-08-06`), by the
        longest beginning, and then its provider is.

        Args:
            provider: Who bills it, in small letters.
            model: The model or the product, in small letters.
            day: The day.
            service_tier: How a request is served, where that is paid for differently ("batch").
        """
        editions = self._editions_of(provider, model)
        number = bisect_right(editions, day, key=lambda edition: edition.since)
        if not number:
            return None
        edition = editions[number - 1]
        factor = edition.service_tiers.get(service_tier) if service_tier else None
        return edition.prices if factor is None else edition.prices.scaled(factor)

    def per_call(self, day: date) -> list[tuple[str, Prices]]:
        """What is paid once for each call: key and prices."""
        found = []
        for key in self._editions:
            prices = self.find(*_split(key), day)
            if prices is not None and CALLS in prices.units:
                found.append((key, prices))
        return found

    def _editions_of(self, provider: str, model: str) -> tuple[Edition, ...]:
        for key in self._names(provider, model):
            editions = self._editions.get(self.aliases.get(key, key))
            if editions:
                return editions
        return ()

    def _names(self, provider: str, model: str) -> Iterable[str]:
        if model:
            yield f"{provider}/{model}"
            dated = _DATED.fullmatch(model)
            if dated:
                yield f"{provider}/{dated[1]}"
            whole = f"{provider}/{model}"
            yield from (f"{beginning}*" for beginning in self._beginnings if whole.startswith(beginning))
        yield provider

    def _checked_aliases(self, aliases: Mapping[str, str], where: str) -> dict[str, str]:
        if not isinstance(aliases, Mapping):
            raise ConfigurationError(f"{where}.aliases: a table of names is needed, not {type(aliases).__name__}")
        checked: dict[str, str] = {}
        for alias, key in aliases.items():
            here = f"{where}.aliases[{alias!r}] = {key!r}"
            meant = str(key).strip().lower()
            if meant not in self._editions:
                raise ConfigurationError(f"{here}: there are no rates of that name")
            name = _new_name(here, alias, checked)
            if name in self._editions:
                raise ConfigurationError(f"{here}: {name!r} has rates of their own; leave out these or the alias")
            checked[name] = meant
        return checked


def _new_name(where: str, given: object, known: Container[str]) -> str:
    """What a key is kept as.

    Raises:
        ConfigurationError: Nothing could ever be found by it, or it is known.
    """
    name = str(given).strip().lower()
    provider, slash, model = name.partition("/")
    if not provider or (slash and not model) or "*" in name[:-1]:
        raise ConfigurationError(
            f'{where}: a name is "provider", "provider/model" or "provider/beginning*", with one `*`, at its end'
        )
    if name in known:
        raise ConfigurationError(f"{where}: {name!r} is there twice (capitals do not count); leave one out")
    return name


def _split(key: str) -> tuple[str, str]:
    provider, _, model = key.partition("/")
    return provider, model


def _editions(sheet: RateSheet, where: str, name: str, given: Any) -> tuple[Edition, ...]:
    tables = [given] if isinstance(given, Mapping) else given
    if not isinstance(tables, list | tuple) or not tables or not all(isinstance(table, Mapping) for table in tables):
        raise ConfigurationError(f"{where}: a table of prices by unit is needed, or a list of such tables")
    for table in tables:
        _check_names(where, name, table)
    editions = [_edition(sheet, where, table) for table in tables]
    editions.sort(key=lambda edition: edition.since)
    for before, after in pairwise(editions):
        if before.since == after.since:
            raise ConfigurationError(f"{where}: two of them are in force from the same day; give each its own `from`")
    return tuple(editions)


def _check_names(where: str, key: str, table: Mapping[str, Any]) -> None:
    for name, given in table.items():
        if name in UNITS or name in _OPTIONS:
            continue
        if isinstance(given, Mapping):
            what = f'a provider and its model are one name, in quotes: "{key}/{name}"'
        else:
            what = f"there are: {', '.join(UNITS + _OPTIONS)}"
        raise ConfigurationError(f"{where}: there is no unit or option {name!r}; {what}")


def _edition(sheet: RateSheet, where: str, table: Mapping[str, Any]) -> Edition:
    units = [unit for unit in table if unit in UNITS]
    is_free = _flag(where, table)
    if is_free == bool(units):
        what = "it is free, and has prices too" if is_free else "it has no price of any unit, and is not `free` either"
        raise ConfigurationError(f"{where}: {what}")
    since = _day(where, table.get("from"))
    per = _positive(f"{where}.per", table.get("per", 1))
    steps = _steps(where, table, units)
    tiers = _tiers(where, table.get("tiers", ()), units)
    prices = Prices(
        source=sheet.name,
        version=sheet.version,
        units={
            unit: UnitPrice(
                price=_price(f"{where}[{unit!r}]", table[unit]),
                per=per,
                tiers=tiers.get(unit, ()),
                **(steps if unit in _STEPPED else {}),
            )
            for unit in units
        },
        effective_date=None if since == _ALWAYS else since.isoformat(),
        is_free=is_free,
    )
    return Edition(since, prices, _factors(f"{where}.service_tiers", table.get("service_tiers", {})))


def _steps(where: str, table: Mapping[str, Any], units: Iterable[str]) -> dict[str, Decimal]:
    given = {name: _positive(f"{where}.{name}", table[name]) for name in ("increment", "minimum") if name in table}
    stepped = [unit for unit in units if unit in _STEPPED]
    if given and len(stepped) != 1:
        raise ConfigurationError(
            f"{where}: `{'`, `'.join(given)}` is about one unit; of {', '.join(_STEPPED)} it has {len(stepped)}: "
            "give each a key of its own"
        )
    return given


def _tiers(where: str, given: Any, units: Iterable[str]) -> dict[str, tuple[tuple[Decimal, Decimal], ...]]:
    """The tiers of each unit; a tier that does not name a unit leaves its price as it is."""
    if not isinstance(given, list | tuple) or not all(isinstance(tier, Mapping) for tier in given):
        raise ConfigurationError(f"{where}.tiers: a list of tables is needed")
    tiers: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for number, tier in enumerate(given, 1):
        here = f"{where}.tiers[{number}]"
        if "above" not in tier:
            raise ConfigurationError(f"{here}: it does not say `above` which size it counts")
        above = _positive(f"{here}.above", tier["above"])
        if len(tier) == 1:
            raise ConfigurationError(f"{here}: it has no price of any unit")
        for unit in tier:
            if unit != "above" and unit not in units:
                raise ConfigurationError(f"{here}: {unit!r} has no price below it; give it one beside the tiers")
        for unit in tier.keys() - {"above"}:
            steps = tiers.setdefault(unit, [])
            if any(above == other for other, _ in steps):
                raise ConfigurationError(f"{where}.tiers: two of them have a price of {unit!r} above {above}")
            steps.append((above, _price(f"{here}[{unit!r}]", tier[unit])))
    return {unit: tuple(sorted(steps)) for unit, steps in tiers.items()}


def _factors(where: str, given: Any) -> dict[str, Decimal]:
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where}: a table of factors is needed, such as {{batch = 0.5}}")
    return {str(tier).lower(): _price(f"{where}[{tier!r}]", factor) for tier, factor in given.items()}


def _flag(where: str, table: Mapping[str, Any]) -> bool:
    given = table.get("free", False)
    flag = {"true": True, "false": False}.get(str(given).lower())
    if flag is None:
        raise ConfigurationError(f"{where}.free = {given!r}: true or false is needed")
    return flag


def _day(where: str, given: Any) -> date:
    if given is None:
        return _ALWAYS
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{where}.from = {given!r}: a day is needed, such as 2026-01-31") from None


def _price(where: str, given: Any) -> Decimal:
    price = _number(where, given)
    if price < 0:
        raise ConfigurationError(f"{where} = {given!r}: a rate is not negative")
    return _within_reason(where, given, price)


def _number(where: str, given: Any) -> Decimal:
    try:
        return exact(given)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def _within_reason(where: str, given: Any, number: Decimal) -> Decimal:
    """The number, which sums of money with twelve places can be made of."""
    if number and not _SMALLEST <= number <= _LARGEST:
        raise ConfigurationError(
            f"{where} = {given!r}: no price or number of units is like that; is its exponent right?"
        )
    return number


def _positive(where: str, given: Any) -> Decimal:
    number = _number(where, given)
    if number <= 0:
        raise ConfigurationError(f"{where} = {given!r}: it has to be more than 0")
    return _within_reason(where, given, number)


def _digest(rates: Any) -> str:
    """A short name of what is in there, the same for the same rates in whatever form."""
    text = json.dumps(_plain(rates), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value)
