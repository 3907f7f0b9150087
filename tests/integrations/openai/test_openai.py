"""`instrument("openai")`: what its clients ask and are answered, whichever method is called."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import openai
import pytest
from pydantic import BaseModel

import reamon
from reamon.collectors import PriceBook
from reamon.errors import ConfigurationError
from reamon.integrations.openai.answers import usage_of
from reamon.model import Usage
from reamon.testing import Captured, capture_spans
from support.model_calls import MESSAGES, TOOLS, asked, model_calls, output, the_call, usage
from support.model_servers import OpenAIServer

HELLO = {"role": "assistant", "content": "Hello from the model"}
COUNTED = {
    "input_tokens": 20,
    "output_tokens": 7,
    "cached_input_tokens": 8,
    "reasoning_tokens": 3,
    "input_audio_tokens": 0,
    "output_audio_tokens": 0,
}


class City(BaseModel):
    """What a parsed answer is."""

    city: str


def test_a_chat_is_recorded_with_request_answer_and_usage(client: openai.OpenAI, captured: Captured) -> None:
    answer = client.chat.completions.create(
        model="gpt-x",
        messages=MESSAGES,
        temperature=0.5,
        max_completion_tokens=9,
        stop="END",
        seed=7,
        presence_penalty=1,
    )
    call = the_call(captured)
    assert type(answer) is openai.types.chat.ChatCompletion
    assert (call.name, call.status, asked(call), output(call)) == ("chat", "ok", {"messages": MESSAGES}, HELLO)
    assert usage(call) == {"provider": "vllm", "model": "gpt-x-2026", "requests": 1, **COUNTED}
    assert call.attributes.pop("reamon.tokens_per_second") > 0
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.seed": 7,
        "gen_ai.request.presence_penalty": 1,
        "gen_ai.response.model": "gpt-x-2026",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.reasoning.output_tokens": 3,
        "reamon.call": "logical",
    }


def test_tools_and_tool_calls_are_input_and_output(client: openai.OpenAI, captured: Captured) -> None:
    client.chat.completions.create(model="gpt-x", messages=MESSAGES, tools=TOOLS)
    list(client.chat.completions.create(model="gpt-x", messages=MESSAGES, tools=TOOLS, stream=True))
    tool_call = {"id": "call_1", "type": "function", "function": {"name": "book", "arguments": '{"slot": "Monday"}'}}
    for call in model_calls(captured):
        assert asked(call) == {"messages": MESSAGES, "tools": TOOLS}
        assert output(call) == {"role": "assistant", "tool_calls": [tool_call]}
        assert call.attributes["gen_ai.response.finish_reasons"] == ["tool_calls"]


def test_several_choices_are_a_list(client: openai.OpenAI, captured: Captured) -> None:
    client.chat.completions.create(model="gpt-x", messages=MESSAGES, n=2)
    assert output(the_call(captured)) == [HELLO, HELLO]
    assert the_call(captured).attributes["gen_ai.request.choice.count"] == 2


async def test_the_asynchronous_client_is_recorded_alike(server: OpenAIServer, captured: Captured) -> None:
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="test") as client:
        await client.chat.completions.create(model="gpt-x", messages=MESSAGES)
        stream = await client.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True)
        assert [chunk async for chunk in stream]
    assert [(output(call), call.status) for call in model_calls(captured)] == [(HELLO, "ok")] * 2


def test_other_methods_of_a_chat_are_the_same_call(client: openai.OpenAI, captured: Captured) -> None:
    chat: Any = client.chat.completions if hasattr(client.chat.completions, "parse") else client.beta.chat.completions
    assert chat.parse(model="gpt-x", messages=MESSAGES, response_format=City).choices[0].message.parsed == City(
        city="Graz"
    )
    with chat.stream(model="gpt-x", messages=MESSAGES) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Hello from the model"
    parsed, streamed = model_calls(captured)
    assert output(parsed) == {"role": "assistant", "content": '{"city": "Graz"}'}
    assert parsed.attributes["gen_ai.request.response_format"]["type"] == "json_schema"
    assert output(streamed) == HELLO


async def test_an_asynchronous_stream_helper_is_recorded(server: OpenAIServer, captured: Captured) -> None:
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="test") as client:
        chat: Any = (
            client.chat.completions if hasattr(client.chat.completions, "stream") else client.beta.chat.completions
        )
        async with chat.stream(model="gpt-x", messages=MESSAGES) as stream:
            assert (await stream.get_final_completion()).choices[0].message.content == "Hello from the model"
    assert output(the_call(captured)) == HELLO


def test_raw_and_streaming_responses_work_as_ever_and_are_recorded(client: openai.OpenAI, captured: Captured) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-x", messages=MESSAGES)
    assert raw.parse().choices[0].message.content == "Hello from the model"
    raw_stream = client.chat.completions.with_raw_response.create(model="gpt-x", messages=MESSAGES, stream=True)
    assert len(list(raw_stream.parse())) == 6
    streaming = client.chat.completions.with_streaming_response
    with streaming.create(model="gpt-x", messages=MESSAGES) as response:
        assert b"Hello" in response.read()
    with streaming.create(model="gpt-x", messages=MESSAGES, stream=True) as response:
        assert len([line for line in response.iter_lines() if line]) == 7
    assert [(output(call), call.status) for call in model_calls(captured)] == [(HELLO, "ok")] * 4


def test_legacy_completions_are_recorded(client: openai.OpenAI, captured: Captured) -> None:
    client.completions.create(model="gpt-x", prompt="hi")
    list(client.completions.create(model="gpt-x", prompt="hi", stream=True))
    for call in model_calls(captured):
        assert (call.name, asked(call), output(call)) == ("text_completion", {"prompt": "hi"}, "Hello from the model")


def test_embeddings_are_recorded_by_number_and_size(client: openai.OpenAI, captured: Captured) -> None:
    client.embeddings.create(model="embed-x", input=["a", "b"])
    client.embeddings.create(model="embed-x", input="a", encoding_format="float")
    base64, floats = model_calls(captured)
    assert output(base64) == {"embeddings": 2, "dimensions": 3}
    assert output(floats) == {"embeddings": 1, "dimensions": 3}
    assert usage(floats) == {"provider": "vllm", "model": "embed-x", "input_tokens": 5, "requests": 1}


def test_other_requests_are_left_alone(client: openai.OpenAI, captured: Captured) -> None:
    client.post("/responses/input_tokens", body={"model": "gpt-x", "input": "hi"}, cast_to=object)
    assert captured.spans == []


def test_a_request_by_hand_is_a_model_call_too(client: openai.OpenAI, captured: Captured) -> None:
    client.post("/chat/completions", body={"model": "gpt-x", "messages": MESSAGES}, cast_to=object)
    assert output(the_call(captured)) == HELLO


def test_the_azure_client_is_recorded(server: OpenAIServer, captured: Captured) -> None:
    azure = openai.AzureOpenAI(azure_endpoint=server.url, api_key="test", api_version="2026-01-01")
    with azure:
        azure.chat.completions.create(model="deployment", messages=MESSAGES)
    call = the_call(captured)
    assert (output(call), call.attributes["gen_ai.request.model"]) == (HELLO, "deployment")


def test_retries_are_counted_and_seen(server: OpenAIServer, client: openai.OpenAI, captured: Captured) -> None:
    server.fail(1, status=503)
    server.fail(1, status=None)
    client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    call = the_call(captured)
    assert call.attributes["reamon.retries"] == 2
    assert usage(call)["requests"] == 3
    first, second = call.events
    assert (first.name, first.attributes["attempt"], first.attributes["after"]) == ("retry", 2, 503)
    assert (second.name, second.attributes["attempt"], second.attributes["status"]) == ("retry", 3, 200)
    assert second.attributes["after"] == "RemoteProtocolError"


def test_an_error_is_recorded_and_passed_through(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.fail(3, status=500)
    with pytest.raises(openai.InternalServerError, match="failed on demand") as raised:
        client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    call = the_call(captured)
    assert raised.traceback[-1].name in ("request", "_request")
    assert (call.status, call.usage, call.attributes["reamon.retries"]) == ("error", (), 2)
    assert call.error is not None
    assert call.error.type.endswith("InternalServerError")


def test_a_timeout_is_recorded(server: OpenAIServer, client: openai.OpenAI, captured: Captured) -> None:
    server.hold_after = 0
    stream = client.with_options(timeout=0.05).chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True)
    with pytest.raises(Exception, match="timed out"):
        list(stream)
    del stream
    call = the_call(captured)
    assert call.status == "error"
    assert call.error is not None
    assert "Timeout" in call.error.type


async def test_a_cancelled_call_is_cancelled(server: OpenAIServer, captured: Captured) -> None:
    server.hold_after = 2
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="test") as client:

        async def consume() -> None:
            stream = await client.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True)
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    begun.set()

        begun = asyncio.Event()
        task = asyncio.create_task(consume())
        await begun.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
    call = the_call(captured)
    assert (call.status, output(call)) == ("cancelled", {"role": "assistant", "content": "Hello"})


def test_searches_of_the_web_that_a_provider_counts_are_told() -> None:
    assert usage_of({"prompt_tokens": 5, "completion_tokens": 7, "num_search_queries": 3})["web_searches"] == 3


XAI = {  # 32 + 9 + 291 = 332: reasoning is beside the output
    "prompt_tokens": 32,
    "completion_tokens": 9,
    "total_tokens": 332,
    "prompt_tokens_details": {"text_tokens": 32, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 291, "audio_tokens": 0},
}
GEMINI = {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}
PERPLEXITY = {
    "prompt_tokens": 33,
    "completion_tokens": 7163,
    "total_tokens": 7196,
    "citation_tokens": 20016,
    "reasoning_tokens": 73997,
    "num_search_queries": 18,
}


@pytest.mark.parametrize(
    ("told", "model", "expected"),
    [
        (XAI, "grok-4", {"input_tokens": 32, "cached_input_tokens": 6, "output_tokens": 300, "reasoning_tokens": 291}),
        (GEMINI, "gemini-2.5-flash", {"input_tokens": 20, "output_tokens": 603}),
        (
            PERPLEXITY,
            "sonar-deep-research",
            {"input_tokens": 20049, "output_tokens": 81160, "reasoning_tokens": 73997, "web_searches": 18},
        ),
        ({"prompt_tokens": 5.0, "total_tokens": 5}, "small", {"input_tokens": 5}),
    ],
)
def test_others_who_answer_in_this_shape_count_in_their_own_way(
    told: dict[str, Any], model: str, expected: dict[str, int]
) -> None:
    counted = usage_of(told, model)
    assert {name: counted.get(name) for name in expected} == expected


def test_deep_research_costs_what_it_costs() -> None:
    usage = Usage(provider="perplexity", model="sonar-deep-research", **usage_of(PERPLEXITY))
    costs = PriceBook().price(usage, at=date(2026, 11, 1))
    # $2 for a million read (prompt and citations), $8 written, $3 thought, $5 for a thousand searches
    expected = 20049 * 2 + 7163 * 8 + 73997 * 3 + 18 * 5000
    assert sum(cost.amount or 0 for cost in costs) == Decimal(expected) / 1_000_000


def test_usage_that_is_absent_is_unknown(server: OpenAIServer, client: openai.OpenAI, captured: Captured) -> None:
    server.says_usage = False
    client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    call = the_call(captured)
    assert call.usage == ()
    assert not [name for name in call.attributes if "usage" in name]


def test_an_address_that_nobody_knows_is_its_own_provider(server: OpenAIServer, client: openai.OpenAI) -> None:
    with reamon.instrument("openai"), capture_spans() as captured:
        client.chat.completions.create(model="gpt-x", messages=MESSAGES)
        assert the_call(captured).attributes["gen_ai.provider.name"] == server.address


def test_nothing_is_recorded_where_nothing_is_configured_or_all_is_suppressed(
    client: openai.OpenAI, captured: Captured
) -> None:
    with reamon.suppress():
        client.chat.completions.create(model="gpt-x", messages=MESSAGES)
        list(client.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True))
    assert captured.spans == []


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="providers="):
        reamon.instrument("openai", providers=["vllm"])
    with pytest.raises(ConfigurationError, match="colour"):
        reamon.instrument("openai", colour="blue")
