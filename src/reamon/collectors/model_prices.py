"""Model prices: what the library genai-prices knows, made into prices by unit once for each model and day."""

import importlib.metadata
import importlib.util
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from reamon.collectors.prices import Prices, UnitPrice
from reamon.collectors.service_tiers import BATCH
from reamon.late_imports import LateImport

SOURCE: Final = "genai-prices"

_PROVIDERS: Final = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure_openai": "azure",
    "azure-openai": "azure",
    "aws.bedrock": "aws",
    "bedrock": "aws",
    "amazon_bedrock": "aws",
    "bedrock_converse": "aws",
    "bedrock-mantle": "aws",
    "anthropic-bedrock": "aws",
    "anthropic-mantle": "aws",
    "openai-mantle": "aws",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "google-genai": "google",
    "google-gla": "google",
    "google-vertex": "google",
    "google-cloud": "google",
    "google_anthropic_vertex": "google",
    "anthropicvertex": "google",
    "gemini": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "moonshot_ai": "moonshotai",
    "moonshot": "moonshotai",
    "voyage_ai": "voyageai",
}
"""Its names of providers, where OpenTelemetry, LangChain and we have others. Its own matching is by parts of a name,
which would take anybody's `openai-proxy.example.com` for OpenAI."""

_MILLION: Final = Decimal(1_000_000)
_THOUSAND: Final = Decimal(1000)
_HOUR: Final = Decimal(3600)
_UNITS: Final = {
    "input_mtok": ("input_tokens", _MILLION),
    "output_mtok": ("output_tokens", _MILLION),
    "cache_read_mtok": ("cached_input_tokens", _MILLION),
    "cache_audio_read_mtok": ("cached_audio_tokens", _MILLION),
    "cache_write_mtok": ("cache_write_tokens", _MILLION),
    "cache_write_1h_mtok": ("cache_write_1h_tokens", _MILLION),
    "output_reasoning_mtok": ("reasoning_tokens", _MILLION),
    "input_audio_mtok": ("input_audio_tokens", _MILLION),
    "output_audio_mtok": ("output_audio_tokens", _MILLION),
    "input_mchars": ("characters", _MILLION),
    "input_audio_hours": ("audio_seconds", _HOUR),
    "audio_hours": ("audio_seconds", _HOUR),
    "web_searches_kcount": ("web_searches", _THOUSAND),
    "requests_kcount": ("requests", _THOUSAND),
}
_SHORTEST: Final = {"whisper-large-v3": Decimal(10), "whisper-large-v3-turbo": Decimal(10)}
"""Groq bills ten seconds at least; genai-prices has that in its code, not in its data."""

_importing: Final = LateImport()


class ModelPrices:
    """Prices of models by provider, model and moment. The library is imported at the first question."""

    @property
    def version(self) -> str | None:
        """The edition of the data; None where the library is not installed."""
        return installed_version()

    def find(self, provider: str, model: str, moment: datetime, service_tier: str | None = None) -> Prices | None:
        """The prices in force at a moment, or None.

        Args:
            provider: Who bills it, in small letters.
            model: The model, in small letters.
            moment: When.
            service_tier: How the request is served. Where that has no price of its own, the ordinary one counts.
        """
        found = self._model(provider, model)
        if found is None:
            return None
        snapshot, info, is_own = found
        context = _context(service_tier) if is_own else None
        units = _units(info.get_prices(moment, context))
        if not units:
            return None
        shortest = _SHORTEST.get(info.id) if provider == "groq" else None
        if shortest is not None and "audio_seconds" in units:
            units["audio_seconds"] = msgspec.structs.replace(units["audio_seconds"], minimum=shortest)
        since = _in_force_since(_conditions(info), moment)
        return Prices(
            source=SOURCE,
            version=_edition(snapshot),
            units=units,
            effective_date=None if since is None else since.isoformat(),
        )

    def varies_within_a_day(self, provider: str, model: str) -> bool:
        """Whether a model's price depends on the hour."""
        found = self._model(provider, model)
        return found is not None and any(hasattr(constraint, "start_time") for constraint in _conditions(found[1]))

    def newest_price(self) -> date | None:
        """The day on which the youngest price that it knows took effect, today at the latest."""
        snapshot = _snapshot()
        if snapshot is None:
            return None
        today = datetime.now(UTC).date()
        days = (
            constraint.start_date
            for provider in snapshot.providers
            for info in provider.models
            for constraint in _conditions(info)
            if hasattr(constraint, "start_date") and constraint.start_date <= today
        )
        return max(days, default=None)

    def _model(self, provider: str, model: str) -> tuple[Any, Any, bool] | None:
        """The snapshot, the model, and whether the provider lists it itself: another one's discounts are not its."""
        snapshot = _snapshot() if provider and model else None
        if snapshot is None:
            return None
        name = _PROVIDERS.get(provider, provider)
        owner = next((candidate for candidate in snapshot.providers if candidate.id == name), None)
        if name == "google":
            model = model.rpartition("/")[2]  # of "models/X", "publishers/google/models/X", "google/X"
        info = None if owner is None else owner.find_model(model, all_providers=snapshot.providers)
        return None if owner is None or info is None else (snapshot, info, any(info is own for own in owner.models))


def installed_version() -> str | None:
    """The version of genai-prices, or None where it is not installed."""
    try:
        return f"{SOURCE}@{importlib.metadata.version(SOURCE)}"
    except importlib.metadata.PackageNotFoundError:
        return None


def _snapshot() -> Any | None:
    """The data of genai-prices, a newer one included that the application fetched; None where it is not installed."""
    if importlib.util.find_spec("genai_prices") is None:
        return None
    with _importing:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - takes half a second

        return get_snapshot()


def _edition(snapshot: Any) -> str:
    updated = f"+{snapshot.timestamp:%Y-%m-%d}" if snapshot.from_auto_update else ""
    return f"{installed_version()}{updated}"


def _context(service_tier: str | None) -> dict[str, str] | None:
    if service_tier is None:
        return None
    if service_tier == BATCH:
        return {"processing": BATCH}
    return {"service_tier": service_tier, "speed": service_tier}  # "fast" is a tier of OpenAI's, a speed of Anthropic's


def _units(model_price: Any) -> dict[str, UnitPrice]:
    units = {}
    for name, (unit, per) in _UNITS.items():
        price = getattr(model_price, name, None)
        if price is None:
            continue
        if isinstance(price, Decimal):
            units[unit] = UnitPrice(price=price, per=per)
        else:
            tiers = tuple((Decimal(tier.start), tier.price) for tier in price.tiers)
            units[unit] = UnitPrice(price=price.base, per=per, tiers=tiers)
    return units


def _conditions(info: Any) -> list[Any]:
    """The conditions of a model's prices, in the order in which it tries them: the last that holds counts."""
    if not isinstance(info.prices, list):
        return []
    return [conditional.constraint for conditional in info.prices]


def _in_force_since(constraints: Iterable[Any], moment: datetime) -> date | None:
    for constraint in reversed(list(constraints)):
        if constraint is None:
            return None
        if constraint.active(moment):
            since = getattr(constraint, "start_date", None)
            return since if isinstance(since, date) else None
    return None
