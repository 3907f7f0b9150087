"""The graph call: where a graph is told to stop, and that a call waits until its record is on disk."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langgraph.checkpoint.memory import MemorySaver

import reamon
from reamon.integrations.langgraph.graph_call import GraphCall
from reamon.testing import Captured
from support.graphs import chain_of, says_now, thread


@pytest.mark.parametrize(
    ("compiled", "called", "stops"),
    [
        ({}, {}, False),
        ({"interrupt_before_nodes": ["b"]}, {}, True),
        ({"interrupt_after_nodes": ["a"]}, {}, True),
        ({"interrupt_after_nodes": ["b"]}, {}, False),
        ({"interrupt_before_nodes": "*"}, {}, True),
        ({}, {"interrupt_before": ["b"]}, True),
        ({"interrupt_before_nodes": ["b"]}, {"interrupt_before": ["c"]}, False),
    ],
)
def test_a_graph_stops_where_it_was_compiled_or_called_to(
    compiled: dict[str, Any], called: dict[str, Any], stops: bool
) -> None:
    assert GraphCall(SimpleNamespace(**compiled), None, called).stops("a", ["b"]) is stops


def test_a_run_that_stops_before_a_node_is_interrupted_and_the_last_is_not(captured: Captured) -> None:
    graph = chain_of("a", "b", node=says_now, checkpointer=MemorySaver(), interrupt_before=["b"])
    graph.invoke({"log": []}, thread("call-1"))
    graph.invoke(None, thread("call-1"))
    roots = sorted((span for span in captured.spans if span.kind == "workflow"), key=lambda span: span.start_ns)
    assert [span.attributes.get("reamon.interrupted") for span in roots] == [True, None]


@pytest.mark.parametrize("is_async", [True, False])
async def test_with_durability_span_a_call_returns_when_its_record_is_on_disk(tmp_path: Path, is_async: bool) -> None:
    reamon.configure(home=tmp_path, durability="span")
    with reamon.instrument("langgraph"):
        if is_async:
            await chain_of("a", "b").ainvoke({"log": []})
        else:
            chain_of("a", "b", node=says_now).invoke({"log": []})
        with sqlite3.connect(tmp_path / "reamon.db") as store:
            assert store.execute("SELECT status FROM workflow_traces").fetchall() == [("completed",)]
            assert store.execute("SELECT count(*) FROM agent_executions").fetchone() == (2,)
