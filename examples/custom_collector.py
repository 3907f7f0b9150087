"""A custom collector: it counts what needs a human, and says so on the span. A collector is a name and a method.

It prints:
2 of 3 calls need a human
call-2: the agent is unsure
call-3: the caller asked for one
"""

import reamon
from reamon.exporters import MemoryExporter
from reamon.protocols import Additions

SURE = 0.6


class NeedsHuman:
    """Finds the agents that were unsure, or that were asked for a human, before anything is sampled."""

    name = "needs_human"

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def collect(self, span: reamon.Span) -> Additions | None:
        """Look at a finished span; what is returned is added to it before it is exported."""
        decision = span.decision
        if decision is None:
            return None
        if decision.next_agent == "human":
            reason = "the caller asked for one"
        elif decision.confidence is not None and decision.confidence < SURE:
            reason = "the agent is unsure"
        else:
            return None
        self.reasons[span.call_id or span.trace_id] = reason
        return Additions(attributes={"needs_human": reason})


@reamon.trace_agent
def qualification(text: str) -> None:
    """Decides who goes on."""
    next_agent = "human" if "person" in text else "scheduler"
    reamon.current_span().record_decision(next_agent=next_agent, confidence=0.9 if len(text) > 10 else 0.4)


@reamon.trace_workflow
def turn(call_id: str, text: str) -> None:
    """One turn; the parameter `call_id` says which conversation it belongs to."""
    qualification(text)


if __name__ == "__main__":
    memory, needs_human = MemoryExporter(), NeedsHuman()
    reamon.configure(exporters=[memory], collectors=[needs_human])
    turn("call-1", "I want to sell my house.")
    turn("call-2", "Perhaps.")
    turn("call-3", "Let me talk to a person.")
    reamon.flush()
    print(f"{len(needs_human.reasons)} of 3 calls need a human")
    for agent in memory.named("qualification"):
        if "needs_human" in agent.attributes:
            print(f"{agent.call_id}: {agent.attributes['needs_human']}")
