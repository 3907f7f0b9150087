"""Routing: to which nodes a node hands over, by its edges, its routing functions, its `Command`, or what comes next."""

from collections.abc import Iterable
from typing import Any, Final

_START: Final = "__start__"
_END: Final = "__end__"


class Routing:
    """Where one execution of a node leads.

    Attributes:
        targets: The nodes that go on, in order; empty where the graph ends; None while it is not known.
    """

    __slots__ = ("_expected", "_graph", "_node", "_targets")

    def __init__(self, graph: Any, node: str) -> None:
        self._graph = graph
        self._node = node
        self._expected = set(_branches(graph, node))
        self._targets: list[str] | None = None
        static = _static_targets(graph, node)
        if static:
            self._lead_to(static)

    @property
    def targets(self) -> tuple[str, ...] | None:
        """The nodes that go on."""
        if self._targets is None or self._expected:  # a routing function has not answered yet
            return None
        return tuple(self._targets)

    def is_function(self, name: str) -> bool:
        """Whether `name` is a routing function of this node."""
        return name in _branches(self._graph, self._node)

    def answered(self, function: str, answer: Any) -> tuple[str, ...]:
        """A routing function returned its raw answer: a key, a node, a `Send`, or several. Returns the nodes."""
        branch = _branches(self._graph, self._node).get(function)
        targets = targets_of(answer, getattr(branch, "ends", None))
        self._expected.discard(function)
        self._lead_to(targets)
        return targets

    def commanded(self, output: Any) -> None:
        """The node returned this; a `Command` in it, or several, may say where to go."""
        for command in output if isinstance(output, list | tuple) else (output,):
            goto = getattr(command, "goto", None)
            if goto and hasattr(command, "update"):
                self._lead_to(targets_of(goto, None))

    def follow(self, successor: str | None) -> None:
        """The next step has begun with this node, or (None) there is none: the answer where nothing else gave one."""
        if self.targets is None:
            self._expected.clear()
            self._lead_to(() if successor is None else (successor,))

    def _lead_to(self, targets: Iterable[str]) -> None:
        known = self._targets = [] if self._targets is None else self._targets
        known.extend(target for target in targets if target != _END and target not in known)


def targets_of(answer: Any, ends: Any) -> tuple[str, ...]:
    """The nodes that a routing function's raw answer, or a `Command`'s `goto`, names.

    Args:
        answer: A key, a node's name, a `Send`, or a list of these.
        ends: The nodes by key, if there is such a mapping.
    """
    answers = answer if isinstance(answer, list | tuple) else (answer,)
    return tuple(str(_mapped(one, ends)) for one in answers)


def entry_targets(graph: Any, function: str, answer: Any) -> tuple[str, ...] | None:
    """Where a graph begins, if `function` is one that says so; None if it is another."""
    branch = _branches(graph, _START).get(function)
    return None if branch is None else targets_of(answer, getattr(branch, "ends", None))


def _mapped(answer: Any, ends: Any) -> Any:
    node = getattr(answer, "node", None)
    if node is not None:
        return node
    try:
        return ends.get(answer, answer) if ends else answer
    except TypeError:  # not hashable, so no key
        return answer


def _branches(graph: Any, node: str) -> dict[str, Any]:
    branches = getattr(getattr(graph, "builder", None), "branches", None)
    return {} if branches is None else branches.get(node) or {}


def _static_targets(graph: Any, node: str) -> list[str]:
    builder = getattr(graph, "builder", None)
    direct = [end for start, end in getattr(builder, "edges", ()) if start == node]
    joined = [end for starts, end in getattr(builder, "waiting_edges", ()) if node in starts]
    return sorted(direct) + sorted(joined)
