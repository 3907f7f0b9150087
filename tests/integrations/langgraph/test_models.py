"""Chat models, completion models, tools and retrievers that run on langchain-core."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM, GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation, LLMResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

import reamon
from reamon.collectors import CostCollector
from reamon.integrations.langgraph.messages import answer_of
from reamon.model import Span
from reamon.testing import Captured, capture_spans
from support.trees import tree

USAGE = {
    "input_tokens": 20,
    "output_tokens": 7,
    "total_tokens": 27,
    "input_token_details": {"cache_read": 4},
    "output_token_details": {"reasoning": 3},
}


class Model(GenericFakeChatModel):
    """A chat model that says what it is told to say, in pieces where it is streamed."""

    model: str = "parrot-1"

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {"ls_provider": "aviary", "ls_model_name": self.model, "ls_temperature": 0.2}

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        reamon.current_span().set_attribute("seen_inside", True)
        return super()._generate(*args, **kwargs)


class Billed(Model):
    """One that somebody bills."""

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {"ls_provider": "openai", "ls_model_name": "gpt-5"}


class Streaming(Model):
    """One whose first token is empty, and whose last one carries the usage."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield from (ChatGenerationChunk(message=AIMessageChunk(text)) for text in ("", "Good", " morning"))
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=USAGE))

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream():
            yield chunk


def says(*messages: AIMessage, **fields: Any) -> Model:
    """A model that answers these."""
    return Model(messages=iter(messages), **fields)


def answered(text: str = "hello", **fields: Any) -> AIMessage:
    """An answer with its usage."""
    said = {"model_name": "parrot-1-2026", "finish_reason": "stop"}
    return AIMessage(text, usage_metadata=USAGE, response_metadata=said, **fields)  # type: ignore[arg-type]


def the_call(captured: Captured) -> Span:
    """The one model call."""
    (call,) = [span for span in captured.spans if span.kind == "llm"]
    return call


async def test_a_model_call_is_told_with_its_model_its_messages_and_its_usage(captured: Captured) -> None:
    await says(answered()).ainvoke([HumanMessage("good morning")])
    call = the_call(captured)
    assert call.input is not None
    assert call.output is not None
    assert call.input.value == {"messages": [{"role": "human", "content": "good morning"}]}
    assert call.output.value == {"role": "ai", "content": "hello"}
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aviary",
        "gen_ai.request.model": "parrot-1",
        "gen_ai.response.model": "parrot-1-2026",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 4,
    }
    assert (
        expected.items() <= call.attributes.items() or {key: call.attributes.get(key) for key in expected} == expected
    )
    (usage,) = call.usage
    assert (usage.provider, usage.model, usage.input_tokens, usage.output_tokens) == ("aviary", "parrot-1-2026", 20, 7)
    assert (usage.cached_input_tokens, usage.reasoning_tokens) == (4, 3)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_the_call_is_current_inside_of_the_model_and_no_longer_afterwards(captured: Captured, way: str) -> None:
    with reamon.trace_step("outside") as outside:
        if way == "invoke":
            says(answered()).invoke("hello")
        else:
            await says(answered()).ainvoke("hello")
        assert reamon.current_span() is outside
    assert the_call(captured).attributes["seen_inside"] is True


async def test_cache_writes_that_are_told_by_their_lifetime_are_one_sum_with_a_part(captured: Captured) -> None:
    details = {"cache_read": 0, "cache_creation": 0, "ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 7}
    counted: Any = {**USAGE, "input_token_details": details}  # as langchain-anthropic tells it
    await says(AIMessage("hello", usage_metadata=counted)).ainvoke("hello")
    (usage,) = the_call(captured).usage
    assert (usage.input_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens) == (20, 12, 7)


@pytest.mark.parametrize("tier", ["flex", "priority"])
async def test_cache_and_reasoning_of_a_service_tier_are_not_lost(captured: Captured, tier: str) -> None:
    counted: Any = {  # as langchain-openai tells it: 1000 tokens, 400 of them cached; 50, 30 of them reasoning
        "input_tokens": 1000,
        "output_tokens": 50,
        "total_tokens": 1050,
        "input_token_details": {f"{tier}_cache_read": 400, f"{tier}_cache_creation": 100, tier: 600},
        "output_token_details": {f"{tier}_reasoning": 30, tier: 20},
    }
    metadata = {"service_tier": tier, "model_name": "gpt-5"}
    await says(AIMessage("hello", usage_metadata=counted, response_metadata=metadata)).ainvoke("hello")
    call = the_call(captured)
    (usage,) = call.usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens) == (1000, 400, 100)
    assert (usage.output_tokens, usage.reasoning_tokens) == (50, 30)
    assert call.attributes["gen_ai.response.service_tier"] == tier


