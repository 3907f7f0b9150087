"""Routing: to which nodes a node hands over, by its edges, its routing functions, its `Command`, or what comes next."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

START: Final = "__start__"
"""The node that LangGraph puts before all others."""

_END: Final = "__end__"
_UNNAMED: Final = "condition"  # what LangGraph calls a lambda, or any other callable without a name
_NAMELESS: Final = (None, "RunnableCallable")  # what the runs of these are called


class Routing:
    """Where one execution of a node leads.

    Args:
        graph: The graph, if it is known.
        node: The node; by default the start, whose routing functions say where the graph begins.

    Attributes:
        node: The node.
    """

    __slots__ = ("_branches", "_expected", "_graph", "_targets", "node")

    def __init__(self, graph: Any, node: str = START) -> None:
        self.node = node
        self._graph = graph
        branches = getattr(getattr(graph, "builder", None), "branches", None)
        self._branches: Mapping[str, Any] = (branches.get(node) if branches is not None else None) or {}
        self._expected = set(self._branches)
        self._targets: list[str] | None = None
        static = _static_targets(graph, node)
        if static:
            self._lead_to(static)

    @property
    def targets(self) -> tuple[str, ...] | None:
        """The nodes that go on, in order; empty where the graph ends; None while it is not known."""
        if self._targets is None or self._expected:  # a routing function has not answered yet
            return None
        return tuple(self._targets)

    def function(self, name: str | None) -> str | None:
        """The routing function of that name, as the graph calls it: one without a name is its "condition"."""
        if name not in self._branches and name in _NAMELESS:
            name = _UNNAMED
        return name if name in self._branches else None

    def answered(self, function: str, answer: Any) -> tuple[str, ...]:
        """A routing function returned its raw answer: a key, a node, a `Send`, or several. Returns the nodes."""
        targets = targets_of(answer, getattr(self._branches.get(function), "ends", None))
        self._expected.discard(function)
        self._lead_to(targets)
        return targets

    def commanded(self, output: Any) -> None:
        """The node returned this; a `Command` in it, or several, may say where to go."""
        for command in output if issubclass(type(output), list | tuple) else (output,):
            if is_command(command) and command.goto:
                self._lead_to(targets_of(command.goto, None))

    def follow(self, successors: Iterable[str]) -> None:
        """The next step has begun with these nodes, or there is none: the answer where nothing else gave one."""
        if self.targets is None:
            possible = self._possible()
            self._expected.clear()
            self._lead_to(one for one in successors if possible is None or one in possible)

    def conclude(self) -> None:
        """The node has ended: one that nothing leads away from is where the graph ends."""
        if self._targets is None and not self._branches and _knows_all_ways(self._graph):
            self._targets = []

    def _possible(self) -> set[str] | None:
        """Where the routing functions that have not answered may lead; None if anywhere."""
        possible: set[str] = set()
        for function in self._expected:
            ends = getattr(self._branches[function], "ends", None)
            if not ends:
                return None
            possible.update(ends.values())
        return possible if self._expected else None

    def _lead_to(self, targets: Iterable[str]) -> None:
        known = self._targets = [] if self._targets is None else self._targets
        known.extend(target for target in targets if target != _END and target not in known)


def targets_of(answer: Any, ends: Any) -> tuple[str, ...]:
    """The nodes that a routing function's raw answer, or a `Command`'s `goto`, names.

    Args:
        answer: A key, a node's name, a `Send`, or a list of these.
        ends: The nodes by key, if there is such a mapping.

    Example:
        >>> targets_of(["good", "bad"], {"good": "book", "bad": "__end__"})
        ('book', '__end__')
    """
    answers = answer if issubclass(type(answer), list | tuple) else (answer,)
    return tuple(_named(_mapped(one, ends)) for one in answers)


def is_command(value: Any) -> bool:
    """Whether it is LangGraph's `Command`; told by its class's name, because other objects may raise when asked."""
    return _is_a(value, "Command")


def _is_a(value: Any, name: str) -> bool:
    for base in type(value).__mro__:  # noqa: SIM110 - a third of the time of `any` with a generator
        if base.__name__ == name:
            return True
    return False


def _mapped(answer: Any, ends: Any) -> Any:
    if _is_a(answer, "Send"):
        return answer.node
    try:
        return ends.get(answer, answer) if ends else answer
    except TypeError:  # not hashable, so no key
        return answer


def _named(target: Any) -> str:
    return target if issubclass(type(target), str) else type(target).__qualname__


def _static_targets(graph: Any, node: str) -> list[str]:
    builder = getattr(graph, "builder", None)
    direct = [end for start, end in getattr(builder, "edges", ()) if start == node]
    joined = [end for starts, end in getattr(builder, "waiting_edges", ()) if node in starts]
    return sorted(direct) + sorted(joined)


def _knows_all_ways(graph: Any) -> bool:
    """Whether edges and routing functions are all there is: langgraph 0.2 knows nodes that follow (`then=`) others."""
    branches = getattr(getattr(graph, "builder", None), "branches", None)
    return branches is not None and not any(
        getattr(branch, "then", None) for functions in branches.values() for branch in functions.values()
    )
