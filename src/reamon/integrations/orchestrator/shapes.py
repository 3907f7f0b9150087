"""Shapes: what makes an orchestrator and an agent, so that neither has to say so."""

import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

TURN: Final = "process_input"
EXECUTE: Final = "execute_with_timeout"
PROCESS: Final = "process"
AGENT_METHODS: Final = (EXECUTE, PROCESS)
_STATES: Final = ("context", "state", "workflow_context")


def is_orchestrator(target: Any) -> bool:
    """Whether it answers turns of calls: it has `process_input` with a parameter `call_id`.

    Example:
        >>> class Orchestrator:
        ...     async def process_input(self, call_id, user_input): ...
        >>> is_orchestrator(Orchestrator), is_orchestrator(str)
        (True, False)
    """
    method = _method(target, TURN)
    return method is not None and "call_id" in parameters_of(method)


def is_agent(target: Any) -> bool:
    """Whether it is an agent: it has `execute_with_timeout` or `process`, and says its `agent_type`.

    A base class need not say it: it is enough that it has both methods.
    """
    owner = target if isinstance(target, type) else type(target)
    methods, says_type = _agent_shape(owner)
    if not methods:
        return False
    own: Any = {} if owner is target else getattr(target, "__dict__", {})
    return methods == len(AGENT_METHODS) or says_type or "agent_type" in own


@functools.lru_cache(maxsize=1024)  # asked for every attribute of an orchestrator, at every turn
def _agent_shape(owner: type) -> tuple[int, bool]:
    """How many of an agent's methods a class has, and whether it says an agent's type."""
    methods = sum(_method(owner, name) is not None for name in AGENT_METHODS)
    declared = any(_declares_agent_type(base) for base in owner.__mro__)
    return methods, declared or inspect.getattr_static(owner, "agent_type", None) is not None


def _declares_agent_type(base: type) -> bool:
    """Whether a class says that its objects will have an agent's type: by an annotation, or in its `__init__`."""
    annotations = vars(base).get("__annotations__")  # not asked for as an attribute, which would make one
    code = getattr(vars(base).get("__init__"), "__code__", None)
    is_annotated = isinstance(annotations, dict) and "agent_type" in annotations
    return is_annotated or "agent_type" in getattr(code, "co_names", ())


def agent_type_of(agent: Any) -> str:
    """The agent's type, as text: an enum gives its value, and who does not say it is called by its class."""
    said = getattr(agent, "agent_type", None)
    if said is None or isinstance(said, property):
        return type(agent).__name__
    return str(getattr(said, "value", said))


def agents_in(orchestrator: Any) -> Iterator[Any]:
    """The agents that an object holds: as attributes, or in a dict, list or tuple that is one."""
    for value in tuple(getattr(orchestrator, "__dict__", {}).values()):
        items = (value,)
        if isinstance(value, Mapping):
            items = tuple(value.values())
        elif isinstance(value, list | tuple):
            items = tuple(value)
        for item in items:
            if not isinstance(item, type) and is_agent(item):
                yield item


def parameters_of(method: Any) -> tuple[str, ...]:
    """The names of a method's parameters; none if they cannot be known."""
    try:
        return tuple(inspect.signature(method).parameters)
    except (TypeError, ValueError):
        return ()


def owner_of(method: Any) -> Any:
    """The object that a method is bound to, also below wrappers of ours; None for a function of a class."""
    bound = inspect.unwrap(method, stop=inspect.ismethod)
    return bound.__self__ if inspect.ismethod(bound) else None


def state_parameter(method: Any) -> str | None:
    """Which parameter holds the state that an agent works on."""
    names = parameters_of(method)
    return next((name for name in _STATES if name in names), None)


def _method(target: Any, name: str) -> Any:
    """A method, looked up without running any code of the target's."""
    owner = target if isinstance(target, type) else type(target)
    method = inspect.getattr_static(owner, name, None)
    return method if callable(method) else None
