"""The Responses API of the openai client."""

from typing import Any

import openai
import pytest
from pydantic import BaseModel

from reamon.testing import Captured
from support.model_calls import asked, model_calls, output, the_call, usage
from support.model_servers import OpenAIServer


class City(BaseModel):
    """What a parsed answer is."""

    city: str


def test_responses_are_recorded(client: openai.OpenAI, captured: Captured) -> None:
    answer = client.responses.create(model="gpt-x", input="hi", instructions="be brief", max_output_tokens=9)
    assert client.responses.parse(model="gpt-x", input="hi", text_format=City).output_parsed == City(city="Graz")
    call, parsed = model_calls(captured)
    assert asked(call) == {"instructions": "be brief", "input": "hi"}
    assert output(call)[0]["content"][0]["text"] == answer.output_text
    assert usage(call) == {
        "provider": "vllm",
        "model": "gpt-x-2026",
        "input_tokens": 20,
        "output_tokens": 7,
        "cached_input_tokens": 8,
        "cache_write_tokens": 0,
        "reasoning_tokens": 3,
        "requests": 1,
    }
    assert call.attributes["gen_ai.response.finish_reasons"] == ["completed"]
    assert output(parsed)[0]["content"][0]["text"] == '{"city": "Graz"}'


def test_streams_of_responses_are_recorded(client: openai.OpenAI, captured: Captured) -> None:
    list(client.responses.create(model="gpt-x", input="hi", stream=True))
    with client.responses.stream(model="gpt-x", input="hi") as stream:
        stream.until_done()
    for call in model_calls(captured):
        assert output(call)[0]["content"][0]["text"] == "Hello from the model"
        assert usage(call)["output_tokens"] == 7
        assert call.first_token_ns is not None


SEARCHES = [
    {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "Graz"}},
    {"id": "ws_2", "type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "/"}},
    {"id": "ws_3", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "Linz"}},
]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("told", "searches"), [({}, 2), ({"web_search": {"num_requests": 3}}, 3)])
def test_searches_of_the_web_are_counted_which_its_usage_does_not_have(
    server: OpenAIServer,
    client: openai.OpenAI,
    captured: Captured,
    streams: bool,
    told: dict[str, Any],
    searches: int,
) -> None:
    server.searches, server.tool_usage = SEARCHES, told
    answer = client.responses.create(model="gpt-x", input="hi", stream=streams)
    if streams:
        list(answer)
    assert usage(the_call(captured))["web_searches"] == searches


@pytest.mark.current_sdk
def test_a_compaction_is_a_call_too(server: OpenAIServer, client: openai.OpenAI, captured: Captured) -> None:
    client.responses.compact(model="gpt-x", input="hi")
    told = usage(the_call(captured))
    assert (told["model"], told["input_tokens"], told["output_tokens"]) == ("gpt-x", 20, 7)


def test_an_abandoned_stream_of_responses_has_what_had_come(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.hold_after = 5
    with client.responses.create(model="gpt-x", input="hi", stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta" and event.delta:
                break
    call = the_call(captured)
    assert output(call)[0]["content"] == [{"type": "output_text", "text": "Hello"}]
    assert (call.status, call.usage) == ("ok", ())
