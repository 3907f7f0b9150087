"""Streams of the openai client: what the application gets is what the client made, and the span ends with it."""

import asyncio
import gc
import threading

import openai
import pytest

import reamon
from reamon.testing import Captured
from support.model_calls import MESSAGES, model_calls, output, the_call, usage
from support.model_servers import OpenAIServer

HELLO = {"role": "assistant", "content": "Hello from the model"}


def streamed(client: openai.OpenAI, **more: object) -> openai.Stream:
    """A stream, as an application asks for one."""
    return client.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True, **more)  # type: ignore[call-overload]


def begin(stream: openai.Stream) -> None:
    """Read up to the first word."""
    for chunk in stream:
        if chunk.choices[0].delta.content:
            return


def test_the_stream_is_the_one_that_the_client_made(client: openai.OpenAI, captured: Captured) -> None:
    stream = streamed(client)
    assert type(stream) is openai.Stream
    assert stream.response.status_code == 200
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert len(list(stream)) == 6
    assert stream.response.is_closed
    assert stream.response.num_bytes_downloaded > 0
    assert output(the_call(captured)) == HELLO


def test_usage_is_that_of_the_last_chunk_if_the_application_asked_for_it(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    list(streamed(client))
    list(streamed(client, stream_options={"include_usage": True}))
    without, with_usage = model_calls(captured)
    assert without.usage == ()
    assert usage(with_usage)["input_tokens"] == 20
    assert [request.get("stream_options") for request in server.requests] == [None, {"include_usage": True}]


def test_the_first_token_is_the_first_that_says_something(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.hold_after = 1
    stream = streamed(client)
    assert next(stream).choices[0].delta.content == ""
    call_started = threading.Timer(0.05, server.go_on)
    call_started.start()
    list(stream)
    call = the_call(captured)
    assert call.first_token_ns is not None
    assert call.first_token_ns > 40_000_000


def test_the_span_of_a_stream_is_never_current_in_its_consumer(client: openai.OpenAI, captured: Captured) -> None:
    with reamon.trace_agent("writer") as agent:
        for _ in streamed(client):
            assert reamon.current_span() is agent
            with reamon.trace_tool("print"):
                pass
    call = the_call(captured)
    assert call.parent_id == agent.span_id
    assert {span.parent_id for span in captured.spans if span.name == "print"} == {agent.span_id}


def test_a_stream_that_is_closed_early_ends_with_what_had_come(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.hold_after = 2
    with streamed(client) as stream:
        begin(stream)
        assert captured.spans == []
    call = the_call(captured)
    assert (call.status, output(call), call.usage) == ("ok", {"role": "assistant", "content": "Hello"}, ())


def test_a_stream_that_is_thrown_away_ends_when_it_is_collected(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.hold_after = 2
    begin(streamed(client))
    gc.collect()
    assert (the_call(captured).status, output(the_call(captured))) == ("ok", {"role": "assistant", "content": "Hello"})


def test_a_stream_that_nobody_reads_ends_when_it_is_collected(client: openai.OpenAI, captured: Captured) -> None:
    streamed(client)
    gc.collect()
    assert (the_call(captured).status, output(the_call(captured))) == ("ok", None)


async def test_an_asynchronous_stream_that_is_thrown_away_ends(server: OpenAIServer, captured: Captured) -> None:
    server.hold_after = 2
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="test") as client:

        async def begin_only() -> None:
            stream = await client.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True)
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    return

        await begin_only()
        gc.collect()
        await asyncio.sleep(0.05)
        gc.collect()
    assert (the_call(captured).status, output(the_call(captured))) == ("ok", {"role": "assistant", "content": "Hello"})


def test_an_error_of_the_consumer_is_not_the_stream_s(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.hold_after = 2

    def consume() -> None:
        with streamed(client) as stream:
            begin(stream)
            raise LookupError("the consumer's own")

    with pytest.raises(LookupError):
        consume()
    assert the_call(captured).status == "ok"


def test_a_stream_that_is_cut_is_an_error_with_what_had_come(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.cut_after = 3
    with pytest.raises(Exception, match=r"closed|Connection error") as raised:
        list(streamed(client))
    call = the_call(captured)
    assert call.error is not None
    cause = raised.value.__cause__ or raised.value  # today's client wraps the HTTP client's error, older ones do not
    assert call.error.type.rpartition(".")[2] == type(cause).__name__ == "RemoteProtocolError"
    assert (call.status, output(call)) == ("error", {"role": "assistant", "content": "Hello from"})


def test_an_error_in_the_middle_of_a_stream_is_recorded(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.error_after = 2
    with pytest.raises(openai.APIError, match="failed on demand"):
        list(streamed(client))
    call = the_call(captured)
    assert call.error is not None
    assert "failed on demand" in call.error.message
    assert (call.status, output(call)) == ("error", {"role": "assistant", "content": "Hello"})


def test_a_stream_without_its_last_word_ends_with_the_body(
    server: OpenAIServer, client: openai.OpenAI, captured: Captured
) -> None:
    server.says_done = False
    list(streamed(client))
    assert output(the_call(captured)) == HELLO


def test_compressed_answers_are_read(server: OpenAIServer, client: openai.OpenAI, captured: Captured) -> None:
    server.encoding = "gzip"
    list(streamed(client))
    client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    with client.chat.completions.with_streaming_response.create(model="gpt-x", messages=MESSAGES) as response:
        response.read()
    assert [output(call) for call in model_calls(captured)] == [HELLO] * 3


def test_a_stream_may_be_read_in_another_thread(client: openai.OpenAI, captured: Captured) -> None:
    with reamon.trace_agent("writer"):
        thread = threading.Thread(target=list, args=(streamed(client),))
        thread.start()
        thread.join()
    assert output(the_call(captured)) == HELLO


def test_streams_side_by_side_are_kept_apart(server: OpenAIServer, client: openai.OpenAI, captured: Captured) -> None:
    first, second = streamed(client), streamed(client)
    begin(first)
    list(second)
    list(first)
    assert [(output(call), call.status) for call in model_calls(captured)] == [(HELLO, "ok")] * 2


def test_a_stream_that_outlives_the_recording_goes_on(client: openai.OpenAI, captured: Captured) -> None:
    stream = streamed(client)
    begin(stream)
    reamon.shutdown()
    reamon.uninstrument("openai")
    assert [chunk.choices[0].delta.content for chunk in stream] == [" from", " the", " model", None]
