"""An application of REAutomation2's shape, which knows nothing of reamon: five agents on a LangGraph graph.

What makes such an application hard to trace is all here: a state that is changed in place, a lock that is taken before
the agents' own timer starts, a model service whose workers were started before any call, retries that multiply
requests, a cache, errors and time-outs that end in an apology, and an agent that runs after the turn.
"""

from apps.voicebot.context import AgentDecision, AgentResponse, AgentType, WorkflowContext
from apps.voicebot.models import ModelService
from apps.voicebot.orchestrator import AgentOrchestrator

__all__ = ["AgentDecision", "AgentOrchestrator", "AgentResponse", "AgentType", "ModelService", "WorkflowContext"]
