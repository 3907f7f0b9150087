"""Tracing: the hot path. Scopes, wrapping, the current span, capture, the recorder; knows nothing of exporting."""

from reamon.tracing._condense import forget_capture, register_capture
from reamon.tracing._error import is_cancellation
from reamon.tracing._generators import drive, drive_async
from reamon.tracing._record import Started, to_span
from reamon.tracing.active import ActiveSpan
from reamon.tracing.capture import snapshot
from reamon.tracing.clock import Clock
from reamon.tracing.current import current_span, current_trace_id, enabled, enter, innermost, leave, suppress
from reamon.tracing.decorators import (
    trace_agent,
    trace_llm,
    trace_retrieval,
    trace_step,
    trace_stt,
    trace_telephony,
    trace_tool,
    trace_tts,
    trace_workflow,
)
from reamon.tracing.foreign import ForeignParent
from reamon.tracing.handover import Handover, handover
from reamon.tracing.headers import RemoteScope, extract, inject
from reamon.tracing.lifecycle import fail, finish
from reamon.tracing.manual import record_span, start_span
from reamon.tracing.noop import NoopSpan
from reamon.tracing.propagation import SpanContext, propagate, wrap_executor
from reamon.tracing.recorder import Recorder, active_recorder, attach, detach

__all__ = [
    "ActiveSpan",
    "Clock",
    "ForeignParent",
    "Handover",
    "NoopSpan",
    "Recorder",
    "RemoteScope",
    "SpanContext",
    "Started",
    "active_recorder",
    "attach",
    "current_span",
    "current_trace_id",
    "detach",
    "drive",
    "drive_async",
    "enabled",
    "enter",
    "extract",
    "fail",
    "finish",
    "forget_capture",
    "handover",
    "inject",
    "innermost",
    "is_cancellation",
    "leave",
    "propagate",
    "record_span",
    "register_capture",
    "snapshot",
    "start_span",
    "suppress",
    "to_span",
    "trace_agent",
    "trace_llm",
    "trace_retrieval",
    "trace_step",
    "trace_stt",
    "trace_telephony",
    "trace_tool",
    "trace_tts",
    "trace_workflow",
    "wrap_executor",
]
