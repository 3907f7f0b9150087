"""Traced generators: a span from the first advance to the end, never current in the consumer."""

import asyncio
import contextvars
import gc
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest

import reamon
from reamon.guard import guard
from reamon.model import Span
from reamon.testing import Captured, FakeClock, capture_spans


class RefusedError(Exception):
    """An error of the application."""


@reamon.trace_llm
def words(text: str) -> Iterator[str]:
    """Yield the words, each under a tool."""
    for word in text.split():
        with reamon.trace_tool("look"):
            pass
        yield word


@reamon.trace_llm
async def async_words(text: str) -> AsyncIterator[str]:
    """Yield the words, each under a tool."""
    for word in text.split():
        with reamon.trace_tool("look"):
            await asyncio.sleep(0)
        yield word


def output(span: Span) -> Any:
    assert span.output is not None
    return span.output.value


# -- life ------------------------------------------------------------------------------------------------------------


async def test_the_output_is_the_items(captured: Captured) -> None:
    assert list(words("a b c")) == ["a", "b", "c"]
    assert [word async for word in async_words("a b c")] == ["a", "b", "c"]
    for name in ("words", "async_words"):
        span = captured.one(name)
        assert (output(span), span.status) == (["a", "b", "c"], "ok")
        assert span.input is not None
        assert span.input.value == {"text": "a b c"}


async def test_one_that_is_never_advanced_has_no_span(captured: Captured) -> None:
    words("a b")
    unused = async_words("a b")
    await unused.aclose()  # type: ignore[attr-defined]
    gc.collect()
    assert captured.spans == []


async def test_it_starts_at_the_first_advance() -> None:
    clock = FakeClock()
    with capture_spans(clock=clock) as captured:
        first, second = words("a"), async_words("a")
        clock.advance(10)
        begun = clock.monotonic_ns() + clock.offset
        list(first)
        [word async for word in second]
        assert captured.one("words").start_ns == begun
        assert captured.one("async_words").start_ns == begun


async def test_an_empty_one_is_ok_and_yields_nothing(captured: Captured) -> None:
    assert list(words("")) == []
    assert [word async for word in async_words("")] == []
    assert [(output(span), span.status, span.first_token_ns) for span in captured.spans] == [([], "ok", None)] * 2


async def test_the_time_to_the_first_item_is_recorded() -> None:
    clock = FakeClock()

    @reamon.trace_llm
    def slow() -> Iterator[int]:
        clock.advance(0.25)
        yield 1
        clock.advance(1)
        yield 2

    @reamon.trace_llm(capture=False)
    async def async_slow() -> AsyncIterator[int]:
        clock.advance(0.25)
        yield 1
        clock.advance(1)
        yield 2

    with capture_spans(clock=clock) as captured:
        list(slow())
        [item async for item in async_slow()]
        for name in ("slow", "async_slow"):
            span = captured.one(name)
            assert (span.first_token_ns, span.duration_ns) == (250_000_000, 1_250_000_000)


async def test_the_parent_is_the_span_of_the_call(captured: Captured) -> None:
    with reamon.trace_agent("caller") as caller:
        called, async_called = words("a"), async_words("a")
    with reamon.trace_agent("consumer"):
        list(called)
        [word async for word in async_called]
    assert captured.one("words").parent_id == caller.span_id
    assert captured.one("async_words").parent_id == caller.span_id


async def test_the_consumer_never_sees_the_span(captured: Captured) -> None:
    with reamon.trace_agent("consumer") as consumer:
        for _ in words("a b"):
            assert reamon.current_span() is consumer
            with reamon.trace_step("between"):
                pass
        async for _ in async_words("a b"):
            assert reamon.current_span() is consumer
    assert {span.parent_id for span in captured.named("between")} == {consumer.span_id}
    looks = captured.named("look")
    assert [look.parent_id for look in looks[:2]] == [captured.one("words").span_id] * 2
    assert [look.parent_id for look in looks[2:]] == [captured.one("async_words").span_id] * 2


async def test_a_block_around_a_yield_is_current_again_when_it_goes_on(captured: Captured) -> None:
    @reamon.trace_llm
    def stream() -> Iterator[int]:
        with reamon.trace_step("block"):
            yield 1
            reamon.start_span("tool", "tool").end()
            yield 2
        reamon.start_span("tool", "after").end()

    @reamon.trace_llm
    async def async_stream() -> AsyncIterator[int]:
        with reamon.trace_step("async block"):
            yield 1
            reamon.start_span("tool", "async tool").end()
            yield 2
        reamon.start_span("tool", "async after").end()

    for _ in stream():
        assert not reamon.current_span().is_recording
    async for _ in async_stream():
        assert not reamon.current_span().is_recording
    for prefix, name in (("", "stream"), ("async ", "async_stream")):
        assert captured.one(f"{prefix}tool").parent_id == captured.one(f"{prefix}block").span_id
        assert captured.one(f"{prefix}block").parent_id == captured.one(name).span_id
        assert captured.one(f"{prefix}after").parent_id == captured.one(name).span_id


