"""An application of REAutomation2's shape (tests/apps/voicebot), recorded without a change to it, and told in full."""

import asyncio
import itertools
import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reamon
from apps.voicebot import AgentOrchestrator, ModelService
from reamon.exporters import LangSmithExporter, OTLPExporter
from reamon.model import Span
from reamon.testing import Captured, capture_spans
from support.langsmith_server import LangSmithServer
from support.model_servers.ollama_server import OllamaServer
from support.otlp_server import OTLPServer
from support.trees import tree

PATHS = {
    "hello": ["conversation"],
    "my budget is 450": ["conversation", "qualification", "scheduler"],
    "too expensive": ["conversation", "objection_handler"],
    "please crash": ["conversation"],
    "now hang": ["conversation"],
    "explode": ["conversation"],
}
"""What a lead may say, and the agents that then run, one after the other; `analytics` follows each turn."""

DEGRADED = {"please crash": "ValueError", "now hang": "TimeoutError", "explode": "ConnectionError"}


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def captured(server: OllamaServer) -> Iterator[Captured]:
    """All that it takes to record such an application."""
    with (
        capture_spans() as captured,
        reamon.instrument("langgraph"),
        reamon.instrument("ollama"),
        reamon.instrument(asyncio.Queue),
        reamon.instrument(AgentOrchestrator),
        reamon.instrument(ModelService, methods={"generate": "llm"}),
    ):
        yield captured


class Office:
    """The application, running. Only "now hang" waits for its time-out, so others have one that no machine reaches."""

    def __init__(self, server: OllamaServer, **options: Any) -> None:
        self.models = ModelService(server.url)
        self.options = {"timeout": 5.0, **options}

    async def __aenter__(self) -> AgentOrchestrator:
        await self.models.start()
        self.orchestrator = AgentOrchestrator(self.models, **self.options)
        return self.orchestrator

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self.orchestrator.background)
        await self.models.stop()


def turns_of(spans: list[Span], call_id: str) -> list[list[Span]]:
    """The traces of a call, in order, each with its spans."""
    roots = sorted((span for span in spans if span.is_root and span.call_id == call_id), key=lambda span: span.start_ns)
    return [[span for span in spans if span.trace_id == root.trace_id] for root in roots]


def agents_in(turn: list[Span]) -> list[Span]:
    """The agents of a turn, in their order; the one that runs after it left out."""
    agents = sorted((span for span in turn if span.kind == "agent"), key=lambda span: span.execution_order or 0)
    return [agent for agent in agents if agent.agent_type != "analytics"]


TURN = """\
workflow process_input
  step LangGraph
    agent conversation -> qualification
      step execute_with_timeout
        step process
          llm generate
            llm text_completion
      step _route
    agent qualification -> scheduler
      step execute_with_timeout
        step process
          llm generate
            llm text_completion
      step _route
    agent scheduler
      step execute_with_timeout
        step process
          llm generate
            llm text_completion
  agent analytics
    step process"""


async def test_a_turn_is_one_trace_with_everything_in_its_place(captured: Captured, server: OllamaServer) -> None:
    async with Office(server) as orchestrator:
        assert await orchestrator.process_input("call-1", "my budget is 450") == "Hello from the model"
    assert tree(captured.spans) == TURN
    assert {span.call_id for span in captured.spans} == {"call-1"}


async def test_twenty_calls_at_once_are_recorded_without_a_gap(captured: Captured, server: OllamaServer) -> None:
    chance = random.Random(7)
    script = {f"call-{number}": chance.choices(list(PATHS), k=4) for number in range(20)}

    async def call(orchestrator: AgentOrchestrator, call_id: str) -> None:
        for text in script[call_id]:
            await orchestrator.process_input(call_id, text)

    async with Office(server, timeout=3.0) as orchestrator:
        await asyncio.gather(*(call(orchestrator, call_id) for call_id in script))
    spans = captured.spans
    for call_id, texts in script.items():
        turns = turns_of(spans, call_id)
        assert len(turns) == len(texts)
        for text, turn in zip(texts, turns, strict=True):
            assert_told_in_full(text, turn)
    assert not [span for span in spans if span.call_id is None]


def assert_told_in_full(text: str, turn: list[Span]) -> None:
    """Agents, parents, order, states, decisions, hand-overs, and how it went."""
    root = next(span for span in turn if span.is_root)
    graph = next(span for span in turn if span.name == "LangGraph")
    agents = agents_in(turn)
    path = PATHS[text]
    assert [agent.agent_type for agent in agents] == path
    assert {agent.parent_id for agent in agents} == {graph.span_id}
    assert [agent.execution_order for agent in agents] == list(range(1, len(path) + 1))
    handed_over = [agent.decision.next_agent if agent.decision else None for agent in agents]
    assert handed_over == [*path[1:], None]
    for agent, successor in itertools.pairwise(agents):
        assert agent.state_after is not None
        assert successor.state_before is not None
        assert agent.state_after.value == successor.state_before.value
    for agent in agents:
        assert agent.state_before is not None
        assert agent.state_after is not None
        before, after = agent.state_before.value, agent.state_after.value
        worked = agent.status == "ok"
        told = len(after["conversation_history"]) - len(before["conversation_history"])
        assert told == (1 if worked and agent.agent_type == "conversation" else 0)
        if worked:
            assert agent.decision is not None
            assert agent.decision.reasoning == f"{agent.agent_type} decided to {agent.decision.action}"
            assert after["reply"] == "Hello from the model"
    expected = DEGRADED.get(text)
    assert root.status == ("ok" if expected is None else "degraded")
    assert (root.error.type.rpartition(".")[2] if root.error else None) == expected
    (analytics,) = [span for span in turn if span.agent_type == "analytics"]
    assert (analytics.parent_id, analytics.attributes.get("reamon.late")) == (root.span_id, True)


