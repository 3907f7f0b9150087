"""A phone call in two turns: what the caller waits for, in milliseconds. Into the second reply the caller speaks.

The events are those of a media stream, the speech services and the agent; a fake clock stands for the time they take.

It prints:
turn  stt  handover  model  tts  silence  heard
1     180        20    310  140      650  2.4 s
2      90        20    420  150      680  0.8 s, interrupted
"""

import reamon
from reamon.integrations import VoiceTurn
from reamon.testing import FakeClock, capture_spans

COLUMNS = ("stt", "handover", "model", "tts")


class Line:
    """A phone line on which everything takes the time that it is given."""

    def __init__(self, clock: FakeClock) -> None:
        self.passes = clock.advance

    def answer(self, turn: VoiceTurn, heard: str, reply: str, stt: float, model: float, tts: float) -> None:
        """From the caller's last word to the first sound of the reply."""
        self.passes(2.0)
        turn.user_stopped()
        self.passes(stt)
        turn.stt_final(heard, provider="deepgram", model="nova-3", audio_seconds="2.0")
        self.passes(0.020)
        with turn.agent("conversation"):  # what is traced in here is recorded below the turn
            self.passes(model)
            turn.model_first_token()
        self.passes(tts)
        turn.tts_first_byte()
        turn.tts(text=reply, provider="elevenlabs", model="eleven_flash_v2_5")


def call(line: Line) -> None:
    """Two turns of one call."""
    turn = VoiceTurn(call_id="call-1", number=1)
    line.answer(turn, "What is my house worth?", "About half a million.", stt=0.180, model=0.310, tts=0.140)
    line.passes(2.4)
    turn.bot_stopped()
    turn = turn.next()
    line.answer(turn, "Who says so?", "Three houses in your street were sold", stt=0.090, model=0.420, tts=0.150)
    line.passes(0.8)
    turn.interrupted()
    turn.end()


def row(turn: reamon.Span) -> str:
    """One line of the table."""
    voice = {key.removeprefix("reamon.voice."): value for key, value in turn.attributes.items()}
    parts = [f"{voice[f'{column}_ms']:>{len(column)}.0f}" for column in COLUMNS]
    heard = f"{voice['bot_speech_ms'] / 1000:.1f} s" + (", interrupted" if voice.get("interrupted") else "")
    return "  ".join([f"{voice['turn']:<4}", *parts, f"{voice['response_latency_ms']:>7.0f}", heard])


if __name__ == "__main__":
    clock = FakeClock()
    with capture_spans(clock=clock) as captured:
        call(Line(clock))
        print("  ".join(["turn", *COLUMNS, "silence", "heard"]))
        for turn in captured.named("turn"):
            print(row(turn))
