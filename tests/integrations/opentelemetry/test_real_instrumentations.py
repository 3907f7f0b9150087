"""Instrumentations that people use, as they are, with their clients against a local server."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider

import reamon
from reamon.exporters import OTLPExporter, read_jsonl
from reamon.model import Span
from reamon.testing import Captured
from support.model_calls import asked, output, usage
from support.model_servers import OpenAIServer
from support.otlp_server import OTLPServer
from support.scripts import run
from support.trees import tree

MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]
TOOLS: list[Any] = [{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}]
USED = {
    "provider": "openai",
    "input_tokens": 20,
    "output_tokens": 7,
    "cached_input_tokens": 8,
    "reasoning_tokens": 3,
}


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server
    assert server.violations == []


@pytest.fixture
def instrumented(provider: TracerProvider) -> Iterator[None]:
    """OpenInference at work on openai, and ours on OpenTelemetry."""
    with ExitStack() as stack:
        stack.enter_context(reamon.instrument("opentelemetry", provider=provider))
        OpenAIInstrumentor().instrument(tracer_provider=provider)
        stack.callback(OpenAIInstrumentor().uninstrument)
        yield


def client_of(server: OpenAIServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key="test", max_retries=0)


def the_call(captured: Captured) -> Span:
    (span,) = (span for span in captured.spans if span.kind == "llm")
    return span


def used(span: Span) -> dict[str, Any]:
    said = usage(span)
    return {name: said.get(name) for name in USED}


@pytest.mark.usefixtures("instrumented")
def test_a_chat(captured: Captured, server: OpenAIServer) -> None:
    with reamon.trace_agent("qualify"):
        client_of(server).chat.completions.create(model="gpt-4o", messages=MESSAGES, temperature=0.5)
    span = the_call(captured)
    assert used(span) == USED
    assert span.attributes["gen_ai.request.model"] == "gpt-4o"
    assert span.attributes["gen_ai.request.temperature"] == 0.5
    assert "Hi" in str(asked(span))
    assert server.text in str(output(span))
    assert span.parent_id == next(one.span_id for one in captured.spans if one.kind == "agent")


@pytest.mark.usefixtures("instrumented")
def test_a_stream(captured: Captured, server: OpenAIServer) -> None:
    stream = client_of(server).chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    assert "".join(piece.choices[0].delta.content or "" for piece in stream if piece.choices) == server.text
    span = the_call(captured)
    assert (used(span)["input_tokens"], used(span)["output_tokens"]) == (20, 7)
    assert server.text in str(output(span))
    assert span.first_token_ns is not None


@pytest.mark.usefixtures("instrumented")
def test_a_tool_call(captured: Captured, server: OpenAIServer) -> None:
    client_of(server).chat.completions.create(model="gpt-4o", messages=MESSAGES, tools=TOOLS)
    span = the_call(captured)
    assert "book" in str(output(span))
    assert "Monday" in str(output(span))
    assert "book" in str(asked(span))


@pytest.mark.usefixtures("instrumented")
def test_an_error(captured: Captured, server: OpenAIServer) -> None:
    server.fail(1, status=500)
    with pytest.raises(openai.InternalServerError):
        client_of(server).chat.completions.create(model="gpt-4o", messages=MESSAGES)
    span = the_call(captured)
    assert span.error is not None
    assert (span.status, span.error.type) == ("error", "openai.InternalServerError")
    assert span.usage == ()


@pytest.mark.usefixtures("instrumented")
async def test_an_async_client(captured: Captured, server: OpenAIServer) -> None:
    client = openai.AsyncOpenAI(base_url=server.base_url, api_key="test", max_retries=0)
    async with client, reamon.trace_agent("qualify"):
        await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert used(the_call(captured)) == USED


OPENLLMETRY = """
import openai, reamon
from opentelemetry import trace
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider

