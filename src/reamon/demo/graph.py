"""The graph: who may hand over to whom within a turn."""

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from reamon.demo.agents import analytics, conversation, objection_handler, qualification, scheduler
from reamon.demo.office import Office
from reamon.demo.state import CallState

ROUTES = {
    "conversation": ["qualification", "objection_handler", "scheduler", "analytics"],
    "qualification": ["scheduler", "analytics"],
    "objection_handler": ["scheduler", "analytics"],
}
"""Whom an agent may choose as the next one."""

CallGraph = CompiledStateGraph[CallState, Office, CallState, CallState]


def build_graph() -> CallGraph:
    """The campaign's graph, compiled: one run of it is one turn of a call."""
    graph: StateGraph[CallState, Office, CallState, CallState] = StateGraph(CallState, context_schema=Office)
    agents: dict[str, Any] = {
        "conversation": conversation,
        "qualification": qualification,
        "objection_handler": objection_handler,
        "scheduler": scheduler,
        "analytics": analytics,
    }
    for name, agent in agents.items():
        graph.add_node(name, agent)
    graph.add_edge(START, "conversation")
    for name, choices in ROUTES.items():
        graph.add_conditional_edges(name, next_agent, choices)
    graph.add_edge("scheduler", "analytics")
    graph.add_edge("analytics", END)
    return graph.compile()


def next_agent(state: CallState) -> str:
    """Whom the last agent chose."""
    return state["next_agent"] or END
