"""Integrations: libraries, and classes and objects of the application, that record spans without a change to them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reamon.integrations.registry import Instrumentation, instrument, uninstrument

if TYPE_CHECKING:
    from reamon.integrations.logs import TraceIdFilter, add_trace_ids
    from reamon.integrations.orchestrator import trace_agent_execution
    from reamon.integrations.voice import (
        Breakdown,
        VoiceTurn,
        record_stt,
        record_telephony,
        record_tts,
        record_twilio_call,
        record_twilio_message,
    )

_LATER = {
    "Breakdown": "reamon.integrations.voice",
    "TraceIdFilter": "reamon.integrations.logs",
    "VoiceTurn": "reamon.integrations.voice",
    "add_trace_ids": "reamon.integrations.logs",
    "record_stt": "reamon.integrations.voice",
    "record_telephony": "reamon.integrations.voice",
    "record_tts": "reamon.integrations.voice",
    "record_twilio_call": "reamon.integrations.voice",
    "record_twilio_message": "reamon.integrations.voice",
    "trace_agent_execution": "reamon.integrations.orchestrator",
}

__all__ = [
    "Breakdown",
    "Instrumentation",
    "TraceIdFilter",
    "VoiceTurn",
    "add_trace_ids",
    "instrument",
    "record_stt",
    "record_telephony",
    "record_tts",
    "record_twilio_call",
    "record_twilio_message",
    "trace_agent_execution",
    "uninstrument",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'reamon.integrations' has no attribute {name!r}")
    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value
