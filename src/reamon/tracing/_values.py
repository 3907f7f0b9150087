"""Values: what the application gives, as what is kept of it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from reamon.guard import guard
from reamon.model import Usage
from reamon.model.cost import exact
from reamon.model.times import NANOS_PER_SECOND, from_datetime
from reamon.model.usage import AMOUNTS, COUNTS
from reamon.tracing._switch import switch
from reamon.tracing.capture import DEFAULT_LIMIT, snapshot

_SCALARS = frozenset((int, float, bool, type(None)))
_SHORT = 256


def usage_of(provider: object, model: object, consumed: Mapping[str, Any]) -> Usage:
    """A `Usage` of loosely typed amounts; what is unknown by name or negative is counted and left out."""
    amounts: dict[str, Any] = {}
    for name, amount in consumed.items():
        if amount is None:
            continue
        try:
            if name in COUNTS:
                number: int | Decimal = int(amount)
            elif name in AMOUNTS:
                number = exact(amount)
            else:
                raise TypeError(f"record_usage() has no {name!r}; it takes {', '.join(COUNTS + AMOUNTS)}")
            if number < 0:
                raise ValueError(f"{name} is negative: {amount!r}")
            amounts[name] = number
        except (TypeError, ValueError, OverflowError) as error:
            guard.contain("record_usage", error)
    return Usage(
        provider=None if provider is None else str(provider), model=None if model is None else str(model), **amounts
    )


def nanoseconds(moment: datetime | int | float) -> int:
    """A moment as nanoseconds since 1970: a datetime, integer nanoseconds, or seconds as a float.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(moment, datetime):
        nanos = from_datetime(moment)
    elif isinstance(moment, int) and not isinstance(moment, bool):
        nanos = moment
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
    if type(value) in _SCALARS and value == value:  # noqa: PLR0124 - NaN is not
        return value
    if type(value) is str and len(value) <= _SHORT and value.isascii():  # that, JSON takes as it is
        return value
    return msgspec.json.decode(snapshot_of(value))


def name_of(value: object) -> str | None:
    """A name that may be given as an enum."""
    return None if value is None else str(getattr(value, "value", value))
