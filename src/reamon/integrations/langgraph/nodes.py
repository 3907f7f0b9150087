"""Nodes: what a graph's node becomes, where it handed over to, and the state that it left."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reamon.errors import ConfigurationError
from reamon.guard import guarded
from reamon.integrations.langgraph.graph_call import GraphCall
from reamon.integrations.langgraph.routing import Routing
from reamon.integrations.langgraph.states import appending_keys, has_reducers, updated
from reamon.model import SpanKind
from reamon.tracing import ActiveSpan, snapshot

AgentRule = Callable[[str, Mapping[str, Any]], bool]
"""Whether a node is an agent: called with its name and its metadata."""


def agent_rule(agents: object) -> AgentRule:
    """The option `agents=` as a rule.

    Args:
        agents: None: every node is an agent; names: these are; a callable: the rule itself.

    Raises:
        ConfigurationError: It is none of these.
    """
    if agents is None:
        return lambda name, metadata: not name.startswith("__")  # LangGraph's own, as `__error_handler__`
    if callable(agents):
        return guarded(default=True)(agents)
    if isinstance(agents, str) or not isinstance(agents, Iterable):
        raise ConfigurationError(
            f"instrument('langgraph', agents={agents!r}): give the names of the nodes that are agents, or a callable "
            "from a node's name and metadata to bool"
        )
    names = frozenset(map(str, agents))
    return lambda name, metadata: name in names


class Task(NamedTuple):
    """What LangGraph's metadata says about the task of a graph in which a run takes place."""

    node: str
    step: int
    namespace: str
    is_sent: bool

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "Task | None":
        """The task of a run with this metadata; None outside of graphs."""
        node = metadata.get("langgraph_node")
        if node is None:
            return None
        namespace = metadata.get("langgraph_checkpoint_ns") or metadata.get("checkpoint_ns") or ""
        path: Sequence[Any] = metadata.get("langgraph_path") or ()
        is_sent = bool(path) and path[0] == "__pregel_push"  # by a `Send`: what it is given is not the graph's state
        return cls(str(node), int(metadata.get("langgraph_step") or 0), str(namespace), is_sent)


class NodeRun:
    """One execution of a node.

    Attributes:
        span: Its span.
        name: The node.
        step: The step of the graph in which it runs.
        is_sent: Whether it was given something of its own (`Send`), and not the graph's state.
        routing: Where it hands over to.
        given: What it was given, for as long as it runs: it may change that in place.
        state_before: The snapshot of that from before it ran.
        state_after: The snapshot of the state that it left, once that is known.
        end: When it ended (monotonic nanoseconds), while its record waits for the next step.
    """

    __slots__ = (
        "end", "given", "is_sent", "name", "routing", "span", "state_after", "state_before", "step",
        "update",
    )  # fmt: skip

    def __init__(self, span: ActiveSpan, task: Task, routing: Routing, given: Any, state_before: bytes) -> None:
        self.span = span
        self.name = task.node
        self.step = task.step
        self.is_sent = task.is_sent
        self.routing = routing
        self.given = given
        self.state_before = state_before
        self.state_after: bytes | None = None
        self.update: bytes | None = None
        self.end = 0

    @property
    def is_agent(self) -> bool:
        """Whether it is recorded as an agent."""
        return self.span.kind is SpanKind.AGENT

    def failed(self) -> None:
        """It raised: what it has done to its state until then is what it left."""
        if self.is_agent:
            self.span.set_state(after=self.given)
        self.given = None

    def describe(self) -> None:
        """Put on the span what is known in the end."""
        details = self.span.details
        if details is None:
            return
        if self.is_agent and self.state_after is not None:
            details.state_after = self.state_after
        targets = self.routing.targets
        if targets is None:
            return
        details.attributes["reamon.routed_to"] = list(targets)
        if not targets or not self.is_agent:
            return  # the turn ends here; whom the agent would have liked to go on stays its decision
        decision = details.decision
        if decision is not None and decision.next_agent not in (None, *targets):
            details.attributes["reamon.proposed_next_agent"] = decision.next_agent
        self.span.record_decision(
            next_agent=targets[0],
            reasoning=None if decision is None else decision.reasoning,
            confidence=None if decision is None else decision.confidence,
            action=None if decision is None else decision.action,
        )