async def test_what_an_agent_swallowed_degrades_it_with_the_real_error(
    captured: Captured, server: OllamaServer
) -> None:
    async with Office(server, timeout=0.5) as orchestrator:
        for text in ("please crash", "now hang"):
            await orchestrator.process_input("call-1", text)
    found = [(agent.status, agent.error and agent.error.type) for turn in turns_of(captured.spans, "call-1")
             for agent in agents_in(turn)]  # fmt: skip
    assert found == [("degraded", "ValueError"), ("degraded", "TimeoutError")]


async def test_what_the_orchestrator_swallowed_is_an_error_of_the_graph(
    captured: Captured, server: OllamaServer
) -> None:
    async with Office(server) as orchestrator:
        await orchestrator.process_input("call-1", "explode")
    assert (
        tree(captured.spans)
        == """\
workflow process_input [degraded]
  step LangGraph [error]
    agent conversation [error]
  agent analytics
    step process"""
    )


async def test_the_wait_for_the_shared_lock_is_told_apart_from_work(captured: Captured, server: OllamaServer) -> None:
    async with Office(server, timeout=2.0) as orchestrator:
        lock = asyncio.Lock()
        for agent in orchestrator.agents.values():
            agent.lock = lock
        await lock.acquire()
        turn = asyncio.create_task(orchestrator.process_input("call-1", "hello"))
        await asyncio.sleep(0.3)
        lock.release()
        await turn
        reported = orchestrator.agents[next(iter(orchestrator.agents))].reported_ms
    (agent,) = agents_in(turns_of(captured.spans, "call-1")[0])
    assert agent.queue_wait_ns is not None
    assert agent.duration_ns is not None
    assert 0.2e9 < agent.queue_wait_ns < agent.duration_ns
    assert reported[0] * 1e6 < agent.duration_ns - 0.2e9, "the application itself does not see the wait"


async def test_logical_calls_and_the_requests_they_became_are_both_counted(
    captured: Captured, server: OllamaServer
) -> None:
    async with Office(server, timeout=5.0) as orchestrator:
        for number in range(15):
            server.fail(4)
            await orchestrator.process_input(f"call-{number}", "hello")
    calls = Counter(span.attributes["reamon.call"] for span in captured.spans if span.kind == "llm")
    assert calls == {"logical": 15, "physical": 75}
    requests = [span.attributes["reamon.requests"] for span in captured.spans if span.name == "generate"]
    assert requests == [5] * 15
    billed = [span for span in captured.spans if span.usage]
    assert {span.attributes["reamon.call"] for span in billed} == {"physical"}
    assert sum(usage.input_tokens or 0 for span in billed for usage in span.usage) == 15 * 20


async def test_a_cache_hit_is_told_and_costs_nothing(captured: Captured, server: OllamaServer) -> None:
    async with Office(server) as orchestrator:
        for _ in range(2):
            await orchestrator.process_input("call-1", "hello")
    first, second = ([span for span in turn if span.kind == "llm"] for turn in turns_of(captured.spans, "call-1"))
    assert [span.attributes.get("reamon.cache_hit") for span in first] == [None, None]
    (hit,) = second
    assert (hit.attributes["reamon.cache_hit"], hit.attributes["reamon.requests"], hit.usage) == (True, 0, ())


async def test_requests_that_go_on_after_the_callers_time_out_are_kept_below_it(
    captured: Captured, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, answer = threading.Event(), server.answer

    def answer_late(*request: Any) -> Any:
        gate.wait(10)
        return answer(*request)

    monkeypatch.setattr(server, "answer", answer_late)
    async with Office(server, timeout=0.3) as orchestrator:
        await orchestrator.process_input("call-1", "hello")
        gate.set()
        await orchestrator.models.queue.join()
    logical, physical = sorted((span for span in captured.spans if span.kind == "llm"), key=lambda span: span.start_ns)
    assert (logical.status, physical.status, physical.parent_id) == ("cancelled", "ok", logical.span_id)
    assert (physical.end_ns or 0) > (logical.end_ns or 0)


async def test_the_application_answers_as_it_does_without_us(server: OllamaServer) -> None:
    async def replies() -> list[str]:
        async with Office(server, timeout=1.0) as orchestrator:
            return [await orchestrator.process_input("call-1", text) for text in PATHS]

    without = await replies()
    with reamon.instrument("langgraph"), reamon.instrument(AgentOrchestrator), reamon.instrument("ollama"):
        unconfigured = await replies()
        with capture_spans():
            recorded = await replies()
    assert without == unconfigured == recorded


async def test_every_exporter_takes_all_of_it(server: OllamaServer, tmp_path: Path) -> None:
    with LangSmithServer(api_key="lsv2_pt_test") as langsmith, OTLPServer() as collector:
        langsmith_exporter = LangSmithExporter("lsv2_pt_test", langsmith.url, "calls")
        reamon.configure(exporters=["sqlite", langsmith_exporter, OTLPExporter(collector.url)], home=tmp_path)
        with reamon.instrument("langgraph", "ollama", asyncio.Queue, AgentOrchestrator):
            async with Office(server, timeout=0.5) as orchestrator:
                for text in PATHS:
                    await orchestrator.process_input("call-1", text)
        assert await reamon.aflush(30)
        recorded = reamon.stats().recorded
        assert reamon.stats().dropped == {}
        reamon.shutdown()
        assert (langsmith.violations, langsmith.orphans, len(langsmith.runs)) == ([], {}, recorded)
        assert (collector.violations, len(collector.received)) == ([], recorded)
    assert recorded > 50
