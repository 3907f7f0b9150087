"""Targets: which instrumentor a class or an object calls for, by its shape."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from reamon import plugins
from reamon.errors import ConfigurationError
from reamon.integrations.executors import instrument_executor, is_executor
from reamon.integrations.methods import instrument_methods
from reamon.integrations.orchestrator import instrument_application, is_agent, is_orchestrator
from reamon.integrations.queues import instrument_queue, is_queue

Made = Callable[..., Callable[[], None]]


def instrumentor_of(target: Any, options: dict[str, Any]) -> Made:
    """What instruments `target`; called with it and the options.

    Raises:
        ConfigurationError: Nobody knows what to trace of it.
    """
    if "methods" in options:
        return instrument_methods
    if is_queue(target):
        return instrument_queue
    if is_executor(target):
        return instrument_executor
    if is_orchestrator(target) or is_agent(target):
        return instrument_application
    library = _library_of(target)
    if library in plugins.names("instrumentors"):
        raise ConfigurationError(f"instrument(): a library is instrumented by its name: instrument({library!r})")
    kind = target if isinstance(target, type) else type(target)
    known = ", ".join(name for name in vars(kind) if not name.startswith("_") and callable(getattr(kind, name, None)))
    raise ConfigurationError(
        f"instrument({kind.__qualname__}): it is neither an orchestrator (process_input(call_id, ...)) nor an agent "
        f"(execute_with_timeout or process, and an agent_type), a queue or a pool; say which of its methods to trace: "
        f'methods=("{(known or "run").split(", ")[0]}",)' + (f". It has: {known}" if known else "")
    )


def _library_of(target: Any) -> str:
    """The library that a module, a class or an object is from."""
    kind = target if isinstance(target, type) else type(target)
    module = target.__name__ if isinstance(target, ModuleType) else kind.__module__
    return module.partition(".")[0]