class GraphRun:
    """One run of a graph, step by step.

    Some records wait, for some moments, until the next step tells what is missing. What the next node is given is the
    state that a node left which was alone in its step, with the graph's own reducers applied. Who comes next is whom a
    node handed over to, where neither edges nor callbacks say so.

    Args:
        call: The call of the graph.
        finish: Called with a node whose record is complete.
    """

    def __init__(self, call: GraphCall, finish: Callable[[NodeRun], None]) -> None:
        self.call = call
        self.graph = call.graph
        self.is_interrupted = False
        self._finish = finish
        self._lock = threading.RLock()  # nodes of one step may run in threads
        self._step = -1
        self._started: list[str] = []
        self._ended: list[NodeRun] = []
        self._attempts: dict[str, int] = {}
        self._stateless: NodeRun | None = None
        self._undecided: list[NodeRun] = []
        self._undecided_before: list[NodeRun] = []

    def node_started(self, task: Task, state: bytes) -> int:
        """A node begins. Returns which attempt at its task this is, counted from 1."""
        with self._lock:
            if task.step != self._step:
                self._decide_before()
                self._complete_state(None if task.is_sent else state)
                self._undecided_before, self._undecided = self._undecided, []
                self._step, self._started = task.step, []
                self._ended.clear()
                self._attempts.clear()
            else:
                self._complete_state(None)
            self._started.append(task.node)
            attempt = self._attempts[task.namespace] = self._attempts.get(task.namespace, 0) + 1
            return attempt

    def node_ended(self, node: NodeRun) -> None:
        """A node has ended, and what it returned is known; `finish` is called with it now or later."""
        with self._lock:
            self._decide_before()  # by now, all nodes of its step have begun
            self._ended.append(node)
            if node.state_after is None and len(self._started) == 1:
                self._stateless = node
                return
            if node.state_after is None:
                node.state_after = updated(snapshot(node.given), node.update, appending_keys(self.graph))
            self._finish_or_wait(node)

    def ended(self, state: bytes | None) -> None:
        """The run has ended with this state, if it said so."""
        with self._lock:
            self._decide_before()
            self._complete_state(state)
            undecided, self._undecided = self._undecided, []
            self._decide(undecided, ())
            if state is not None and any(self._stops_after(node) for node in self._ended):
                self.is_interrupted = True

    def returns_state(self, node: NodeRun, returned: Any) -> bool:
        """Whether what a node returned is the whole state that it leaves, and not what it changes of it."""
        is_object = not issubclass(type(returned), dict | list | str | int | float | tuple)
        return is_object and type(returned) is type(node.given) and not has_reducers(self.graph)

    def _complete_state(self, state: bytes | None) -> None:
        node, self._stateless = self._stateless, None
        if node is None:
            return
        after = updated(node.state_before, node.update, appending_keys(self.graph))
        node.state_after = after if state is None or node.is_sent else updated(after, state)
        self._finish_or_wait(node)

    def _finish_or_wait(self, node: NodeRun) -> None:
        node.routing.conclude()
        if node.routing.targets is None:
            self._undecided.append(node)
        else:
            self._finish(node)

    def _decide_before(self) -> None:
        if self._undecided_before:
            undecided, self._undecided_before = self._undecided_before, []
            self._decide(undecided, self._started)

    def _decide(self, nodes: Iterable[NodeRun], successors: Iterable[str]) -> None:
        for node in nodes:
            node.routing.follow(successors)
            self._finish(node)

    def _stops_after(self, node: NodeRun) -> bool:
        targets = node.routing.targets
        return targets is not None and targets != () and self.call.stops(node.name, targets)
