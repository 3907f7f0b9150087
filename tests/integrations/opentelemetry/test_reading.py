"""What spans of each convention become: kind, name, model, usage, messages, tools, errors, events."""

import json
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind as OTelKind
from opentelemetry.trace import StatusCode, Tracer

import reamon
from reamon.collectors import CostCollector
from reamon.integrations.opentelemetry._usage import usage_of
from reamon.model import Span, Usage
from reamon.testing import Captured, capture_spans

HI = {"role": "user", "content": "Hi"}
HELLO = {"role": "assistant", "content": "Hello"}


def one(captured: Captured) -> Span:
    (span,) = captured.spans
    return span


def record(tracer: Tracer, name: str, **attributes: Any) -> None:
    """A span that has all of its attributes at the end only, as with most instrumentations."""
    span = tracer.start_span(name)
    span.set_attributes({key.replace("__", "."): value for key, value in attributes.items()})
    span.end()


# -- kinds and names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["at the start", "at the end"])
@pytest.mark.parametrize(
    ("name", "attributes", "kind", "called"),
    [
        ("chat gpt-4o", {"gen_ai.operation.name": "chat"}, "llm", "chat gpt-4o"),
        ("embeddings small", {"gen_ai.operation.name": "embeddings"}, "llm", "embeddings small"),
        ("invoke_agent qualify", {"gen_ai.operation.name": "invoke_agent"}, "agent", "qualify"),
        ("x", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "qualify"}, "agent", "qualify"),
        ("execute_tool book", {"gen_ai.operation.name": "execute_tool"}, "tool", "book"),
        ("invoke_workflow turn", {"gen_ai.operation.name": "invoke_workflow"}, "workflow", "turn"),
        ("create_agent x", {"gen_ai.operation.name": "create_agent"}, "step", "create_agent x"),
        ("ChatCompletion", {"openinference.span.kind": "LLM"}, "llm", "ChatCompletion"),
        ("search", {"openinference.span.kind": "RETRIEVER"}, "retrieval", "search"),
        ("run", {"openinference.span.kind": "TOOL", "tool.name": "book"}, "tool", "book"),
        ("AgentExecutor", {"openinference.span.kind": "AGENT"}, "agent", "AgentExecutor"),
        ("LangGraph", {"openinference.span.kind": "CHAIN"}, "workflow", "LangGraph"),
        ("check", {"openinference.span.kind": "GUARDRAIL"}, "step", "check"),
        ("turn.workflow", {"traceloop.span.kind": "workflow", "traceloop.entity.name": "turn"}, "workflow", "turn"),
        ("qualify.agent", {"traceloop.span.kind": "agent"}, "agent", "qualify"),
        ("work.task", {"traceloop.span.kind": "task"}, "step", "work.task"),
        ("openai.chat", {"llm.request.type": "chat"}, "llm", "openai.chat"),
        ("chroma.query", {"db.system": "chroma"}, "retrieval", "chroma.query"),
        ("SELECT", {"db.system": "postgresql"}, "step", "SELECT"),
        ("GET", {"http.request.method": "GET"}, "step", "GET"),
        ("bedrock", {"gen_ai.request.model": "x", "gen_ai.system": "aws"}, "llm", "bedrock"),
    ],
)
def test_kinds_and_names(
    captured: Captured, tracer: Tracer, name: str, attributes: dict[str, str], kind: str, called: str, when: str
) -> None:
    span = tracer.start_span(name, attributes=attributes if when == "at the start" else None)
    span.set_attributes(attributes)
    span.end()
    taken = one(captured)
    assert (taken.kind, taken.name) == (kind, called)
    if kind == "agent":
        assert (taken.agent_type, taken.execution_order) == (called, 1)


def test_a_chain_inside_a_trace_is_a_step(captured: Captured, tracer: Tracer) -> None:
    with reamon.trace_workflow("turn"):
        record(tracer, "LangGraph", openinference__span__kind="CHAIN")
    assert [(span.kind, span.name) for span in captured.spans] == [("step", "LangGraph"), ("workflow", "turn")]


def test_the_conversation_is_the_call(captured: Captured, tracer: Tracer) -> None:
    record(tracer, "chat", gen_ai__operation__name="chat", gen_ai__conversation__id="call-1")
    tracer.start_span("chain", attributes={"session.id": "call-2"}).end()
    assert [span.call_id for span in captured.spans] == ["call-1", "call-2"]


def test_where_it_comes_from_is_told(captured: Captured, tracer: Tracer) -> None:
    span = tracer.start_span("GET", kind=OTelKind.CLIENT, attributes={"http.request.method": "GET"})
    span.end()
    found = span.get_span_context()
    assert one(captured).attributes == {
        "http.request.method": "GET",
        "otel.scope.name": "test",
        "otel.trace_id": f"{found.trace_id:032x}",
        "otel.span_id": f"{found.span_id:016x}",
        "otel.span_kind": "client",
    }


# -- model calls -------------------------------------------------------------------------------------------------------

