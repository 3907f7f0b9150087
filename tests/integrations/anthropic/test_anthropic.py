"""`instrument("anthropic")`: what its clients ask and are answered, whichever method is called."""

import gc
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

import reamon
from reamon.model import Usage
from reamon.testing import Captured, capture_spans
from support.model_calls import MESSAGES, asked, model_calls, output, the_call, usage
from support.model_servers import AnthropicServer

HELLO = {"role": "assistant", "content": [{"type": "text", "text": "Hello from the model"}]}
ASKED: Any = {"model": "claude-x", "max_tokens": 99, "messages": MESSAGES}
TOOLS: Any = [{"name": "book", "description": "Book a slot", "input_schema": {"type": "object", "properties": {}}}]
COUNTED = {
    "input_tokens": 20,
    "cached_input_tokens": 8,
    "cache_write_tokens": 3,
    "cache_write_1h_tokens": 2,
    "output_tokens": 7,
    "web_searches": 1,
}


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def client(server: AnthropicServer) -> Iterator[anthropic.Anthropic]:
    http = anthropic.DefaultHttpxClient(verify=False)  # reading certificates takes longer than the test
    with anthropic.Anthropic(base_url=server.url, api_key="test", http_client=http) as client:
        yield client


@pytest.fixture
def captured(server: AnthropicServer, client: anthropic.Anthropic) -> Iterator[Captured]:
    """Instrumented after the client was made."""
    with reamon.instrument("anthropic", providers={"127.0.0.1": "anthropic"}), capture_spans() as captured:
        yield captured


def begin(stream: Any) -> None:
    """Read up to the first word."""
    for event in stream:
        if event.type == "content_block_delta" and event.delta.text:
            return


def test_a_message_is_recorded_with_request_answer_and_usage(client: anthropic.Anthropic, captured: Captured) -> None:
    answer = client.messages.create(
        **ASKED, system="be brief", stop_sequences=["END"], extra_body={"temperature": 0.5, "top_k": 3}
    )
    call = the_call(captured)
    assert type(answer) is anthropic.types.Message
    assert asked(call) == {"system": "be brief", "messages": MESSAGES}
    assert output(call) == HELLO
    assert usage(call) == {"provider": "anthropic", "model": "claude-x-2026", "requests": 1, **COUNTED}
    assert call.attributes.pop("reamon.tokens_per_second") > 0
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-x",
        "gen_ai.request.max_tokens": 99,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_k": 3,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.response.model": "claude-x-2026",
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.finish_reasons": ["end_turn"],
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.cache_creation.input_tokens": 3,
        "reamon.call": "logical",
    }


def test_tool_calls_are_output_streamed_or_not(client: anthropic.Anthropic, captured: Captured) -> None:
    client.messages.create(**ASKED, tools=TOOLS)
    list(client.messages.create(**ASKED, tools=TOOLS, stream=True))
    tool_use = {"type": "tool_use", "id": "toolu_1", "name": "book", "input": {"slot": "Monday"}}
    for call in model_calls(captured):
        assert asked(call)["tools"] == TOOLS
        assert output(call) == {"role": "assistant", "content": [tool_use]}
        assert call.attributes["gen_ai.response.finish_reasons"] == ["tool_use"]


def test_streams_are_recorded_and_are_what_the_client_made(client: anthropic.Anthropic, captured: Captured) -> None:
    stream = client.messages.create(**ASKED, stream=True)
    assert type(stream) is anthropic.Stream
    list(stream)
    with client.messages.stream(**ASKED) as helper:
        assert type(helper) is anthropic.MessageStream
        assert "".join(helper.text_stream) == "Hello from the model"
        assert helper.get_final_message().usage.output_tokens == 7
    for call in model_calls(captured):
        assert (call.status, output(call)) == ("ok", HELLO)
        assert usage(call) == {"provider": "anthropic", "model": "claude-x-2026", "requests": 1, **COUNTED}
        assert call.first_token_ns is not None


async def test_the_asynchronous_client_is_recorded_alike(server: AnthropicServer, captured: Captured) -> None:
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key="test") as client:
        await client.messages.create(**ASKED)
        async for _ in await client.messages.create(**ASKED, stream=True):
            pass
        async with client.messages.stream(**ASKED) as stream:
            await stream.get_final_message()
    assert [(output(call), call.status) for call in model_calls(captured)] == [(HELLO, "ok")] * 3


