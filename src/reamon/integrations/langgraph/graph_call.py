"""The graph call: what a call of a method that runs a graph knows, and the run's callbacks do not."""

from collections.abc import Iterable
from typing import Any

from reamon.tracing.recorder import Pending


class GraphCall:
    """One call of a method that runs a graph.

    Args:
        graph: The graph.
        config: The configuration that the method was given, if any.
        options: What else it was called with.

    Attributes:
        pending: What the call has to wait for before it returns, once its run has ended.
    """

    __slots__ = ("_config", "_options", "graph", "pending")

    def __init__(self, graph: Any, config: Any, options: dict[str, Any]) -> None:
        self.graph = graph
        self._config = config
        self.pending: Pending | None = None
        self._options = options

    def configured(self, key: str) -> Any:
        """What is configured under this key, by the call or for the graph; a run's metadata has some of it only."""
        for config in (self._config, getattr(self.graph, "config", None)):
            found = ((config or {}).get("configurable") or {}).get(key)
            if found is not None:
                return found
        return None

    def stops(self, node: str, targets: Iterable[str]) -> bool:
        """Whether the graph is told to stop (`interrupt_before`, `interrupt_after`) between a node and its targets."""
        before, after = self._stops("interrupt_before"), self._stops("interrupt_after")
        return any(target in before or "*" in before for target in targets) or node in after or "*" in after

    def _stops(self, option: str) -> Any:
        return self._options.get(option) or getattr(self.graph, f"{option}_nodes", None) or ()
