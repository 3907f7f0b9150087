"""The breakdown: where the time went between the caller's last word and the first sound of the reply."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import msgspec

_NANOS_PER_MILLI: Final = 1_000_000


class Mark(IntEnum):
    """The moments of a turn that the caller waits for, in their order."""

    SPEECH_END = 0
    TRANSCRIPT = 1
    AGENT_START = 2
    FIRST_TOKEN = 3
    FIRST_BYTE = 4
    AUDIBLE = 5


Marks = Mapping[Mark, int]
"""When each mark was reached, in nanoseconds since 1970; those that are not known are left out."""


class Breakdown(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the caller waited for, in milliseconds. A part is None where one of its two ends is not known.

    The parts up to the first byte are what the caller hears as silence. One that was over before the caller stopped
    speaking costs the caller nothing and is 0, so that the parts, where all are known, add up to the response latency.

    Attributes:
        stt_ms: From the end of the caller's speech to the final transcript.
        handover_ms: From the transcript to the start of the agent: turn detection, queues.
        model_ms: From there to the model's first token.
        tts_ms: From there to the first byte of speech.
        playback_ms: From there until the speech is played, where that is known.
        response_latency_ms: From the end of the caller's speech to the first byte of the reply, or to its being played
            where only that is known.

    Example:
        >>> times = {Mark.SPEECH_END: 0, Mark.TRANSCRIPT: 180_000_000, Mark.FIRST_BYTE: 900_000_000}
        >>> breakdown = Breakdown.of(times)
        >>> breakdown.stt_ms, breakdown.tts_ms, breakdown.response_latency_ms
        (180.0, None, 900.0)
    """

    stt_ms: float | None = None
    handover_ms: float | None = None
    model_ms: float | None = None
    tts_ms: float | None = None
    playback_ms: float | None = None
    response_latency_ms: float | None = None

    @classmethod
    def of(cls, marks: Marks) -> "Breakdown":
        """The breakdown of a turn whose marks were reached in whatever order."""
        waited = _as_waited(marks)
        heard = Mark.FIRST_BYTE if Mark.FIRST_BYTE in waited else Mark.AUDIBLE
        return cls(
            stt_ms=_between(waited, Mark.SPEECH_END, Mark.TRANSCRIPT),
            handover_ms=_between(waited, Mark.TRANSCRIPT, Mark.AGENT_START),
            model_ms=_between(waited, Mark.AGENT_START, Mark.FIRST_TOKEN),
            tts_ms=_between(waited, Mark.FIRST_TOKEN, Mark.FIRST_BYTE),
            playback_ms=_between(waited, Mark.FIRST_BYTE, Mark.AUDIBLE),
            response_latency_ms=_between(waited, Mark.SPEECH_END, heard),
        )

    @property
    def attributes(self) -> dict[str, float]:
        """What is known, as attributes of the turn's span: `reamon.voice.stt_ms` and so on."""
        known = {name: getattr(self, name) for name in self.__struct_fields__}
        return {f"reamon.voice.{name}": value for name, value in known.items() if value is not None}


def _as_waited(marks: Marks) -> dict[Mark, int]:
    """The marks in order: none before the ones that precede it, none after the first byte that the caller waits for."""
    waited: dict[Mark, int] = {}
    latest = 0
    heard = marks.get(Mark.FIRST_BYTE)
    for mark in Mark:
        if mark not in marks:
            continue
        reached = marks[mark] if heard is None or mark > Mark.FIRST_BYTE else min(marks[mark], heard)
        latest = waited[mark] = max(reached, latest)
    return waited


def _between(marks: Marks, first: Mark, last: Mark) -> float | None:
    if first not in marks or last not in marks:
        return None
    return milliseconds(marks[last] - marks[first])


def milliseconds(nanos: int) -> float:
    """Nanoseconds as milliseconds, to the microsecond."""
    return round(nanos / _NANOS_PER_MILLI, 3)