reamon.configure(exporters=["jsonl"])
reamon.instrument("opentelemetry")
trace.set_tracer_provider(TracerProvider())
OpenAIInstrumentor().instrument()
client = openai.OpenAI(base_url={url!r}, api_key="test", max_retries=0)
hi = [{{"role": "user", "content": "Hi"}}]
with reamon.trace_agent("qualify"):
    try:
        client.chat.completions.create(model="gpt-4o", messages=hi)
    except openai.NotFoundError:
        pass
    client.chat.completions.create(model="gpt-4o", messages=hi, temperature=0.5)
    for piece in client.chat.completions.create(
        model="gpt-4o", messages=hi, stream=True, stream_options={{"include_usage": True}}
    ):
        pass
assert reamon.shutdown(5)
"""
"""In a process of its own, since that instrumentation cannot be undone whole."""


def test_openllmetry(server: OpenAIServer, tmp_path: Path) -> None:
    server.fail(1, status=404)
    run(tmp_path, OPENLLMETRY.format(url=server.base_url))
    spans = list(read_jsonl(tmp_path / ".reamon" / "spans.jsonl"))
    failed, chat, stream, agent = spans
    assert {span.parent_id for span in (chat, stream, failed)} == {agent.span_id}
    assert used(chat) == USED
    assert (used(stream)["input_tokens"], used(stream)["output_tokens"]) == (20, 7)
    for span in (chat, stream):
        assert "Hi" in str(asked(span))
        assert server.text in str(output(span))
    assert stream.first_token_ns is not None
    assert failed.error is not None
    assert (failed.status, failed.error.type, failed.usage) == ("error", "openai.NotFoundError", ())


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_beside_our_own_of_the_same_client_one_call_is_billed_once(
    captured: Captured, server: OpenAIServer, provider: TracerProvider, first: str
) -> None:
    reamon.instrument("opentelemetry", provider=provider)
    steps = [lambda: reamon.instrument("openai"), lambda: OpenAIInstrumentor().instrument(tracer_provider=provider)]
    for step in steps if first == "ours" else reversed(steps):
        step()
    try:
        client_of(server).chat.completions.create(model="gpt-4o", messages=MESSAGES)
    finally:
        OpenAIInstrumentor().uninstrument()
        reamon.uninstrument("openai")
    calls = [span for span in captured.spans if span.kind == "llm"]
    assert len(calls) >= 2
    assert sum(entry.input_tokens or 0 for span in calls for entry in span.usage) == 20


def test_http_and_databases_are_steps(captured: Captured, server: OpenAIServer, provider: TracerProvider) -> None:
    reamon.instrument("opentelemetry", provider=provider)
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    try:
        with reamon.trace_tool("look up"), provider.get_tracer("db").start_as_current_span("SELECT"):
            sqlite3.connect(":memory:").execute("select 1")
            httpx.get(f"{server.url}/nothing")
    finally:
        HTTPXClientInstrumentor().uninstrument()
    assert tree(captured.spans) == "tool look up\n  step SELECT\n    step GET [error]"


def test_both_ways_at_once_run_in_no_circle(server: OpenAIServer, provider: TracerProvider, tmp_path: Any) -> None:
    RequestsInstrumentor().instrument(tracer_provider=provider)
    try:
        with OTLPServer() as receiver:
            reamon.instrument("opentelemetry", provider=provider)
            reamon.configure(exporters=[OTLPExporter(receiver.base, flush_interval=0.01)], home=tmp_path)
            with provider.get_tracer("x").start_as_current_span("request") as request, reamon.trace_tool("book"):
                pass
            for _ in range(3):
                assert reamon.flush(5)
            assert [span.name for span in receiver.received] == ["execute_tool book", "request"]
            assert reamon.stats().recorded == 2
            found = request.get_span_context()
            links = [(trace_id, span_id) for trace_id, span_id, _ in receiver.spans["request"].links]
            assert links == [(f"{found.trace_id:032x}", f"{found.span_id:016x}")]
            assert receiver.violations == []
    finally:
        RequestsInstrumentor().uninstrument()
