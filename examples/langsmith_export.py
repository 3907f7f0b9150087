"""LangSmith: a turn of two agents is exported, then read back as the tree that LangSmith has.

It needs LANGSMITH_API_KEY. It prints:
chain turn           $0.00087
  chain qualification  $0.00087
    llm chat             $0.00087
  chain scheduler
"""

import reamon
from reamon.exporters import LangSmithClient, LangSmithExporter
from reamon.exporters.langsmith import RemoteRun

PROJECT = "reamon example"


@reamon.trace_llm
def chat(text: str) -> str:
    """A model that wants to meet everybody."""
    span = reamon.current_span()
    span.record_usage(provider="openai", model="gpt-4o", input_tokens=220, output_tokens=32)
    span.record_cost("0.00087", cost_type="llm")
    return f"You said {text!r}. Shall we meet?"


@reamon.trace_agent
def qualification(text: str) -> str:
    """Whether the lead is worth a visit."""
    reamon.current_span().record_decision(next_agent="scheduler", reasoning="the lead wants to sell", confidence=0.9)
    return chat(text)


@reamon.trace_agent
def scheduler(reply: str) -> str:
    """Offers a time."""
    return f"{reply} On Tuesday at 3?"


@reamon.trace_workflow
def turn(call_id: str, text: str) -> str:
    """One turn of a conversation. Returns the id of its trace."""
    scheduler(qualification(text))
    return reamon.current_trace_id()


def show(run: RemoteRun, indent: str = "") -> None:
    """Print a run and all below it."""
    print(f"{indent}{run.run_type} {run.name:<14} {f'${run.cost}' if run.cost else ''}".rstrip())
    for child in run.children:
        show(child, indent + "  ")


if __name__ == "__main__":
    reamon.configure(exporters=[LangSmithExporter(project=PROJECT)])
    trace_id = turn("call-1", "I want to sell my house.")
    reamon.flush()  # returns once LangSmith has taken all runs
    show(LangSmithClient(project=PROJECT).get_trace(trace_id, wait=10).root)