def test_beta_messages_and_raw_responses_are_recorded(client: anthropic.Anthropic, captured: Captured) -> None:
    client.beta.messages.create(**ASKED)
    assert client.messages.with_raw_response.create(**ASKED).parse().stop_reason == "end_turn"
    with client.messages.with_streaming_response.create(**ASKED) as response:
        response.read()
    assert [output(call) for call in model_calls(captured)] == [HELLO] * 3


def test_counting_tokens_is_no_model_call(client: anthropic.Anthropic, captured: Captured) -> None:
    counting: Any = client.messages if hasattr(client.messages, "count_tokens") else client.beta.messages
    assert counting.count_tokens(model="claude-x", messages=MESSAGES).input_tokens == 9
    assert captured.spans == []


def test_an_abandoned_stream_has_the_input_that_is_known_and_no_output(
    server: AnthropicServer, client: anthropic.Anthropic, captured: Captured
) -> None:
    server.hold_after = 5
    with client.messages.create(**ASKED, stream=True) as stream:
        begin(stream)
    with client.messages.stream(**ASKED) as helper:
        begin(helper)
    for call in model_calls(captured):
        assert (call.status, output(call)) == (
            "ok",
            {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        )
        assert usage(call)["input_tokens"] == 20
        assert "output_tokens" not in usage(call)


def test_a_stream_that_is_thrown_away_ends_when_it_is_collected(
    server: AnthropicServer, client: anthropic.Anthropic, captured: Captured
) -> None:
    server.hold_after = 5
    begin(client.messages.create(**ASKED, stream=True))
    gc.collect()
    assert the_call(captured).status == "ok"


def test_retries_are_counted(server: AnthropicServer, client: anthropic.Anthropic, captured: Captured) -> None:
    server.fail(2, status=529)
    client.messages.create(**ASKED)
    call = the_call(captured)
    assert (call.attributes["reamon.retries"], usage(call)["requests"]) == (2, 3)
    assert [event.attributes["after"] for event in call.events] == [529, 529]


def test_errors_are_recorded_and_passed_through(
    server: AnthropicServer, client: anthropic.Anthropic, captured: Captured
) -> None:
    server.fail(1, status=400)
    with pytest.raises(anthropic.BadRequestError, match="failed on demand"):
        client.messages.create(**ASKED)
    server.error_after = 2
    with pytest.raises(anthropic.APIStatusError, match="failed on demand"):
        list(client.messages.create(**ASKED, stream=True))
    refused, broken = model_calls(captured)
    assert (refused.status, broken.status) == ("error", "error")
    assert broken.error is not None
    assert "failed on demand" in broken.error.message
    assert output(broken)["content"] == [{"type": "text", "text": "Hello"}]


BESIDE = [
    {"type": "message", "input_tokens": 9, "output_tokens": 7},
    {
        "type": "compaction",
        "input_tokens": 500,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 10},
        "output_tokens": 30,
    },
    {"type": "advisor_message", "model": "claude-wise", "input_tokens": 90, "output_tokens": 40},
]


@pytest.mark.parametrize("streams", [False, True])
def test_what_anthropic_bills_beside_the_usage_is_billed(
    server: AnthropicServer, client: anthropic.Anthropic, captured: Captured, streams: bool
) -> None:
    server.speed, server.iterations = "fast", BESIDE
    if streams:
        list(client.messages.create(**ASKED, stream=True))
    else:
        client.messages.create(**ASKED)
    call = the_call(captured)
    own, advice = call.usage
    # 9 + 8 + 3 of its own, 500 + 100 + 50 to compact the context
    assert (own.model, own.input_tokens, own.output_tokens) == ("claude-x-2026", 670, 37)
    assert (own.cached_input_tokens, own.cache_write_tokens, own.cache_write_1h_tokens) == (108, 53, 12)
    assert own.requests == 1
    assert advice == Usage(provider="anthropic", model="claude-wise", input_tokens=90, output_tokens=40)
    assert call.attributes["anthropic.response.speed"] == "fast"