async def test_a_service_tier_is_paid_at_its_price() -> None:
    counted: Any = {"input_tokens": 1_000_000, "output_tokens": 0, "total_tokens": 1_000_000}
    counted["input_token_details"] = {"flex_cache_read": 400_000, "flex": 600_000}
    rates = {"per": 1_000_000, "input_tokens": 1.25, "cached_input_tokens": 0.125, "service_tiers": {"flex": 0.5}}
    costs = CostCollector({"openai/gpt-5": rates})
    with reamon.instrument("langgraph"), capture_spans(collectors=[costs]) as captured:
        await Billed(messages=iter([AIMessage("hello", usage_metadata=counted)])).ainvoke("hello")
    # half of $1.25 and $0.125 for a million: 600,000 × 0.000000625 + 400,000 × 0.0000000625
    assert sum(cost.amount or 0 for cost in the_call(captured).costs) == Decimal("0.4")


async def test_thoughts_that_are_counted_beside_the_answer_are_output(captured: Captured) -> None:
    counted: Any = {  # as langchain-google-vertexai tells it
        "input_tokens": 20,
        "output_tokens": 198,
        "total_tokens": 623,
        "input_token_details": {"cache_read": 0},
        "output_token_details": {"reasoning": 405},
    }
    metadata = {"model_name": "gemini-2.5-flash"}
    await says(AIMessage("hello", usage_metadata=counted, response_metadata=metadata)).ainvoke("hello")
    (usage,) = the_call(captured).usage
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (20, 603, 405)


async def test_what_anthropic_bills_beside_the_usage_is_billed(captured: Captured) -> None:
    more = {
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "standard",
        "speed": "fast",
        "iterations": [
            {"type": "message", "input_tokens": 20, "output_tokens": 7},
            {"type": "compaction", "input_tokens": 500, "output_tokens": 30, "cache_read_input_tokens": 100},
            {"type": "advisor_message", "model": "claude-wise", "input_tokens": 90, "output_tokens": 40},
        ],
    }
    metadata = {"model_name": "claude-quick", "usage": more}
    await says(AIMessage("hello", usage_metadata=USAGE, response_metadata=metadata)).ainvoke("hello")  # type: ignore[arg-type]
    call = the_call(captured)
    own, advice = call.usage
    assert (own.model, own.input_tokens, own.cached_input_tokens, own.output_tokens) == ("claude-quick", 620, 104, 37)
    assert own.web_searches == 2
    assert (advice.model, advice.provider, advice.input_tokens, advice.output_tokens) == (
        "claude-wise",
        "aviary",
        90,
        40,
    )
    assert call.attributes["anthropic.response.speed"] == "fast"


SEARCH = {"type": "web_search_call", "action": {"type": "search", "query": "Graz"}}
OPENING = {"type": "web_search_call", "action": {"type": "open_page", "url": "/"}}


@pytest.mark.parametrize(
    "answer",
    [
        AIMessage([SEARCH, OPENING, {"type": "text", "text": "hello"}, SEARCH]),
        AIMessage("hello", additional_kwargs={"tool_outputs": [SEARCH, OPENING, SEARCH]}),
        AIMessage("hello", response_metadata={"num_search_queries": 2}),
    ],
)
def test_searches_of_the_web_are_counted_wherever_they_are_told(answer: AIMessage) -> None:
    assert answer_of(LLMResult(generations=[[ChatGeneration(message=answer)]])).usage == {"web_searches": 2}


