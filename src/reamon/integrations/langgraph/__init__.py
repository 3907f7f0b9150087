"""LangGraph, and what else runs on langchain-core: graphs, nodes, routing, state, chat models, tools, retrievers."""

from reamon.integrations.langgraph.hook import instrument_langgraph

__all__ = ["instrument_langgraph"]
