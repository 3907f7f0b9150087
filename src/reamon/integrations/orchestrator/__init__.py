"""Orchestrators and agents that are known by their shape: turns, agent executions, what they decided and swallowed."""

from reamon.integrations.orchestrator.agents import trace_agent_execution
from reamon.integrations.orchestrator.application import instrument_application
from reamon.integrations.orchestrator.shapes import is_agent, is_orchestrator

__all__ = ["instrument_application", "is_agent", "is_orchestrator", "trace_agent_execution"]
