"""The application: an orchestrator and its agents, instrumented by their shape."""

from collections.abc import Callable
from typing import Any

from reamon.integrations.methods import replace_methods
from reamon.integrations.orchestrator.agents import agent_method
from reamon.integrations.orchestrator.shapes import AGENT_METHODS, TURN, agents_in, is_orchestrator
from reamon.integrations.orchestrator.turns import TurnMethod
from reamon.integrations.patches import Patches


def instrument_application(target: Any, *, name: str | None = None, agents: bool = True) -> Callable[[], None]:
    """Record an orchestrator's turns and its agents' executions, or those of one agent.

    Args:
        target: An orchestrator or an agent: a class, for its objects and subclasses; or one object.
        name: What an orchestrator's turns are called; the method's name by default.
        agents: Whether the agents that an orchestrator holds are recorded too.

    Returns:
        What undoes it.
    """
    patches = Patches()
    try:
        _instrument(target, name, patches, with_agents=agents)
    except BaseException:
        patches.undo()
        raise
    return patches.undo


def _instrument(target: Any, name: str | None, patches: Patches, *, with_agents: bool) -> None:
    if not is_orchestrator(target):
        replace_methods(target, AGENT_METHODS, agent_method, patches)
        return
    held = HeldAgents(patches, by_class=isinstance(target, type)) if with_agents else None
    replace_methods(target, (TURN,), TurnMethod(name, held.look_at if held else None).wrap, patches)
    if held is not None and not isinstance(target, type):
        held.look_at(target)


class HeldAgents:
    """The agents that orchestrators hold, instrumented when they are first seen.

    Args:
        patches: Undoes it.
        by_class: Whether their classes are instrumented, or only these objects.
    """

    def __init__(self, patches: Patches, *, by_class: bool) -> None:
        self._patches = patches
        self._by_class = by_class
        self._seen: dict[int, Any] = {}

    def look_at(self, orchestrator: Any) -> None:
        """Instrument those of an orchestrator's agents that are not yet."""
        if not self._patches.is_active:
            return
        for agent in agents_in(orchestrator):
            target = type(agent) if self._by_class else agent
            if id(target) not in self._seen:
                self._seen[id(target)] = target
                replace_methods(target, AGENT_METHODS, agent_method, self._patches)
