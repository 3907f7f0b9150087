"""Runs: those that are open, found by their ids."""

from uuid import uuid4

from reamon.integrations.langgraph.graph_call import GraphCall
from reamon.integrations.langgraph.nodes import GraphRun, NodeRun, Task
from reamon.integrations.langgraph.routing import Routing
from reamon.integrations.langgraph.runs import Run, Runs
from reamon.testing import Captured
from reamon.tracing import ActiveSpan, start_span


def test_a_run_is_found_until_it_ends() -> None:
    runs, run_id, run = Runs(), uuid4(), Run("a", None, None)
    assert runs.add(run_id, run) is None
    assert (runs.get(run_id), runs.get(None), runs.get(uuid4())) == (run, None, None)
    assert (runs.pop(run_id), runs.pop(run_id), len(runs)) == (run, None, 0)


def test_the_oldest_makes_room() -> None:
    runs, oldest = Runs(most=2), Run("oldest", None, None)
    assert [runs.add(uuid4(), run) for run in (oldest, Run("b", None, None))] == [None, None]
    assert runs.add(uuid4(), Run("c", None, None)) is oldest
    assert len(runs) == 2


def test_what_runs_in_a_node_is_in_it_but_a_graph_inside_of_it_has_nodes_of_its_own(captured: Captured) -> None:
    span = start_span("agent", "a")
    assert isinstance(span, ActiveSpan)
    node = NodeRun(span, Task("a", 1, "a:1", False), Routing(None, "a"), {}, b"{}")
    graph = Run("graph", None, None, graph=GraphRun(GraphCall(None, None, {}), lambda node: None))
    around = Run("a", span, graph, node=node)
    chain = Run("chain", None, around)
    inner = Run("inner", None, chain, graph=GraphRun(GraphCall(None, None, {}), lambda node: None))
    assert [run.is_in_node for run in (graph, around, chain, inner)] == [False, True, True, False]
    span.end()
