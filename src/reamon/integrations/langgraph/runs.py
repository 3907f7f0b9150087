"""Runs: what langchain-core's callbacks are about, by the ids that it gives them, and the spans that they became."""

from uuid import UUID

from reamon.integrations.langgraph.nodes import GraphRun, NodeRun
from reamon.integrations.langgraph.routing import Routing
from reamon.integrations.model_call import ModelCall
from reamon.tracing import ActiveSpan


class Run:
    """One run of langchain-core.

    Attributes:
        span: Its span, or, for one that is not shown, that of the run around it.
        parent: The run around it.
        graph: The steps of the graph, where this is a graph's run.
        node: What a node of a graph does, where this is one.
        call: The model call, where this is one.
        routing: What it says the way of, where this is a routing function.
        namespace: Of the task of a graph in which it runs.
        is_shown: Whether the span is its own.
        name: What it is called.
    """

    __slots__ = ("call", "graph", "is_shown", "name", "namespace", "node", "parent", "routing", "span")

    def __init__(
        self,
        name: str,
        span: ActiveSpan | None,
        parent: "Run | None",
        *,
        namespace: str | None = None,
        is_shown: bool = True,
        graph: GraphRun | None = None,
        node: NodeRun | None = None,
        call: ModelCall | None = None,
    ) -> None:
        self.name = name
        self.span = span
        self.parent = parent
        self.namespace = namespace
        self.is_shown = is_shown
        self.graph = graph
        self.node = node
        self.call = call
        self.routing: Routing | None = None

    @property
    def is_in_node(self) -> bool:
        """Whether it is a node, or runs in one without a graph in between."""
        run: Run | None = self
        while run is not None and run.node is None and run.graph is None:
            run = run.parent
        return run is not None and run.node is not None


class Runs:
    """All runs that have begun and not ended.

    The end of a few never comes: their generator was dropped, their thread died. So the oldest make room once there are
    very many, and are handed over to be ended.

    Args:
        most: How many may be open.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._open: dict[UUID, Run] = {}
        self._most = most

    def get(self, run_id: UUID | None) -> Run | None:
        """The run of that id, if it is open."""
        return None if run_id is None else self._open.get(run_id)

    def add(self, run_id: UUID, run: Run) -> Run | None:
        """Note that a run has begun. Returns the one that had to make room, if any."""
        self._open[run_id] = run
        if len(self._open) <= self._most:
            return None
        oldest = next(iter(self._open), None)
        return None if oldest is None else self._open.pop(oldest, None)

    def pop(self, run_id: UUID) -> Run | None:
        """The run that ends; None if nobody noted its beginning."""
        return self._open.pop(run_id, None)

    def __len__(self) -> int:
        return len(self._open)
