"""reamon watches multi-agent LLM workflows from inside the process that runs them.

Example:
    ```python
    import reamon

    reamon.configure()

    @reamon.trace_workflow(call_id="call_id")
    async def turn(call_id: str, text: str) -> str: ...
    ```

This module is the everyday names and nothing else. What is heavy is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reamon.errors import ConfigurationError, DecoratorError, MissingExtraError, ReamonError
from reamon.model import (
    AgentExecution,
    AgentTransition,
    Alert,
    CostBreakdown,
    CostData,
    PerformanceMetrics,
    Span,
    SpanKind,
    SpanStatus,
    Usage,
    WorkflowTrace,
)
from reamon.tracing import (
    current_span,
    current_trace_id,
    enabled,
    extract,
    handover,
    inject,
    propagate,
    record_span,
    start_span,
    suppress,
    trace_agent,
    trace_llm,
    trace_retrieval,
    trace_step,
    trace_stt,
    trace_telephony,
    trace_tool,
    trace_tts,
    trace_workflow,
    wrap_executor,
)

if TYPE_CHECKING:
    from reamon.integrations import Instrumentation, instrument, trace_agent_execution, uninstrument
    from reamon.runtime import Runtime, aflush, ashutdown, configure, flush, shutdown, stats
    from reamon.settings import MonitoringSettings

_LATER = {
    "Instrumentation": "reamon.integrations",
    "MonitoringSettings": "reamon.settings",
    "Runtime": "reamon.runtime",
    "aflush": "reamon.runtime",
    "ashutdown": "reamon.runtime",
    "configure": "reamon.runtime",
    "flush": "reamon.runtime",
    "instrument": "reamon.integrations",
    "shutdown": "reamon.runtime",
    "stats": "reamon.runtime",
    "trace_agent_execution": "reamon.integrations",
    "uninstrument": "reamon.integrations",
}

__all__ = [
    "AgentExecution",
    "AgentTransition",
    "Alert",
    "ConfigurationError",
    "CostBreakdown",
    "CostData",
    "DecoratorError",
    "Instrumentation",
    "MissingExtraError",
    "MonitoringSettings",
    "PerformanceMetrics",
    "ReamonError",
    "Runtime",
    "Span",
    "SpanKind",
    "SpanStatus",
    "Usage",
    "WorkflowTrace",
    "aflush",
    "ashutdown",
    "configure",
    "current_span",
    "current_trace_id",
    "enabled",
    "extract",
    "flush",
    "handover",
    "inject",
    "instrument",
    "propagate",
    "record_span",
    "shutdown",
    "start_span",
    "stats",
    "suppress",
    "trace_agent",
    "trace_agent_execution",
    "trace_llm",
    "trace_retrieval",
    "trace_step",
    "trace_stt",
    "trace_telephony",
    "trace_tool",
    "trace_tts",
    "trace_workflow",
    "uninstrument",
    "wrap_executor",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'reamon' has no attribute {name!r}")
    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
