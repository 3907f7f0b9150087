"""Service tiers: how a request was served, where that is paid for differently."""

from collections.abc import Mapping
from typing import Any, Final

BATCH: Final = "batch"
FAST: Final = "fast"

_TOLD: Final = (
    "openai.response.service_tier",
    "anthropic.response.service_tier",
    "gen_ai.response.service_tier",
    "gen_ai.request.service_tier",
    "openai.request.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.openai.request.service_tier",
)
"""Where spans say it; what was answered counts before what was asked for."""

_SPEED: Final = "anthropic.response.speed"
"""Anthropic has a fast mode beside its tiers, at a price of its own."""

_ORDINARY: Final = frozenset({"default", "standard", "standard_only"})


def service_tier_of(attributes: Mapping[str, Any]) -> str | None:
    """The service tier of a model call ("batch", "flex", "priority", "fast"); None for the ordinary one.

    Example:
        >>> service_tier_of({"reamon.batch": True}), service_tier_of({"openai.response.service_tier": "flex"})
        ('batch', 'flex')
    """
    if attributes.get("reamon.batch"):
        return BATCH
    if attributes.get(_SPEED) == FAST:
        return FAST
    for name in _TOLD:
        told = attributes.get(name)
        if isinstance(told, str) and told.lower() != "auto":
            return None if told.lower() in _ORDINARY else told.lower()
    return None
