"""The voicebot under LangSmith's own tracer and under ours: ours has all of its runs, and what it misses."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import langsmith
import pytest
from langchain_core.tracers.context import tracing_v2_enabled

import reamon
from apps.voicebot import AgentOrchestrator, ModelService
from reamon.model import Span
from reamon.testing import capture_spans
from support.langsmith_server import LangSmithServer
from support.model_servers.ollama_server import OllamaServer

pytestmark = pytest.mark.current_sdk

TURNS = ("hello", "my budget is 450", "too expensive", "please crash")
KEY = "lsv2_pt_test"


@pytest.fixture
def langsmith_server() -> Iterator[LangSmithServer]:
    with LangSmithServer(api_key=KEY) as server:
        yield server


async def campaign(server: OllamaServer) -> None:
    """One call of several turns."""
    models = ModelService(server.url)
    await models.start()
    orchestrator = AgentOrchestrator(models, timeout=1.0)
    for text in TURNS:
        await orchestrator.process_input("call-1", text)
    await asyncio.gather(*orchestrator.background)
    await models.stop()


async def test_ours_has_every_run_of_theirs_and_what_they_miss(langsmith_server: LangSmithServer) -> None:
    client = langsmith.Client(api_key=KEY, api_url=langsmith_server.url)
    with (
        OllamaServer() as models,
        capture_spans() as captured,
        tracing_v2_enabled("calls", client=client),
        reamon.instrument("langgraph"),
        reamon.instrument("ollama"),
        reamon.instrument(asyncio.Queue),
        reamon.instrument(AgentOrchestrator),
        reamon.instrument(ModelService, methods={"generate": "llm"}),
    ):
        await campaign(models)
    client.flush()
    runs, spans = langsmith_server.runs, captured.spans
    theirs = Counter(
        (run["name"], runs[run["parent_run_id"]]["name"] if run.get("parent_run_id") else None) for run in runs.values()
    )
    names = {span.span_id: span.name for span in spans}
    ours = Counter((span.name, names.get(span.parent_id or "")) for span in spans)
    below_turn = Counter({(name, parent or "process_input"): count for (name, parent), count in theirs.items()})
    assert theirs.total() > 10
    assert below_turn - ours == Counter()
    assert missed(theirs) == Counter()
    assert missed(ours) == Counter({"llm generate": 6, "llm text_completion": 6, "analytics": 4})
    assert swallowed(spans) == {"ValueError"}
    assert [run for run in runs.values() if run.get("error")] == []
    assert [span.status for span in spans if span.is_root].count("degraded") == 1
    assert histories(spans) == [(0, 1), (1, 2), (2, 3), (3, 3)], "the state before is not the state after"


def missed(seen: Counter[tuple[str, str | None]]) -> Counter[str]:
    """Model calls and background agents."""
    found = Counter[str]()
    for (name, _), count in seen.items():
        if name in {"generate", "text_completion"}:
            found[f"llm {name}"] += count
        elif name == "analytics":
            found[name] += count
    return found


def swallowed(spans: list[Span]) -> set[str]:
    """The errors behind degraded spans."""
    return {span.error.type for span in spans if span.status == "degraded" and span.error is not None}


def histories(spans: list[Span]) -> list[tuple[int, int]]:
    """How long the conversation was before and after the agent that leads it, turn by turn."""
    agents = sorted((span for span in spans if span.agent_type == "conversation"), key=lambda span: span.start_ns)
    states = [(agent.state_before, agent.state_after) for agent in agents]
    return [
        (len(before.value["conversation_history"]), len(after.value["conversation_history"]))
        for before, after in states
        if before and after
    ]