GEN_AI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.response.model": "gpt-4o-2024",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.reasoning.output_tokens": 5,
    "gen_ai.input.messages": json.dumps([HI]),
    "gen_ai.output.messages": json.dumps([HELLO]),
}
GEN_AI_BEFORE = {
    "gen_ai.system": "OpenAI",
    "llm.request.type": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.response.model": "gpt-4o-2024",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 20,
    "gen_ai.usage.cache_read_input_tokens": 40,
    "gen_ai.usage.reasoning_tokens": 5,
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "Hi",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Hello",
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.provider": "openai",
    "llm.invocation_parameters": '{"model": "gpt-4o", "temperature": 0.5}',
    "llm.model_name": "gpt-4o-2024",
    "llm.token_count.prompt": 100,
    "llm.token_count.completion": 20,
    "llm.token_count.prompt_details.cache_read": 40,
    "llm.token_count.completion_details.reasoning": 5,
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "Hi",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Hello",
}


@pytest.mark.parametrize("attributes", [GEN_AI, GEN_AI_BEFORE, OPENINFERENCE], ids=["GenAI", "before", "OpenInference"])
def test_a_model_call_by_each_convention(captured: Captured, tracer: Tracer, attributes: dict[str, Any]) -> None:
    record(tracer, "chat", **attributes)
    span = one(captured)
    assert span.usage == (
        Usage(
            provider="openai",
            model="gpt-4o-2024",
            input_tokens=100,
            output_tokens=20,
            cached_input_tokens=40,
            reasoning_tokens=5,
        ),
    )
    assert span.input is not None
    assert span.output is not None
    assert (span.input.value, span.output.value) == ({"messages": [HI]}, HELLO)
    said = span.attributes
    assert (said["gen_ai.provider.name"], said["gen_ai.request.model"]) == ("openai", "gpt-4o")
    assert (said["gen_ai.response.model"], said["gen_ai.request.temperature"]) == ("gpt-4o-2024", 0.5)
    assert "Hello" not in str(said)


def test_tools_and_their_calls(captured: Captured, tracer: Tracer) -> None:
    record(
        tracer,
        "chat",
        **{
            "openinference.span.kind": "LLM",
            "llm.tools.0.tool.json_schema": '{"name": "book"}',
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "Hi",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "book",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"slot": "Monday"}',
        },
    )
    span = one(captured)
    assert span.input is not None
    assert span.output is not None
    assert span.input.value == {
        "messages": [{"role": "user", "contents": [{"type": "text", "text": "Hi"}]}],
        "tools": [{"json_schema": {"name": "book"}}],
    }
    assert span.output.value == {"tool_calls": [{"function": {"name": "book", "arguments": {"slot": "Monday"}}}]}


def test_messages_that_are_events(captured: Captured, tracer: Tracer) -> None:
    span = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    span.add_event("gen_ai.user.message", {"content": "Hi", "gen_ai.system": "openai"})
    span.add_event("gen_ai.choice", {"index": 0, "message": '{"content": "Hello"}'})
    span.add_event("retry", {"attempt": 2})
    span.end()
    taken = one(captured)
    assert taken.input is not None
    assert taken.output is not None
    assert taken.input.value == {"messages": [HI]}
    assert taken.output.value == {"index": 0, "message": {"content": "Hello"}}
    assert [event.name for event in taken.events] == ["retry"]


def test_the_first_piece_of_a_stream_is_the_first_token(captured: Captured, tracer: Tracer) -> None:
    for name in ("First Token Stream Event", "gen_ai.content.completion.chunk"):
        span = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"})
        span.add_event(name)
        span.add_event(name)
        span.end()
    span = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    span.set_attribute("gen_ai.response.time_to_first_chunk", 0.5)
    span.end()
    first, second, third = captured.spans
    for taken in (first, second):
        assert taken.first_token_ns is not None
        assert 0 <= taken.first_token_ns <= (taken.duration_ns or 0)
    assert second.events == ()
    assert third.first_token_ns == 500_000_000


def test_vectors_are_counted_and_not_kept(captured: Captured, tracer: Tracer) -> None:
    record(
        tracer,
        "CreateEmbeddings",
        **{
            "openinference.span.kind": "EMBEDDING",
            "embedding.model_name": "small",
            "embedding.embeddings.0.embedding.vector": [0.1, 0.2],
            "llm.token_count.prompt": 5,
        },
    )
    span = one(captured)
    assert span.output is not None
    assert span.output.value == {"vectors": 1, "dimensions": 2}
    assert (span.usage[0].input_tokens, span.usage[0].model) == (5, "small")
    assert span.attributes["gen_ai.operation.name"] == "embeddings"
    assert "vector" not in str(span.attributes)


@pytest.mark.parametrize("never", [-1, True, "7", float("nan"), float("inf"), 1 << 70])
def test_what_is_no_count_is_no_usage(never: Any) -> None:
    assert usage_of({"gen_ai.usage.input_tokens": never, "gen_ai.usage.output_tokens": 7}) == {"output_tokens": 7}


def test_cached_tokens_that_are_counted_apart_are_added() -> None:
    attributes = {
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.cache_read_input_tokens": 1000,
        "gen_ai.usage.cache_creation_input_tokens": 200,
    }
    assert usage_of(attributes)["input_tokens"] == 1203