def test_two_that_alternate_keep_their_children_apart(captured: Captured) -> None:
    list(zip(words("a b c"), words("x y z"), strict=True))
    first, second = captured.named("words")
    for span in (first, second):
        assert [child.name for child in captured.children_of(span)] == ["look"] * 3


def test_a_generator_that_delegates_to_another(captured: Captured) -> None:
    @reamon.trace_step
    def outer() -> Iterator[str]:
        yield from words("a b")

    assert list(outer()) == ["a", "b"]
    assert captured.one("words").parent_id == captured.one("outer").span_id


# -- values that go in and out ---------------------------------------------------------------------------------------


def test_sent_values_arrive_and_the_return_value_comes_back(captured: Captured) -> None:
    @reamon.trace_step
    def total() -> Generator[int, int, str]:
        sum_so_far = 0
        for _ in range(3):
            sum_so_far += yield sum_so_far
        return f"sum {sum_so_far}"

    run = total()
    assert [next(run), run.send(1), run.send(2)] == [0, 1, 3]
    with pytest.raises(StopIteration) as stop:
        run.send(3)
    assert stop.value.value == "sum 6"
    assert output(captured.one("total")) == [0, 1, 3]


async def test_sent_values_arrive_in_an_async_one(captured: Captured) -> None:
    @reamon.trace_step
    async def echo() -> Any:
        heard = "?"
        while heard != "stop":
            heard = yield heard

    run = echo()
    assert [await run.asend(None), await run.asend("a")] == ["?", "a"]
    with pytest.raises(StopAsyncIteration):
        await run.asend("stop")
    assert output(captured.one("echo")) == ["?", "a"]


def test_a_thrown_exception_may_be_dealt_with(captured: Captured) -> None:
    @reamon.trace_step
    def patient() -> Iterator[str]:
        while True:
            try:
                yield "waiting"
            except RefusedError:
                yield "refused"

    run = patient()
    next(run)
    assert run.throw(RefusedError()) == "refused"  # type: ignore[attr-defined]
    assert next(run) == "waiting"
    run.close()  # type: ignore[attr-defined]
    span = captured.one("patient")
    assert (output(span), span.status) == (["waiting", "refused", "waiting"], "ok")


def counting() -> Generator[int, None, str]:
    """Count, and say how far when the consumer has had enough."""
    number = 0
    try:
        while True:
            number += 1
            yield number
    except GeneratorExit:
        return f"up to {number}"


def test_what_a_closed_generator_returns_is_told_as_python_does(captured: Captured) -> None:
    def closed(counter: Generator[int, None, str]) -> Any:
        close: Callable[[], Any] = counter.close
        return [next(counter), next(counter), close()]

    assert closed(reamon.trace_tool(counting)()) == closed(counting())
    assert output(captured.one("counting")) == [1, 2]


async def test_a_thrown_exception_may_be_dealt_with_by_an_async_one(captured: Captured) -> None:
    @reamon.trace_step
    async def patient() -> AsyncIterator[str]:
        while True:
            try:
                yield "waiting"
            except RefusedError:
                yield "refused"

    run: Any = patient()
    await anext(run)
    assert await run.athrow(RefusedError()) == "refused"
    await run.aclose()
    assert captured.one("patient").status == "ok"


async def test_a_thrown_exception_that_is_not_dealt_with_comes_back(captured: Captured) -> None:
    run: Any = words("a b")
    next(run)
    error = RefusedError("enough")
    with pytest.raises(RefusedError) as raised:
        run.throw(error)
    assert raised.value is error
    arun: Any = async_words("a b")
    await anext(arun)
    with pytest.raises(RefusedError) as raised:
        await arun.athrow(error)
    assert raised.value is error
    assert [captured.one(name).status for name in ("words", "async_words")] == ["error", "error"]


@reamon.trace_llm
def broken(until: int) -> Iterator[int]:
    yield from range(until)
    raise RefusedError("connection lost")


@reamon.trace_llm
async def async_broken(until: int) -> AsyncIterator[int]:
    for number in range(until):
        yield number
    raise RefusedError("connection lost")


async def test_one_that_fails_keeps_what_it_had_yielded(captured: Captured) -> None:
    with pytest.raises(RefusedError):
        list(broken(2))
    with pytest.raises(RefusedError):
        [item async for item in async_broken(2)]
    for name in ("broken", "async_broken"):
        span = captured.one(name)
        assert (span.status, span.error and span.error.message) == ("error", "connection lost")
        assert output(span) == [0, 1]
    assert not reamon.current_span().is_recording


