"""Voice: phone calls turn by turn, and what speech recognition, speech synthesis and the telephone consume."""

from reamon.integrations.voice.breakdown import Breakdown, Mark
from reamon.integrations.voice.records import record_stt, record_telephony, record_tts
from reamon.integrations.voice.turn import VoiceTurn
from reamon.integrations.voice.twilio import record_twilio_call, record_twilio_message

__all__ = [
    "Breakdown",
    "Mark",
    "VoiceTurn",
    "record_stt",
    "record_telephony",
    "record_tts",
    "record_twilio_call",
    "record_twilio_message",
]