def test_what_bedrock_s_instrumentation_counts_apart_is_added_even_where_it_is_less_than_the_input() -> None:
    attributes = {
        "gen_ai.usage.input_tokens": 500,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.total_tokens": 507,
        "gen_ai.usage.cache_read.input_tokens": 200,
        "gen_ai.usage.cache_creation.input_tokens": 100,
    }
    assert usage_of(attributes)["input_tokens"] == 500  # of any other one, these may be a part of the 500
    assert usage_of(attributes, "opentelemetry.instrumentation.bedrock")["input_tokens"] == 800


def test_the_scope_of_a_span_says_how_it_counts(captured: Captured, provider: TracerProvider) -> None:
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.usage.input_tokens": 500,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 200,
    }
    with reamon.instrument("opentelemetry", provider=provider):
        record(provider.get_tracer("opentelemetry.instrumentation.bedrock"), "chat", **told)
    (usage,) = one(captured).usage
    assert (usage.input_tokens, usage.cached_input_tokens) == (700, 200)


def test_thoughts_that_are_in_the_total_alone_are_output() -> None:
    attributes = {  # as OpenLLMetry tells it of Gemini
        "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 198,
        "gen_ai.usage.total_tokens": 623,
    }
    assert usage_of(attributes) == {"input_tokens": 20, "output_tokens": 603}


def test_details_of_pydantic_ai_are_read() -> None:
    attributes = {
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 90,
        "gen_ai.usage.cache_read.input_tokens": 300,
        "gen_ai.usage.details.cache_read_tokens": 300,
        "gen_ai.usage.details.input_audio_tokens": 400,
        "gen_ai.usage.details.cache_audio_read_tokens": 150,
        "gen_ai.usage.details.output_audio_tokens": 60,
        "gen_ai.usage.details.thoughts_tokens": 20,
        "gen_ai.usage.details.web_search_requests": 2,
        "gen_ai.usage.cache_creation.input_tokens": 90,
        "gen_ai.usage.details.ephemeral_1h_input_tokens": 70,
    }
    assert usage_of(attributes) == {
        "input_tokens": 1000,
        "output_tokens": 90,
        "cached_input_tokens": 300,
        "cached_audio_tokens": 150,
        "input_audio_tokens": 400,
        "output_audio_tokens": 60,
        "reasoning_tokens": 20,
        "web_searches": 2,
        "cache_write_tokens": 90,
        "cache_write_1h_tokens": 70,
    }


def test_usage_is_priced(tracer: Tracer) -> None:
    rates = {"openai/gpt-4o-2024": {"input_tokens": "0.001", "output_tokens": "0.01"}}
    with capture_spans(collectors=[CostCollector(rates)]) as captured:
        record(tracer, "chat", **{name: value for name, value in GEN_AI.items() if "cache" not in name})
    assert sum(cost.amount or 0 for cost in one(captured).costs) == Decimal("0.3")


# -- tools, steps, errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": '{"slot": "Monday"}',
            "gen_ai.tool.call.result": "booked",
        },
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.input": '{"slot": "Monday"}',
            "traceloop.entity.output": "booked",
        },
        {"openinference.span.kind": "TOOL", "input.value": '{"slot": "Monday"}', "output.value": "booked"},
    ],
)
def test_a_tool_has_its_arguments_and_its_result(
    captured: Captured, tracer: Tracer, attributes: dict[str, str]
) -> None:
    record(tracer, "book", **attributes)
    span = one(captured)
    assert span.input is not None
    assert span.output is not None
    assert (span.input.value, span.output.value) == ({"slot": "Monday"}, "booked")


def test_documents_that_were_found(captured: Captured, tracer: Tracer) -> None:
    record(
        tracer,
        "search",
        **{
            "openinference.span.kind": "RETRIEVER",
            "input.value": "house",
            "retrieval.documents.1.document.content": "two",
            "retrieval.documents.0.document.content": "one",
            "retrieval.documents.0.document.score": 0.5,
        },
    )
    span = one(captured)
    assert span.output is not None
    assert span.output.value == [{"content": "one", "score": 0.5}, {"content": "two"}]


def test_an_error_without_an_exception(captured: Captured, tracer: Tracer) -> None:
    span = tracer.start_span("GET", attributes={"error.type": "503"})
    span.set_status(StatusCode.ERROR, "busy")
    span.end()
    taken = one(captured)
    assert taken.error is not None
    assert (taken.status, taken.error.type, taken.error.message) == ("error", "503", "busy")


def test_an_exception_that_was_dealt_with_is_an_event(captured: Captured, tracer: Tracer) -> None:
    span = tracer.start_span("retries")
    span.record_exception(ValueError("no"))
    span.end()
    taken = one(captured)
    assert (taken.status, taken.error, [event.name for event in taken.events]) == ("ok", None, ["exception"])


def test_a_cancellation_is_one(captured: Captured, tracer: Tracer) -> None:
    span = tracer.start_span("work")
    span.add_event("exception", {"exception.type": "asyncio.exceptions.CancelledError"})
    span.set_status(StatusCode.ERROR)
    span.end()
    assert one(captured).status == "cancelled"