def test_one_that_fails_at_once_has_no_output(captured: Captured) -> None:
    with pytest.raises(RefusedError):
        list(broken(0))
    assert captured.one("broken").output is None


def test_an_output_that_was_set_inside_stands(captured: Captured) -> None:
    @reamon.trace_llm
    def stream(fails: bool) -> Iterator[int]:
        reamon.current_span().set_output("mine")
        yield 1
        if fails:
            raise RefusedError

    list(stream(False))
    with pytest.raises(RefusedError):
        list(stream(True))
    assert [output(span) for span in captured.spans] == ["mine", "mine"]


# -- early ends ------------------------------------------------------------------------------------------------------


async def test_an_early_break_ends_the_span_ok(captured: Captured) -> None:
    for _ in words("a b c"):
        break
    gc.collect()
    run = async_words("a b c")
    async with aclosing(run):  # type: ignore[type-var]
        async for _ in run:
            break
    for name in ("words", "async_words"):
        span = captured.one(name)
        assert (span.status, span.error, output(span)) == ("ok", None, ["a"])


async def test_an_async_one_that_is_left_lying_is_ended_by_the_loop(captured: Captured) -> None:
    async for _ in async_words("a b c"):
        break
    gc.collect()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert captured.one("async_words").status == "ok"


@reamon.trace_step
async def slow_to_close() -> AsyncIterator[int]:
    """Yield, and take a while to clean up."""
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0)
        reamon.current_span().set_attribute("closed", True)
        await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["at its end", "when it is collected"])
def test_the_loop_closes_one_that_was_left_half_way_once(captured: Captured, way: str) -> None:
    complaints: list[Any] = []
    kept: list[Any] = []

    async def leave_half_way() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        for _ in range(5):
            generator = slow_to_close()
            assert await anext(generator) == 1
            if way == "at its end":
                kept.append(generator)
            else:  # with itself, in a ring that only the garbage collector opens
                ring: list[Any] = [generator]
                ring.append(ring)
                del generator, ring
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(leave_half_way())
    gc.collect()
    assert complaints == []
    assert [(span.status, span.attributes) for span in captured.spans] == [("ok", {"closed": True})] * 5


def test_the_loops_hooks_are_as_they_were(captured: Captured) -> None:
    seen: list[Any] = []

    async def consume() -> None:
        before = sys.get_asyncgen_hooks()
        seen.extend([sys.get_asyncgen_hooks() == before async for _ in slow_to_close()])

    asyncio.run(consume())
    assert seen == [True, True]
    assert captured.one("slow_to_close").status == "ok"


def test_cleaning_up_after_an_early_break_happens_inside_the_span(captured: Captured) -> None:
    @reamon.trace_llm
    def careful() -> Iterator[int]:
        try:
            yield 1
        finally:
            reamon.start_span("step", "clean up").end()

    with reamon.trace_agent("consumer") as consumer:
        run = careful()
        next(run)
        run.close()  # type: ignore[attr-defined]
        assert reamon.current_span() is consumer
    assert captured.one("clean up").parent_id == captured.one("careful").span_id


async def test_a_clean_up_that_fails_is_an_error_and_goes_on(captured: Captured) -> None:
    @reamon.trace_llm
    def careless() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise RefusedError("clean up")

    @reamon.trace_llm
    async def async_careless() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise RefusedError("clean up")

    run: Any = careless()
    next(run)
    with pytest.raises(RefusedError):
        run.close()
    arun: Any = async_careless()
    await anext(arun)
    with pytest.raises(RefusedError):
        await arun.aclose()
    assert [span.status for span in captured.spans] == ["error", "error"]


def test_it_may_be_closed_in_another_context_where_nothing_of_it_becomes_current(captured: Captured) -> None:
    def take_one() -> Iterator[str]:
        with reamon.trace_agent("consumer"):
            run = words("a b")
            next(run)
            return run

    run = contextvars.copy_context().run(take_one)
    before = reamon.current_span()
    run.close()  # type: ignore[attr-defined]
    assert reamon.current_span() is before
    span = captured.one("words")
    assert (span.status, span.parent_id) == ("ok", captured.one("consumer").span_id)


def test_it_may_be_consumed_by_another_thread(captured: Captured) -> None:
    with reamon.trace_agent("caller") as caller:
        run = words("a b c")
        next(run)
        thread = threading.Thread(target=lambda: list(run))
        thread.start()
        thread.join()
        assert reamon.current_span() is caller
    span = captured.one("words")
    assert (output(span), span.parent_id) == (["a", "b", "c"], caller.span_id)


async def test_it_may_be_closed_by_another_task(captured: Captured) -> None:
    run: Any = async_words("a b")
    with reamon.trace_agent("first"):
        await asyncio.create_task(run.__anext__())

    async def close() -> None:
        with reamon.trace_agent("closer") as closer:
            await run.aclose()
            assert reamon.current_span() is closer

    await asyncio.create_task(close())
    span = captured.one("async_words")
    assert (span.status, span.parent_id) == ("ok", None)


