"""Usage: what one operation consumed."""

from decimal import Decimal

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was consumed, as the provider counts it. Only what applies is set; absent is unknown, never 0.

    Attributes:
        provider: Who bills it ("openai", "elevenlabs", "twilio").
        model: The model or the product.
        input_tokens: All input tokens, the cached ones included.
        output_tokens: All output tokens, the reasoning ones included.
        cached_input_tokens: The part of `input_tokens` that was read from a cache.
        cached_audio_tokens: The part of `cached_input_tokens` that is audio; `input_audio_tokens` includes it too.
        cache_write_tokens: The part of `input_tokens` that was written to a cache.
        cache_write_1h_tokens: The part of `cache_write_tokens` that is kept for an hour, which costs more.
        reasoning_tokens: The part of `output_tokens` spent on reasoning.
        input_audio_tokens: The part of `input_tokens` that is audio.
        output_audio_tokens: The part of `output_tokens` that is audio.
        characters: Characters of text (speech synthesis).
        audio_seconds: Seconds of audio (speech recognition).
        minutes: Minutes of a call (telephony).
        messages: Messages sent (SMS).
        web_searches: Searches of the web that the provider made for the model.
        requests: Physical requests made, retries included.
    """

    provider: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cached_audio_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    characters: int | None = None
    audio_seconds: Decimal | None = None
    minutes: Decimal | None = None
    messages: int | None = None
    web_searches: int | None = None
    requests: int | None = None


COUNTS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cached_audio_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "characters",
    "messages",
    "web_searches",
    "requests",
)
"""The fields of `Usage` that are whole numbers."""

AMOUNTS = ("audio_seconds", "minutes")
"""The fields of `Usage` that may be fractions."""

CACHED = ("cached_input_tokens", "cached_audio_tokens", "cache_write_tokens", "cache_write_1h_tokens")
"""The units of what is read from a cache, or written to one."""

PARTS = {
    "input_tokens": (*CACHED, "input_audio_tokens"),
    "output_tokens": ("reasoning_tokens", "output_audio_tokens"),
    "cached_input_tokens": ("cached_audio_tokens",),
    "cache_write_tokens": ("cache_write_1h_tokens",),
    "input_audio_tokens": ("cached_audio_tokens",),
}
"""Which units are counted within another one; those of input and output are all that there are, at whatever depth."""
