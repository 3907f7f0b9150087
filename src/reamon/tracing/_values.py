"""Values: what the application gives, as what is kept of it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from reamon.guard import guard, guarded
from reamon.model import Usage
from reamon.model.cost import EXACT, LARGEST, exact, rounded
from reamon.model.times import NANOS_PER_SECOND, from_datetime
from reamon.model.usage import AMOUNTS, COUNTS
from reamon.tracing._switch import switch
from reamon.tracing.capture import DEFAULT_LIMIT, snapshot

_SHORT = 256
_LARGEST = 1 << 63  # from here on, integers do not fit where they are going
_DIGITS = 19
_LONGEST_AMOUNT = 100  # characters
_MAGNITUDE = 30  # places before and behind the point

LONGEST_NAME = 1_024
"""Characters of a name, an id or a key."""

LONGEST_TEXT = 16_384
"""Characters of what people say about a span."""


def usage_of(provider: object, model: object, consumed: Mapping[str, Any]) -> Usage:
    """A `Usage` of loosely typed amounts; what is unknown by name or negative is counted and left out."""
    amounts: dict[str, Any] = {}
    for name, amount in consumed.items():
        if amount is None:
            continue
        try:
            amounts[name] = _amount_of(name, amount)
        except Exception as error:
            guard.contain("record_usage", error)
    return Usage(provider=label_of(provider), model=label_of(model), **amounts)


def _amount_of(name: str, amount: Any) -> int | Decimal:
    if name in COUNTS:
        if isinstance(amount, Decimal) and amount.is_finite() and amount.adjusted() >= _DIGITS:
            raise ValueError(f"{name} is too large: {amount!r}")  # before a million digits of it are written out
        number: int | Decimal = int(amount)
    elif name in AMOUNTS:
        number = amount_of(amount)
    else:
        raise TypeError(f"record_usage() has no {name!r}; it takes {', '.join(COUNTS + AMOUNTS)}")
    if not 0 <= number < _LARGEST:
        raise ValueError(f"{name} is {'negative' if number < 0 else 'too large'}: {amount!r}")
    return number


def amount_of(given: Any) -> Decimal:
    """An amount, digit for digit, of a size that databases hold and that can be written out.

    Raises:
        ValueError: It is no finite number, or beyond all reason.
    """
    if isinstance(given, str) and str.__len__(given) > _LONGEST_AMOUNT:
        raise ValueError("an amount has no such number of digits")
    number = EXACT.plus(exact(given))
    if not -_MAGNITUDE < number.adjusted() < _MAGNITUDE:
        if number:
            raise ValueError(f"{given!r} is beyond what can be recorded")
        return Decimal(0)
    return number


def cost_of(given: Any) -> Decimal | None:
    """A cost in USD, rounded; None, which is unknown, for one that nobody can have paid.

    Raises:
        ValueError: It is no finite number, or negative.
    """
    cost = rounded(amount_of(given))
    if cost < 0:
        raise ValueError(f"a cost is not negative: {given!r}")
    if cost <= LARGEST:
        return cost
    guard.contain("record_cost", ValueError(f"a cost of {cost:.3g} USD is not believed: recorded as unknown"))
    return None


def nanoseconds(moment: datetime | int | float) -> int:
    """A moment as nanoseconds since 1970: a datetime, integer nanoseconds, or seconds as a float.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(moment, datetime):
        nanos = from_datetime(moment)
    elif isinstance(moment, int) and not isinstance(moment, bool):
        nanos = int.__int__(moment)
    elif isinstance(moment, float):
        nanos = round(moment * NANOS_PER_SECOND)
    else:
        raise TypeError(f"a moment is a datetime, integer nanoseconds or float seconds, not {type(moment).__name__}")
    if not 0 <= nanos < 1 << 63:
        raise ValueError(f"{moment!r} is no moment between 1970 and 2262")
    return nanos


def snapshot_of(value: Any) -> bytes:
    """The snapshot of a value, as large as the settings allow."""
    recorder = switch.recorder
    return snapshot(value, DEFAULT_LIMIT if recorder is None else recorder.payload_limit)


def plain(value: Any) -> Any:
    """An attribute's value as JSON has it, free of references into the application."""
    kind = type(value)
    if kind is str:
        if len(value) <= _SHORT and value.isascii():  # that, JSON takes as it is
            return value
    elif kind is int:
        if -_LARGEST <= value < _LARGEST:
            return value
    elif kind is bool or value is None or (kind is float and value - value == 0):  # not so NaN and the infinities
        return value
    return msgspec.json.decode(snapshot_of(value))


def name_of(value: object) -> str | None:
    """A name that may be given as an enum."""
    return None if value is None else text_of(getattr(value, "value", value), LONGEST_NAME)


label_of = guarded(default=None)(name_of)
"""`name_of` of what stands beside something that must not be lost for it: a name that has no text costs the name."""


def words_of(value: object) -> str | None:
    """What somebody says, as text."""
    return None if value is None else text_of(value, LONGEST_TEXT)


def text_of(value: object, longest: int) -> str:
    """`value` as text, with a marker for what was cut.

    What comes out is a plain `str`, also of the application's own kinds of text, whose methods are not asked: they may
    raise, and would go on doing so in our threads.
    """
    text = value if isinstance(value, str) else str(value)
    length = str.__len__(text)
    if length <= longest:
        return text if type(text) is str else str.__getitem__(text, slice(None))
    return f"{str.__getitem__(text, slice(longest))}… [reamon] {length - longest} of {length} characters cut"