async def test_a_cancelled_consumer_cancels_what_waits_inside(captured: Captured) -> None:
    waiting = asyncio.Event()

    @reamon.trace_llm
    async def stuck() -> AsyncIterator[int]:
        yield 1
        waiting.set()
        await asyncio.Event().wait()

    async def consume() -> None:
        async for _ in stuck():
            pass

    task = asyncio.create_task(consume())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert captured.one("stuck").status == "cancelled"


# -- reduce and limits -----------------------------------------------------------------------------------------------


def joined(items: list[str]) -> str:
    return "".join(items)


async def test_reduce_makes_the_output_of_the_items(captured: Captured) -> None:
    @reamon.trace_llm(reduce=joined)
    def stream() -> Iterator[str]:
        yield from "abc"

    @reamon.trace_llm(reduce=joined)
    async def async_stream() -> AsyncIterator[str]:
        for letter in "abc":
            yield letter

    list(stream())
    [letter async for letter in async_stream()]
    assert [output(span) for span in captured.spans] == ["abc", "abc"]


def test_reduce_gets_what_there_was_when_the_generator_failed(captured: Captured) -> None:
    @reamon.trace_llm(reduce=joined)
    def stream() -> Iterator[str]:
        yield from "ab"
        raise RefusedError

    with pytest.raises(RefusedError):
        list(stream())
    assert output(captured.one("stream")) == "ab"


def test_a_reduce_that_raises_costs_the_reduction_only(captured: Captured) -> None:
    @reamon.trace_llm(reduce=lambda items: 1 / 0)
    def stream() -> Iterator[str]:
        yield from "ab"

    before = guard.errors
    with guard.relaxed():
        assert list(stream()) == ["a", "b"]
    assert guard.errors == before + 1
    assert output(captured.one("stream")) == ["a", "b"]


def test_items_are_snapshots_of_what_they_were_when_they_came(captured: Captured) -> None:
    @reamon.trace_llm
    def stream() -> Iterator[dict[str, int]]:
        yield {"n": 1}

    for item in stream():
        item["n"] = 99
    assert output(captured.one("stream")) == [{"n": 1}]


@pytest.mark.parametrize("size", [1, 40, 300, 5000])
@pytest.mark.parametrize("limit", [256, 1000])
def test_the_output_stays_within_the_limit_and_says_what_was_cut(size: int, limit: int) -> None:
    @reamon.trace_llm
    def stream() -> Iterator[str]:
        for _ in range(1000):
            yield "x" * size

    with capture_spans(payload_limit=limit) as captured:
        assert sum(map(len, stream())) == 1000 * size
    span = captured.one("stream")
    assert span.output is not None
    assert len(span.output.raw) <= limit
    shown, note = output(span)[:-1], output(span)[-1]
    assert note == f"[reamon] {1000 - len(shown)} of 1000 items cut"


def test_a_reduce_is_given_so_many_items_and_no_more(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reamon.tracing._generators._ITEMS_KEPT", 5)

    @reamon.trace_llm(reduce=len)
    def stream() -> Iterator[int]:
        yield from range(100)

    assert len(list(stream())) == 100
    assert output(captured.one("stream")) == 5


def test_an_item_that_cannot_be_noted_does_not_reach_the_consumer(
    captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("reamon.tracing._generators.snapshot", refuse)
    with guard.relaxed():
        assert list(words("a b")) == ["a", "b"]
    assert captured.one("words").status == "ok"


# -- pass-through ----------------------------------------------------------------------------------------------------


def test_what_is_shut_down_in_the_middle_goes_on(captured: Captured) -> None:
    run = words("a b c")
    next(run)
    reamon.shutdown()
    assert list(run) == ["b", "c"]
    late: Any = words("a b")
    assert next(late) == "a"
    with pytest.raises(RefusedError):
        late.throw(RefusedError())


def test_what_was_called_before_the_shutdown_and_begins_after_it_passes_through(captured: Captured) -> None:
    run, failing = words("a b"), broken(1)
    reamon.shutdown()
    assert list(run) == ["a", "b"]
    with pytest.raises(RefusedError):
        list(failing)


@pytest.mark.parametrize("make", [words, async_words])
def test_the_result_is_a_real_generator(captured: Captured, make: Callable[[str], Any]) -> None:
    run = make("a b")
    assert hasattr(run, "send") or hasattr(run, "asend")


def test_a_traced_generator_serves_as_a_context_manager(captured: Captured) -> None:
    @contextmanager
    @reamon.trace_step
    def resource() -> Iterator[str]:
        yield "open"

    with resource() as state:
        assert state == "open"
    assert captured.one("resource").status == "ok"
