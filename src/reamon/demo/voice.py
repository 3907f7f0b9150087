"""The voice: speech recognition, speech synthesis and the telephone line.

Stand-ins for Whisper, ElevenLabs and Twilio. They play no sound and call nobody; they take their time, and they are
recorded and billed by what the real ones bill: seconds of audio, characters, minutes, messages.
"""

import asyncio
from decimal import Decimal

import reamon
from reamon.demo.leads import Lead

SECONDS_PER_WORD = Decimal("0.4")

_RECOGNITION_SECONDS = 0.03
_SYNTHESIS_SECONDS = 0.04
_CARRIER_SECONDS = 0.01
_RING_SECONDS = 0.15
_HUNDREDTH = Decimal("0.01")


class Voice:
    """How the team hears and is heard."""

    @reamon.trace_telephony
    async def dial(self, lead: Lead) -> bool:
        """Ring until somebody picks up. Returns whether somebody did."""
        await asyncio.sleep(_RING_SECONDS)
        return bool(lead.lines)

    @reamon.trace_stt(capture="output")
    async def listen(self, words: str) -> str:
        """What the lead said."""
        await asyncio.sleep(_RECOGNITION_SECONDS)
        reamon.current_span().record_usage(provider="openai", model="whisper-1", audio_seconds=seconds_of(words))
        return words

    @reamon.trace_tts(capture="input")
    async def say(self, words: str) -> None:
        """Turn the reply into speech."""
        await asyncio.sleep(_SYNTHESIS_SECONDS)
        reamon.current_span().record_usage(provider="elevenlabs", model="eleven_turbo_v2", characters=len(words))

    @reamon.trace_telephony
    async def carry(self, seconds: Decimal) -> None:
        """Send speech over the line; the carrier counts the minutes of both sides."""
        await asyncio.sleep(_CARRIER_SECONDS)
        minutes = (seconds / 60).quantize(_HUNDREDTH)
        reamon.current_span().record_usage(provider="twilio", model="voice", minutes=minutes)

    @reamon.trace_telephony
    async def text_message(self, to: str, text: str) -> None:
        """Send an SMS."""
        await asyncio.sleep(_CARRIER_SECONDS)
        reamon.current_span().record_usage(provider="twilio", model="sms", messages=1)


def seconds_of(words: str) -> Decimal:
    """How long it takes to say `words`.

    Example:
        >>> seconds_of("Yes, speaking.")
        Decimal('0.8')
    """
    return len(words.split()) * SECONDS_PER_WORD
