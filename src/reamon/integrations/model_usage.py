"""Model usage: what an answer says was consumed, with wholes that hold their parts.

In a `reamon.Usage`, input includes what was read from a cache and written to one, and output includes reasoning. Not
every API counts so: xAI, Perplexity and Gemini have reasoning beside the output, Anthropic and Bedrock what is cached
beside the input, and those who pass their numbers on do not always add them up.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

CITATIONS: Final = "citation_tokens"
_MOST: Final = 1 << 63


def amount_of(value: object) -> int | None:
    """A number of tokens; None for what is none: a text, a fraction, something negative, a truth value.

    Example:
        >>> amount_of(20), amount_of(20.0), amount_of(0), amount_of(-1), amount_of("20"), amount_of(True)
        (20, 20, 0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
        return None
    return int(value) if 0 <= value < _MOST else None


def whole_usage(counts: Mapping[str, Any], total: object = None, model: object = None) -> dict[str, int]:
    """A usage by the names of `reamon.Usage`, in which each whole includes its parts.

    A part that is larger than its whole was counted beside it. Where it is smaller, only a total can tell.

    Args:
        counts: What was said. What is no number of tokens is left out, since unknown is not 0. `citation_tokens` are
            what Perplexity's deep research read: input, beside the prompt, as its reasoning is beside the output.
        total: All tokens, where that was said.
        model: The model. Gemini's total has tokens that its OpenAI-like answers, and some who pass them on, do not
            name: those of thinking.

    Example:
        >>> whole_usage({"input_tokens": 32, "output_tokens": 9, "reasoning_tokens": 291}, total=332)
        {'input_tokens': 32, 'output_tokens': 300, 'reasoning_tokens': 291}
    """
    usage = {name: amount for name, value in counts.items() if (amount := amount_of(value)) is not None}
    cached = usage.get("cached_input_tokens", 0) + usage.get("cache_write_tokens", 0)
    reasoning = usage.get("reasoning_tokens", 0)
    read = usage.pop(CITATIONS, None)
    if read is not None and "input_tokens" in usage and "output_tokens" in usage:
        usage["input_tokens"] += read
        usage["output_tokens"] += reasoning
        return usage
    if cached > usage.get("input_tokens", cached) or 0 < cached == _unaccounted(usage, total):
        usage["input_tokens"] += cached
    is_apart = reasoning > usage.get("output_tokens", reasoning) or 0 < reasoning == _unaccounted(usage, total)
    if is_apart:
        usage["output_tokens"] += reasoning
    rest = _unaccounted(usage, total)
    if rest and "gemini" in str(model).lower():
        thought = rest if not reasoning else reasoning if not is_apart and reasoning < rest else 0
        usage["output_tokens"] += thought
        usage["input_tokens"] += rest - thought  # what its tools brought into the prompt
    return usage


def summed(*usages: Mapping[str, int]) -> dict[str, int]:
    """Several usages as one.

    Example:
        >>> summed({"input_tokens": 20}, {"input_tokens": 3, "output_tokens": 7})
        {'input_tokens': 23, 'output_tokens': 7}
    """
    counts: dict[str, int] = {}
    for usage in usages:
        for name, amount in usage.items():
            counts[name] = counts.get(name, 0) + amount
    return counts


def _unaccounted(usage: Mapping[str, int], total: object) -> int:
    """How many tokens are in the total alone."""
    known = amount_of(total)
    if known is None or "input_tokens" not in usage or "output_tokens" not in usage:
        return 0
    return max(known - usage["input_tokens"] - usage["output_tokens"], 0)
