"""Scopes as context managers: sync and async, entered many times and at once, and what they say about the trace."""

import asyncio
import contextvars
import threading
from enum import Enum
from typing import Any

import pytest

import reamon
from reamon.errors import DecoratorError
from reamon.guard import guard
from reamon.testing import Captured


class Agents(Enum):
    """Agents, as an application may name them."""

    QUALIFICATION = "qualification"


class RefusedError(Exception):
    """An error of the application."""


class Hostile:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


# -- blocks ----------------------------------------------------------------------------------------------------------


async def test_blocks_nest_sync_and_async_alike(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        async with reamon.trace_agent("agent") as agent:
            assert reamon.current_span() is agent
            with reamon.trace_tool("tool") as tool:
                assert reamon.current_span() is tool
        assert reamon.current_span() is turn
    assert reamon.current_trace_id() == ""
    tool_span, agent_span, root = captured.spans
    assert tool_span.ancestors == (root.span_id, agent_span.span_id)
    assert {span.trace_id for span in captured.spans} == {root.span_id}


def test_a_block_has_the_input_and_output_that_are_set(captured: Captured) -> None:
    with reamon.trace_tool("tool") as span:
        span.set_input({"a": 1})
        span.set_output([2])
    recorded = captured.one("tool")
    assert recorded.input is not None
    assert recorded.output is not None
    assert (recorded.input.value, recorded.output.value) == ({"a": 1}, [2])


async def test_an_exception_leaves_the_block_unchanged_and_is_recorded(captured: Captured) -> None:
    error = RefusedError("no budget")
    with pytest.raises(RefusedError) as raised, reamon.trace_agent("sync"):
        raise error
    assert raised.value is error
    with pytest.raises(RefusedError):
        async with reamon.trace_agent("async"):
            raise error
    for span in captured.spans:
        assert (span.status, span.error and span.error.message) == ("error", "no budget")


async def test_a_cancelled_block_is_cancelled_and_not_failed(captured: Captured) -> None:
    async def wait() -> None:
        async with reamon.trace_agent("patient"):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert captured.one("patient").status == "cancelled"


async def test_a_time_out_is_cancelled_inside_and_an_error_where_it_is_raised(captured: Captured) -> None:
    async def wait() -> None:
        async with reamon.trace_agent("outer"), asyncio.timeout(0.001), reamon.trace_llm("inner"):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await wait()
    assert captured.one("inner").status == "cancelled"
    outer = captured.one("outer")
    assert (outer.status, outer.error and outer.error.type) == ("error", "TimeoutError")


# -- one scope, many times -------------------------------------------------------------------------------------------


def test_one_scope_may_be_entered_again_and_inside_itself(captured: Captured) -> None:
    scope = reamon.trace_step("again")
    with scope:
        pass
    with scope as outer, scope as inner:
        assert reamon.current_span() is inner
    assert not outer.is_recording
    first, second, third = captured.spans
    assert second.parent_id == third.span_id
    assert first.parent_id is None


async def test_one_scope_may_be_entered_by_many_tasks_at_once(captured: Captured) -> None:
    scope = reamon.trace_agent("shared")

    async def turn(number: int) -> None:
        with reamon.trace_workflow(f"turn {number}"):
            async with scope as span:
                span.set_attribute("number", number)
                for _ in range(number * 7 % 5):
                    await asyncio.sleep(0)
                with reamon.trace_tool(f"tool {number}"):
                    await asyncio.sleep(0)

    await asyncio.gather(*(turn(number) for number in range(20)))
    for number in range(20):
        agent = captured.one(f"tool {number}")
        shared = next(span for span in captured.named("shared") if span.attributes["number"] == number)
        assert agent.parent_id == shared.span_id
        assert shared.parent_id == captured.one(f"turn {number}").span_id
        assert shared.end_ns is not None
        assert agent.end_ns is not None
        assert shared.end_ns >= agent.end_ns


async def test_a_task_that_is_suppressed_does_not_end_the_span_of_another(captured: Captured) -> None:
    scope = reamon.trace_step("shared")
    inside, leave = asyncio.Event(), asyncio.Event()

    async def recorded() -> None:
        with scope:
            inside.set()
            await leave.wait()
            reamon.start_span("step", "child").end()

    async def suppressed() -> None:
        await inside.wait()
        with reamon.suppress(), scope:
            pass
        leave.set()

    await asyncio.gather(recorded(), suppressed())
    assert captured.one("child").parent_id == captured.one("shared").span_id
    assert "reamon.late" not in captured.one("child").attributes


async def test_a_suppressed_task_that_leaves_last_takes_its_own_entry(captured: Captured) -> None:
    scope = reamon.trace_step("shared")
    entered, left = asyncio.Event(), asyncio.Event()

    async def suppressed() -> None:
        with reamon.suppress(), scope:
            entered.set()
            await left.wait()

    async def recorded() -> None:
        await entered.wait()
        with scope:
            await asyncio.sleep(0)
        left.set()

    await asyncio.gather(suppressed(), recorded())
    assert captured.one("shared").status == "ok"


def test_one_scope_may_be_entered_by_many_threads_at_once(captured: Captured) -> None:
    scope = reamon.trace_step("shared")
    barrier = threading.Barrier(4)

    def work() -> None:
        for _ in range(50):
            barrier.wait()
            with scope:
                reamon.start_span("tool", "child").end()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parents = [span.parent_id for span in captured.named("child")]
    assert sorted(parents) == sorted(span.span_id for span in captured.named("shared"))  # type: ignore[type-var]
    assert len(parents) == 200


def test_a_scope_may_decorate_many_functions(captured: Captured) -> None:
    scope = reamon.trace_tool(ignore=())

    @scope
    def one() -> None: ...

    @scope
    def two() -> None: ...

    one()
    two()
    with scope:
        pass
    assert [span.name for span in captured.spans] == ["one", "two", "tool"]


def test_a_block_that_is_closed_elsewhere_still_ends(captured: Captured) -> None:
    def consume() -> Any:
        with reamon.trace_step("block"):
            yield 1

    scope_user = consume()
    thread = threading.Thread(target=next, args=(scope_user,))
    thread.start()
    thread.join()
    with reamon.trace_step("elsewhere") as elsewhere:
        scope_user.close()
        assert reamon.current_span() is elsewhere
    assert captured.one("block").status == "cancelled"


def test_blocks_of_one_scope_that_are_closed_elsewhere_all_end(captured: Captured) -> None:
    scope = reamon.trace_step("block")

    def consume() -> Any:
        with scope:
            yield

    users = [consume() for _ in range(3)]
    for user in users:
        contextvars.copy_context().run(next, user)
    for user in users:
        user.close()
    assert len(captured.named("block")) == 3


def test_a_block_inside_that_was_never_left_does_not_confuse_a_shared_scope(captured: Captured) -> None:
    scope = reamon.trace_step("shared")
    with scope as outer:
        with scope:
            reamon.trace_tool("never left").__enter__()
        assert reamon.current_span() is outer
    assert [span.name for span in captured.spans] == ["shared", "shared"]
    assert captured.spans[0].parent_id == captured.spans[1].span_id


# -- the trace -------------------------------------------------------------------------------------------------------


def test_a_root_of_any_kind_opens_a_trace_of_its_own(captured: Captured) -> None:
    with reamon.trace_tool("tool"):
        pass
    span = captured.one("tool")
    assert (span.trace_id, span.parent_id, span.ancestors) == (span.span_id, None, ())


def test_a_workflow_inside_a_workflow_is_a_trace_that_links_to_the_outer_one(captured: Captured) -> None:
    with reamon.trace_workflow("outer", call_id="c-1", project="p", tags=("t",)) as outer:
        with reamon.trace_agent("agent") as agent, reamon.trace_workflow("inner") as inner, reamon.trace_tool("tool"):
            pass
        assert reamon.current_span() is outer
    span = captured.one("inner")
    assert span.is_root
    assert span.trace_id == inner.trace_id != outer.trace_id
    (link,) = span.links
    assert (link.trace_id, link.span_id, link.relation) == (outer.trace_id, agent.span_id, "parent_trace")
    assert (span.call_id, span.project, span.tags) == ("c-1", "p", ())
    assert captured.one("tool").trace_id == inner.trace_id


def test_what_a_trace_is_told_all_its_spans_carry(captured: Captured) -> None:
    turn_scope = reamon.trace_workflow(
        "turn", call_id=4711, project="campaign", version="1.2", tags=["a", "b"], metadata={"lead": 7}
    )
    with turn_scope, reamon.trace_tool("tool"):
        pass
    tool, turn = captured.spans
    for span in (tool, turn):
        assert (span.call_id, span.project, span.tags) == ("4711", "campaign", ("a", "b"))
    assert turn.version == "1.2"
    assert turn.metadata is not None
    assert turn.metadata.value == {"lead": 7}
    assert (tool.version, tool.metadata) == (None, None)


def test_versions_projects_and_tags_are_text_whatever_they_were(captured: Captured) -> None:
    with reamon.trace_workflow("turn", version=2, project=7, tags=(1,)):  # type: ignore[call-overload]
        pass
    span = captured.one("turn")
    assert (span.version, span.project, span.tags) == ("2", "7", ("1",))


def test_an_agent_has_a_type_and_a_place_in_the_trace(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        with reamon.trace_agent("first", agent_type=Agents.QUALIFICATION) as first, reamon.trace_llm("chat"):
            pass
        with reamon.trace_agent("second", version="3"), reamon.trace_agent("third"):
            pass
    chat, one, three, two, turn = captured.spans
    assert [(span.agent_type, span.execution_order) for span in (one, two, three)] == [
        ("qualification", 1),
        ("second", 2),
        ("third", 3),
    ]
    assert (chat.agent_id, one.agent_id, turn.agent_id) == (first.span_id, first.span_id, None)
    assert (two.version, chat.execution_order) == ("3", None)


def test_order_is_counted_anew_in_each_trace(captured: Captured) -> None:
    for _ in range(2):
        with reamon.trace_agent("alone"):
            pass
    assert [span.execution_order for span in captured.spans] == [1, 1]


# -- call_id ---------------------------------------------------------------------------------------------------------


def call_ids(captured: Captured) -> list[str | None]:
    return [span.call_id for span in captured.spans]


def test_a_parameter_called_call_id_is_used_unasked(captured: Captured) -> None:
    @reamon.trace_workflow
    def turn(text: str, call_id: str = "default") -> None: ...

    turn("hello", "c-1")
    turn("hello")
    assert call_ids(captured) == ["c-1", "default"]


def test_another_parameter_may_be_named(captured: Captured) -> None:
    @reamon.trace_workflow(call_id="call")
    def turn(call: object, call_id: str) -> None: ...

    turn(Agents.QUALIFICATION, "no")
    turn(17, "no")
    turn(None, "no")
    assert call_ids(captured) == ["qualification", "17", None]


def test_a_callable_reads_it_off_the_bound_arguments(captured: Captured) -> None:
    @reamon.trace_workflow(call_id=lambda arguments: arguments["request"]["call"], capture=False, ignore=("request",))
    def turn(request: dict[str, str]) -> None: ...

    turn({"call": "c-9"})
    assert call_ids(captured) == ["c-9"]
    assert captured.one("turn").input is None


def test_a_callable_that_raises_costs_the_call_id_only(captured: Captured) -> None:
    @reamon.trace_workflow(call_id=lambda arguments: arguments["nothing"])
    def turn(text: str) -> str:
        return text

    before = guard.errors
    with guard.relaxed():
        assert turn("hello") == "hello"
    assert guard.errors == before + 1
    assert call_ids(captured) == [None]


def test_a_parameter_that_does_not_exist_is_refused_when_decorating() -> None:
    with pytest.raises(DecoratorError, match=r"call_id='cal'.*turn\(\).*call"):

        @reamon.trace_workflow(call_id="cal")
        def turn(call: str) -> None: ...


def test_further_keywords_may_bring_it(captured: Captured) -> None:
    @reamon.trace_workflow(call_id="call")
    def turn(**more: str) -> None: ...

    turn(call="c-3")
    turn()
    assert call_ids(captured) == ["c-3", None]


def test_with_none_given_it_is_the_enclosing_traces(captured: Captured) -> None:
    @reamon.trace_workflow
    def inner() -> None: ...

    with reamon.trace_workflow("outer", call_id="c-1"):
        inner()
        with reamon.trace_workflow("given", call_id="c-2"):
            pass
    assert [captured.one(name).call_id for name in ("inner", "given", "outer")] == ["c-1", "c-2", "c-1"]


def test_on_a_context_manager_it_is_the_value_itself(captured: Captured) -> None:
    with reamon.trace_workflow("turn", call_id="call_id"):
        pass
    assert call_ids(captured) == ["call_id"]


def test_one_that_has_no_text_costs_the_call_id_only(captured: Captured) -> None:
    before = guard.errors
    with guard.relaxed(), reamon.trace_workflow("turn", call_id=Hostile()):  # type: ignore[call-overload]
        pass
    assert guard.errors == before + 1
    assert call_ids(captured) == [None]


async def test_generators_and_coroutines_follow_the_same_rules(captured: Captured) -> None:
    @reamon.trace_workflow(call_id="call")
    def stream(call: str) -> Any:
        yield call

    @reamon.trace_workflow
    async def turn(call_id: str) -> None: ...

    list(stream("c-1"))
    await turn("c-2")
    assert call_ids(captured) == ["c-1", "c-2"]


# -- where nothing is recorded ---------------------------------------------------------------------------------------


def test_unconfigured_a_block_gives_a_handle_that_does_nothing() -> None:
    with reamon.trace_workflow("turn") as span:
        span.set_attribute("a", 1)
        assert not span.is_recording
        assert reamon.current_trace_id() == ""


def test_a_block_that_cannot_begin_runs_unrecorded(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("reamon.tracing.scope.begin", refuse)
    with guard.relaxed(), reamon.trace_workflow("turn") as span:
        assert not span.is_recording
    assert captured.spans == []


def test_recording_may_be_turned_off_inside_a_block(captured: Captured) -> None:
    with reamon.trace_step("open"):
        reamon.shutdown()
    with pytest.raises(RefusedError), reamon.trace_step("after"):
        raise RefusedError
