"""Beside langsmith's own SDK in one process: nothing twice, nothing broken, one tree where headers are handed on."""

import asyncio
from collections.abc import Iterator
from typing import Any

import langsmith
import langsmith.utils
import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import SimpleChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import LangChainTracer
from langsmith import traceable
from langsmith.middleware import TracingMiddleware
from langsmith.run_helpers import get_current_run_tree

import reamon
from reamon.exporters import LangSmithExporter
from support.langsmith_server import Fault, LangSmithServer

pytestmark = pytest.mark.current_sdk

KEY = "lsv2_pt_test"
PROJECT = "calls"


class RefusedError(Exception):
    """An error of the application."""


class ParrotModel(SimpleChatModel):
    """A chat model that repeats what it is told."""

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def _call(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        with reamon.trace_llm("parrot"):
            return str(messages[-1].content)


class World:
    """A LangSmith with two clients in this process: the SDK's and ours."""

    def __init__(self, server: LangSmithServer, client: langsmith.Client) -> None:
        self.server = server
        self.client = client

    def runs(self) -> dict[str, dict[str, Any]]:
        """What LangSmith has, by name, once both have delivered; each run was stored once, and none was refused."""
        self.client.flush()
        assert reamon.flush(10)
        runs = self.server.runs
        named = {run["name"]: run for run in runs.values()}
        assert len(named) == len(runs)
        assert set(self.server.writes.values()) <= {1}
        assert (self.server.violations, self.server.orphans) == ([], {})
        return named


@pytest.fixture(params=["true", "false"])
def tracing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Whether the SDK is switched on, by its own variable."""
    monkeypatch.setenv("LANGSMITH_TRACING", request.param)
    langsmith.utils.get_env_var.cache_clear()
    yield request.param == "true"
    monkeypatch.undo()
    langsmith.utils.get_env_var.cache_clear()


@pytest.fixture
def world(tracing: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Both at work, set up as an application sets them up."""
    with LangSmithServer(api_key=KEY) as server:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
        monkeypatch.setenv("LANGSMITH_PROJECT", PROJECT)
        langsmith.utils.get_env_var.cache_clear()
        client = langsmith.Client()
        langsmith.configure(client=client)
        reamon.configure(exporters=[LangSmithExporter()])
        yield World(server, client)
        reamon.shutdown(5)
        client.cleanup()
        langsmith.configure(client=None)


def assert_below(child: dict[str, Any], parent: dict[str, Any]) -> None:
    """`child` hangs below `parent` in LangSmith's tree, in the same project."""
    assert child["parent_run_id"] == parent["id"]
    assert child["trace_id"] == parent["trace_id"]
    assert child["dotted_order"].rpartition(".")[0] == parent["dotted_order"]
    assert child["session_name"] == parent["session_name"]


# -- side by side ----------------------------------------------------------------------------------------------------


def test_each_records_what_is_its_own_and_nothing_twice(world: World, tracing: bool) -> None:
    @reamon.trace_tool
    def our_inner() -> int:
        return 1

    @traceable
    def their_inner() -> int:
        return our_inner()

    @reamon.trace_workflow
    def our_outer() -> int:
        return their_inner()

    @traceable
    def their_outer() -> int:
        return our_outer()

    assert their_outer() == 1
    runs = world.runs()
    assert_below(runs["our_inner"], runs["our_outer"])
    assert runs["our_outer"].get("parent_run_id") is None
    if tracing:
        assert_below(runs["their_inner"], runs["their_outer"])
    assert set(runs) == {"our_inner", "our_outer"} | ({"their_inner", "their_outer"} if tracing else set())


async def test_tasks_keep_both_trees_apart(world: World, tracing: bool) -> None:
    async def serve(number: int) -> None:
        @traceable(name=f"theirs {number}")
        async def theirs() -> None:
            async with reamon.trace_tool(f"inner {number}"):
                await asyncio.sleep(0)

        async with reamon.trace_workflow(f"outer {number}"):
            await theirs()

    await asyncio.gather(*(serve(number) for number in range(5)))
    runs = world.runs()
    for number in range(5):
        assert_below(runs[f"inner {number}"], runs[f"outer {number}"])
        assert (f"theirs {number}" in runs) == tracing


def test_an_error_passes_through_both_and_is_recorded_by_both(world: World, tracing: bool) -> None:
    @reamon.trace_workflow
    def ours() -> None:
        raise RefusedError("no budget")

    @traceable
    def theirs() -> None:
        ours()

    with pytest.raises(RefusedError, match="no budget"):
        theirs()
    assert all("no budget" in run["error"] for run in world.runs().values())


def test_our_requests_are_no_runs(world: World, tracing: bool) -> None:
    with reamon.trace_workflow("turn"):
        pass
    assert set(world.runs()) == {"turn"}
    with reamon.trace_workflow("next"):
        pass
    assert set(world.runs()) == {"turn", "next"}


def test_our_end_leaves_the_sdk_at_work(world: World, tracing: bool) -> None:
    @traceable
    def theirs() -> None:
        pass

    with reamon.trace_workflow("turn"):
        pass
    assert reamon.shutdown(5)
    theirs()
    world.client.flush()
    assert {run["name"] for run in world.server.runs.values()} == {"turn"} | ({"theirs"} if tracing else set())


def test_the_end_of_the_sdk_leaves_us_at_work(world: World, tracing: bool) -> None:
    world.client.cleanup()
    with reamon.trace_workflow("turn"):
        pass
    assert reamon.flush(10)
    assert [run["name"] for run in world.server.runs.values()] == ["turn"]


# -- one tree --------------------------------------------------------------------------------------------------------


def test_their_run_hangs_below_our_span_that_wrote_the_headers(world: World, tracing: bool) -> None:
    @traceable
    def theirs() -> None:
        pass

    with reamon.trace_workflow("turn", call_id="c-1", project=PROJECT, tags=("t",)), reamon.trace_tool("request"):
        headers: dict[str, str] = {}
        reamon.inject(headers)
    theirs(langsmith_extra={"parent": headers})
    runs = world.runs()
    assert ("theirs" in runs) == tracing
    if tracing:
        assert_below(runs["theirs"], runs["request"])
        assert runs["theirs"]["extra"]["metadata"]["thread_id"] == "c-1"


async def test_their_middleware_reads_our_headers(world: World) -> None:
    @traceable
    async def theirs() -> None:
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await theirs()

    with reamon.trace_workflow("turn"):
        headers: dict[str, str] = {}
        reamon.inject(headers)
    pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
    await TracingMiddleware(app)({"type": "http", "headers": pairs}, None, None)
    runs = world.runs()
    assert_below(runs["theirs"], runs["turn"])


def test_our_trace_hangs_below_their_run_whose_headers_it_got(world: World) -> None:
    @traceable(metadata={"thread_id": "c-1"})
    def theirs() -> dict[str, str]:
        run = get_current_run_tree()
        assert run is not None
        return run.to_headers()

    with langsmith.tracing_context(enabled=True):
        headers = theirs()
    with reamon.extract(headers), reamon.trace_workflow("turn"), reamon.trace_tool("crm"):
        pass
    runs = world.runs()
    assert_below(runs["turn"], runs["theirs"])
    assert_below(runs["crm"], runs["turn"])
    assert runs["crm"]["extra"]["metadata"]["thread_id"] == "c-1"


def test_a_tree_goes_from_them_through_us_to_them_and_to_us_again(world: World) -> None:
    @traceable(project_name="elsewhere")
    def first() -> dict[str, str]:
        run = get_current_run_tree()
        assert run is not None
        return run.to_headers()

    @traceable
    def third() -> None:
        pass

    with langsmith.tracing_context(enabled=True):
        from_them = first()
    with reamon.extract(from_them), reamon.trace_workflow("second"), reamon.trace_step("request"):
        from_us: dict[str, str] = {}
        reamon.inject(from_us)
    with langsmith.tracing_context(enabled=True):
        third(langsmith_extra={"parent": from_us})
    with reamon.extract(from_us), reamon.trace_tool("fourth"):
        pass
    runs = world.runs()
    for child, parent in (("second", "first"), ("request", "second"), ("third", "request"), ("fourth", "request")):
        assert_below(runs[child], runs[parent])
    assert {run["session_name"] for run in runs.values()} == {"elsewhere"}


# -- LangChain -------------------------------------------------------------------------------------------------------


def test_langchain_s_tracer_is_left_as_it_is(world: World, tracing: bool) -> None:
    def chain(text: str) -> str:
        return str(ParrotModel().invoke(text).content)

    with reamon.trace_workflow("turn"):
        answer = RunnableLambda(chain).invoke("good morning", {"callbacks": [LangChainTracer(client=world.client)]})
    assert answer == "good morning"
    runs = world.runs()
    assert set(runs) == {"turn", "parrot", "chain", "ParrotModel"}
    assert_below(runs["parrot"], runs["turn"])
    assert_below(runs["ParrotModel"], runs["chain"])


def test_langchain_switched_on_by_the_variable_traces_itself_and_not_us(world: World, tracing: bool) -> None:
    with reamon.trace_workflow("turn"):
        ParrotModel().invoke("good morning")
    assert set(world.runs()) == {"turn", "parrot"} | ({"ParrotModel"} if tracing else set())


# -- trouble ---------------------------------------------------------------------------------------------------------


def test_what_an_outage_costs_the_sdk_it_does_not_cost_us(world: World, tracing: bool) -> None:
    @traceable
    def theirs() -> None:
        pass

    world.server.fault = Fault.UNAVAILABLE
    with reamon.trace_workflow("turn"):
        theirs()
    assert not reamon.flush(0.2)
    world.server.fault = Fault.NONE
    assert "turn" in world.runs()
