"""Consumption: usage and costs in LangSmith's terms.

Money stays exact: LangSmith wants numbers, and a Decimal's digits are written as one without ever becoming a float.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from reamon.model import CostData, Span, Usage
from reamon.model.cost import summed
from reamon.model.usage import AMOUNTS, COUNTS, PARTS

_INPUT_UNITS: Final = frozenset({"input_tokens", *PARTS["input_tokens"]})
_OUTPUT_UNITS: Final = frozenset({"output_tokens", *PARTS["output_tokens"]})


def usage_metadata(span: Span) -> dict[str, Any]:
    """What LangSmith calls `usage_metadata`: tokens and costs of a model call, the total cost alone of anything else.

    A cost without a known amount leaves out all costs: a total of the others would look like the truth.

    Example:
        >>> from reamon.testing import make_span
        >>> usage_metadata(make_span(kind="llm", usage=(Usage(input_tokens=120, output_tokens=30),)))
        {'input_tokens': 120, 'output_tokens': 30, 'total_tokens': 150}
    """
    tokens = _tokens(total_usage(span.usage)) if span.usage else {}
    if not span.costs:
        return tokens
    costs = _costs(span.costs)
    return {**tokens, **costs} if tokens else {name: cost for name, cost in costs.items() if name == "total_cost"}


def other_usage(used: Usage) -> dict[str, Any]:
    """What was consumed that LangSmith has no word for: characters, minutes and the like."""
    return _known(
        characters=used.characters,
        audio_seconds=None if used.audio_seconds is None else digits(used.audio_seconds),
        minutes=None if used.minutes is None else digits(used.minutes),
        messages=used.messages,
        web_searches=used.web_searches,
        requests=used.requests,
    )


def total_usage(usage: Sequence[Usage]) -> Usage:
    """What all entries consumed together; unknown where none of them knows."""
    if len(usage) == 1:
        return usage[0]
    totals: dict[str, Any] = {}
    for field in COUNTS + AMOUNTS:
        known = [amount for entry in usage if (amount := getattr(entry, field)) is not None]
        if known:
            totals[field] = sum(known)
    return Usage(**totals)


def digits(number: Decimal) -> msgspec.Raw:
    """A Decimal as the JSON number with exactly its digits; null where it is no number.

    Example:
        >>> bytes(digits(Decimal("0.000000000001")))
        b'0.000000000001'
    """
    return msgspec.Raw(format(number, "f") if number.is_finite() else "null")


def _tokens(used: Usage) -> dict[str, Any]:
    taken, given = used.input_tokens, used.output_tokens
    if taken is None and given is None:
        return {}
    tokens = _known(input_tokens=taken, output_tokens=given, total_tokens=(taken or 0) + (given or 0))
    inside = _known(
        cache_read=used.cached_input_tokens, cache_creation=used.cache_write_tokens, audio=used.input_audio_tokens
    )
    if inside:
        tokens["input_token_details"] = inside
    inside = _known(reasoning=used.reasoning_tokens, audio=used.output_audio_tokens)
    if inside:
        tokens["output_token_details"] = inside
    return tokens


def _costs(details: Sequence[CostData]) -> dict[str, Any]:
    known = [(cost.amount, cost.unit) for cost in details if cost.amount is not None and cost.amount.is_finite()]
    if len(known) < len(details):
        return {}
    sides = {
        "input_cost": [amount for amount, unit in known if unit in _INPUT_UNITS],
        "output_cost": [amount for amount, unit in known if unit in _OUTPUT_UNITS],
        "total_cost": [amount for amount, _ in known],
    }
    return {name: digits(summed(amounts)) for name, amounts in sides.items() if amounts}


def _known(**amounts: Any) -> dict[str, Any]:
    return {name: amount for name, amount in amounts.items() if amount is not None}