async def test_what_ollama_counts_is_not_lost_where_it_does_not_count_the_prompt(captured: Captured) -> None:
    told = {"model": "llama3", "eval_count": 7, "prompt_eval_count": None}
    await says(AIMessage("hello", response_metadata=told)).ainvoke("hello")
    (usage,) = the_call(captured).usage
    assert (usage.input_tokens, usage.output_tokens) == (None, 7)


async def test_a_cache_that_only_the_provider_s_own_usage_tells_of_is_not_lost(captured: Captured) -> None:
    counted: Any = {"input_tokens": 20, "output_tokens": 7, "total_tokens": 27}
    own = {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27, "prompt_cache_hit_tokens": 16}
    await says(AIMessage("hello", usage_metadata=counted, response_metadata={"token_usage": own})).ainvoke("hello")
    (usage,) = the_call(captured).usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (20, 16, 7)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"prompt_tokens": 20, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 8}}, (20, 8, 7)),
        ({"input_tokens": 9, "output_tokens": 7, "cache_read_input_tokens": 8}, (17, 8, 7)),
        ({"prompt_tokens": 20, "completion_tokens": "many"}, (20, None, None)),
    ],
)
def test_a_model_that_knows_no_usage_metadata_may_tell_it_beside_the_answer(
    told: Any, expected: tuple[Any, ...]
) -> None:
    usage = answer_of(LLMResult(generations=[[Generation(text="hello")]], llm_output={"token_usage": told})).usage
    counts = tuple(usage.get(name) for name in ("input_tokens", "cached_input_tokens", "output_tokens"))
    assert counts == expected


@pytest.mark.parametrize("never", ["7", -7, True, 7.5, float("nan")])
async def test_what_is_no_count_takes_nothing_else_with_it(captured: Captured, never: Any) -> None:
    message = AIMessage("hello", usage_metadata=USAGE)  # type: ignore[arg-type]
    message.usage_metadata = {**USAGE, "output_tokens": never}  # type: ignore[typeddict-item]
    await says(message).ainvoke("hello")
    call = the_call(captured)
    (usage,) = call.usage
    assert (usage.input_tokens, usage.output_tokens) == (20, None)
    assert call.output is not None


async def test_absent_usage_is_unknown_and_not_zero(captured: Captured) -> None:
    await says(AIMessage("hello")).ainvoke("hello")
    assert the_call(captured).usage == ()


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_stream_is_one_call_with_its_first_token_and_its_usage_once(captured: Captured, way: str) -> None:
    model = Streaming(messages=iter(()))
    with reamon.trace_step("consumer") as consumer:
        if way == "stream":
            for _ in model.stream("hello"):
                assert reamon.current_span() is consumer
        else:
            async for _ in model.astream("hello"):
                assert reamon.current_span() is consumer
    call = the_call(captured)
    assert call.first_token_ns is not None
    assert [usage.input_tokens for usage in call.usage] == [20]
    assert call.output is not None
    assert call.output.value["content"] == "Good morning"


async def test_a_stream_that_is_abandoned_is_no_failure(captured: Captured) -> None:
    stream = Streaming(messages=iter(())).astream("hello")
    await anext(stream)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert the_call(captured).status == "ok"


