"""The same program, traced by the SDK's `@traceable` and by ours, reads the same in LangSmith."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langsmith import Client, get_current_run_tree, traceable, tracing_context

import reamon
from reamon.exporters.langsmith.runs import RunOptions, to_run
from reamon.testing import capture_spans
from support.langsmith_server import LangSmithServer
from support.mapped_runs import decoded

USAGE = {
    "input_tokens": 120,
    "output_tokens": 30,
    "total_tokens": 150,
    "input_token_details": {"cache_read": 40},
    "output_token_details": {"reasoning": 10},
}

Runs = dict[str, dict[str, Any]]


def turn(decorators: dict[str, Callable[..., Any]], record_usage: Callable[[], None]) -> None:
    """A chain that calls a model, tools and a retriever, one of which fails."""

    class Team:
        @decorators["llm"]
        def ask(self, prompt: str, *, retries: int = 1) -> dict[str, Any]:
            record_usage()
            return {"text": prompt.upper()}

    @decorators["tool"]
    def look_up(name: str, *more: int, **how: bool) -> None:
        return None

    @decorators["retriever"]
    def find(query: str = "homes") -> list[str]:
        return [query]

    @decorators["tool"]
    def fail(reason: str) -> None:
        raise ValueError(reason)

    @decorators["chain"]
    def handle(text: str, channel: str | None = None) -> str:
        find()
        with pytest.raises(ValueError, match="busy"):
            fail("busy")
        look_up("Ada", 1, 2, fast=True)
        Team().ask(text)
        return text

    handle("hello")


@pytest.fixture
def theirs() -> Iterator[Runs]:
    def record_usage() -> None:
        tree = get_current_run_tree()
        assert tree is not None
        tree.set(usage_metadata=USAGE)

    with LangSmithServer(api_key="key") as server:
        client = Client(api_url=server.url, api_key="key", info={})
        with tracing_context(enabled=True, client=client, metadata={"thread_id": "call-1"}, project_name="calls"):
            turn({kind: traceable(run_type=kind) for kind in ("chain", "llm", "tool", "retriever")}, record_usage)
        client.flush()
        yield _by_name(server.runs.values())


@pytest.fixture
def ours() -> Runs:
    def record_usage() -> None:
        reamon.current_span().record_usage(
            input_tokens=120, output_tokens=30, cached_input_tokens=40, reasoning_tokens=10
        )

    def of_the_call(function: Callable[..., Any]) -> Callable[..., Any]:
        return reamon.trace_workflow(call_id=lambda _: "call-1")(function)

    decorators = {
        "chain": of_the_call,
        "llm": reamon.trace_llm,
        "tool": reamon.trace_tool,
        "retriever": reamon.trace_retrieval,
    }
    with capture_spans() as captured:
        turn(decorators, record_usage)
    return _by_name(decoded(to_run(span, RunOptions(project="calls"))) for span in captured.spans)


def _by_name(runs: Any) -> Runs:
    return {run["name"]: run for run in runs}


def test_names_types_and_projects_are_the_same(theirs: Runs, ours: Runs) -> None:
    for field in ("run_type", "session_name"):
        assert _all(ours, field) == _all(theirs, field)


def test_the_tree_is_the_same(theirs: Runs, ours: Runs) -> None:
    assert _parents(ours) == _parents(theirs)
    assert _ordered(ours) == _ordered(theirs)


def test_inputs_and_outputs_are_the_same(theirs: Runs, ours: Runs) -> None:
    assert _all(ours, "inputs") == _all(theirs, "inputs")
    succeeded = {name: run["outputs"] for name, run in theirs.items() if not run.get("error")}
    assert {name: ours[name]["outputs"] for name in succeeded} == succeeded


def test_the_same_run_fails_with_the_same_stack(theirs: Runs, ours: Runs) -> None:
    failed = [name for name, run in theirs.items() if run.get("error")]
    assert failed == [name for name, run in ours.items() if "error" in run] == ["fail"]
    assert ours["fail"]["error"].startswith("ValueError: busy\n\nTraceback")
    assert ours["fail"]["error"].strip().splitlines()[-1] == theirs["fail"]["error"].strip().splitlines()[-1]


def test_thread_and_usage_are_the_same(theirs: Runs, ours: Runs) -> None:
    for key in ("thread_id", "usage_metadata"):
        assert _metadata(ours, key) == _metadata(theirs, key)


def _all(runs: Runs, field: str) -> dict[str, Any]:
    return {name: run[field] for name, run in runs.items()}


def _metadata(runs: Runs, key: str) -> dict[str, Any]:
    return {name: run["extra"]["metadata"].get(key) for name, run in runs.items()}


def _parents(runs: Runs) -> dict[str, str | None]:
    names = {run["id"]: name for name, run in runs.items()}
    return {name: names.get(run.get("parent_run_id") or "") for name, run in runs.items()}


def _ordered(runs: Runs) -> list[str]:
    return sorted(runs, key=lambda name: runs[name]["dotted_order"])
