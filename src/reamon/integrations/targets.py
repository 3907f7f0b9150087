"""Targets: which instrumentor a class or an object calls for, by its shape."""

from collections.abc import Callable
from typing import Any

from reamon.errors import ConfigurationError
from reamon.integrations.methods import instrument_methods
from reamon.integrations.orchestrator import instrument_application, is_agent, is_orchestrator

Made = Callable[..., Callable[[], None]]


def instrumentor_of(target: Any, options: dict[str, Any]) -> Made:
    """What instruments `target`; called with it and the options.

    Raises:
        ConfigurationError: Nobody knows what to trace of it.
    """
    if "methods" in options:
        return instrument_methods
    if is_orchestrator(target) or is_agent(target):
        return instrument_application
    kind = target if isinstance(target, type) else type(target)
    known = ", ".join(name for name in vars(kind) if not name.startswith("_") and callable(getattr(kind, name, None)))
    raise ConfigurationError(
        f"instrument({kind.__qualname__}): it is neither an orchestrator (process_input(call_id, ...)) nor an agent "
        f"(execute_with_timeout or process, and an agent_type); say which of its methods to trace: "
        f'methods=("{(known or "run").split(", ")[0]}",)' + (f". It has: {known}" if known else "")
    )