async def test_a_call_that_fails_or_is_cancelled_says_so(captured: Captured) -> None:
    class Broken(Model):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
            await asyncio.sleep(60 if self.model == "slow" else 0)
            raise ConnectionError("no route")

    with pytest.raises(ConnectionError):
        await Broken(messages=iter(())).ainvoke("hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Broken(messages=iter(()), model="slow").ainvoke("hello"), 0.02)
    assert sorted(span.status for span in captured.spans) == ["cancelled", "error"]


async def test_what_the_cache_gives_is_marked_and_not_billed(captured: Captured) -> None:
    model = says(answered(), answered(), cache=InMemoryCache())
    for _ in range(2):
        await model.ainvoke("hello")
    first, second = sorted(captured.spans, key=lambda span: span.start_ns)
    assert (len(first.usage), first.attributes.get("reamon.cache_hit")) == (1, None)
    assert (second.usage, second.attributes["reamon.cache_hit"]) == ((), True)


async def test_costs_follow_the_usage() -> None:
    rates = {"aviary": {"input_tokens": "0.001", "output_tokens": "0.01"}}
    with reamon.instrument("langgraph"), capture_spans(collectors=[CostCollector(rates)]) as captured:
        await says(answered()).ainvoke("hello")
    assert [cost.amount for cost in the_call(captured).costs] == [Decimal("0.02"), Decimal("0.07")]


def test_a_completion_model_is_a_model_call_too(captured: Captured) -> None:
    FakeListLLM(responses=["hello"]).invoke("good morning")
    call = the_call(captured)
    assert (call.attributes["gen_ai.operation.name"], call.output and call.output.value) == (
        "text_completion",
        "hello",
    )


async def test_many_models_at_once_keep_apart(captured: Captured) -> None:
    async def one(number: int) -> None:
        with reamon.trace_step(f"step {number}"):
            await says(answered()).ainvoke("hello")

    await asyncio.gather(*(one(number) for number in range(20)))
    assert tree(captured.spans).count("\n  llm Model") == 20


async def test_a_chain_is_told_with_all_of_its_parts(captured: Captured) -> None:
    chain = RunnableLambda(lambda text: f"say {text}").with_config(run_name="prompt") | says(answered())
    await chain.ainvoke("hello", {"run_name": "greet", "tags": ["blue"], "metadata": {"tenant": "acme"}})
    assert tree(captured.spans) == "workflow greet\n  step prompt\n  llm Model"
    root = next(span for span in captured.spans if span.is_root)
    assert (root.tags, root.attributes["tenant"]) == (("blue",), "acme")


@tool
def look_up(name: str) -> str:
    """Look up a lead."""
    if name == "nobody":
        raise LookupError("no such lead")
    if name == "interesting":
        dispatch_custom_event("found", {"name": name})
    with reamon.trace_step("inside"):
        return f"{name}: 3 rooms"


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_tool_is_current_while_it_runs(captured: Captured, way: str) -> None:
    with reamon.trace_step("outside") as outside:
        if way == "invoke":
            look_up.invoke({"name": "Ada"})
        else:
            await look_up.ainvoke({"name": "Ada"})
        assert reamon.current_span() is outside
    assert tree(captured.spans) == "step outside\n  tool look_up\n    step inside"
    call = next(span for span in captured.spans if span.kind == "tool")
    assert (call.input and call.input.value, call.output and call.output.value) == ({"name": "Ada"}, "Ada: 3 rooms")


def test_a_tool_that_fails_says_so(captured: Captured) -> None:
    with pytest.raises(LookupError):
        look_up.invoke({"name": "nobody"})
    (span,) = captured.spans
    assert (span.status, span.error and span.error.message) == ("error", "no such lead")


def test_what_the_application_says_in_between_is_an_event(captured: Captured) -> None:
    look_up.invoke({"name": "interesting"})
    span = next(span for span in captured.spans if span.kind == "tool")
    assert [(event.name, event.attributes) for event in span.events] == [("found", {"data": {"name": "interesting"}})]


def test_a_retriever_is_a_retrieval_with_what_it_found(captured: Captured) -> None:
    class Houses(BaseRetriever):
        """Finds a house."""

        def _get_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
            return [Document(f"a house for {query}")]

    Houses().invoke("Ada")
    (span,) = captured.spans
    assert (span.kind, span.name, span.input and span.input.value) == ("retrieval", "Houses", {"query": "Ada"})
    assert span.output is not None
    assert span.output.value[0]["page_content"] == "a house for Ada"


def test_a_run_that_is_tried_again_says_so(captured: Captured) -> None:
    attempts = []

    def flaky(value: str) -> str:
        attempts.append(value)
        if len(attempts) == 1:
            raise ConnectionError("once")
        return value

    chain = RunnableLambda(flaky).with_retry(wait_exponential_jitter=False)
    assert chain.invoke("x") == "x"
    assert [span.status for span in captured.spans].count("error") == 1
