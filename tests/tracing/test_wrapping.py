"""Decorating: a function stays what it was to everybody who looks at it, and to everybody who calls it."""

import abc
import functools
import inspect
import math
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

import pytest

import reamon
from reamon.errors import DecoratorError
from reamon.guard import guard
from reamon.testing import Captured, capture_spans

ALL = [
    reamon.trace_workflow,
    reamon.trace_agent,
    reamon.trace_llm,
    reamon.trace_tool,
    reamon.trace_retrieval,
    reamon.trace_stt,
    reamon.trace_tts,
    reamon.trace_telephony,
    reamon.trace_step,
]


def sync(a: int, /, b: str = "x", *rest: int, c: bool = True, **more: object) -> str:
    """What sync does."""
    return b * a


async def coroutine(a: int, b: str = "x") -> str:
    """What coroutine does."""
    return b * a


def generator(a: int) -> Iterator[int]:
    """What generator does."""
    yield from range(a)


async def async_generator(a: int) -> AsyncIterator[int]:
    """What async_generator does."""
    for number in range(a):
        yield number


@pytest.mark.parametrize("function", [sync, coroutine, generator, async_generator])
@pytest.mark.parametrize("decorate", [reamon.trace_agent, reamon.trace_agent("named", version="2")])
def test_a_decorated_function_looks_as_it_did(decorate: Callable[[Any], Any], function: Callable[..., Any]) -> None:
    traced = decorate(function)
    assert inspect.signature(traced) == inspect.signature(function)
    assert (traced.__name__, traced.__qualname__) == (function.__name__, function.__qualname__)
    assert (traced.__doc__, traced.__module__) == (function.__doc__, function.__module__)
    assert traced.__annotations__ == function.__annotations__
    assert traced.__wrapped__ is function
    for nature in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert nature(traced) == nature(function)


@pytest.mark.parametrize("trace", ALL)
def test_every_kind_is_a_bare_decorator_a_called_one_and_a_context_manager(captured: Captured, trace: Any) -> None:
    trace(sync)(1)
    trace()(sync)(1)
    trace("called")(sync)(1)
    with trace("block"):
        pass
    with trace():
        pass
    kind = trace.__name__.removeprefix("trace_")
    assert [(span.kind.value, span.name) for span in captured.spans] == [
        (kind, "sync"),
        (kind, "sync"),
        (kind, "called"),
        (kind, "block"),
        (kind, kind),
    ]


@pytest.mark.parametrize("trace", ALL)
def test_every_kind_says_what_it_is(trace: Any) -> None:
    assert trace.__name__ in repr(trace)
    assert trace.__doc__


def test_input_is_the_bound_arguments_by_name_and_output_what_is_returned(captured: Captured) -> None:
    assert reamon.trace_step(sync)(2, "ab", 7, c=False, extra=1) == "abab"
    (span,) = captured.spans
    assert span.input is not None
    assert span.input.value == {"a": 2, "b": "ab", "rest": [7], "c": False, "extra": 1}
    assert span.output is not None
    assert span.output.value == "abab"


@pytest.mark.parametrize("value", ["\ud800", "\x00" * 20_000, "x" * 100_000, math.nan, object()], ids=range(5))
def test_arguments_that_are_hard_to_capture_are_captured_below_a_parent_too(captured: Captured, value: object) -> None:
    @reamon.trace_step
    def work(value: object, plain: int) -> object:
        return value

    with reamon.trace_workflow("turn"):
        assert work(value, 5) is value
    span = captured.one("work")
    assert span.input is not None
    assert span.output is not None
    assert next(iter(span.input.value)) == "value"
    assert max(len(span.input.raw), len(span.output.raw)) <= 65_536


def test_defaults_are_applied(captured: Captured) -> None:
    reamon.trace_step(sync)(3)
    (span,) = captured.spans
    assert span.input is not None
    assert span.input.value == {"a": 3, "b": "x", "rest": [], "c": True}


async def test_a_coroutine_function_is_traced_from_its_await_to_its_end(captured: Captured) -> None:
    pending = reamon.trace_step(coroutine)(2)
    assert captured.spans == []
    assert await pending == "xx"
    span = captured.one("coroutine")
    assert span.output is not None
    assert span.output.value == "xx"


def test_none_is_an_output_too(captured: Captured) -> None:
    reamon.trace_step(print)()
    span = captured.one("print")
    assert span.output is not None
    assert span.output.value is None


class Agent:
    """Methods of every sort, decorated in every order."""

    seen: ClassVar[list[object]] = []

    @reamon.trace_tool
    def method(self, number: int) -> tuple["Agent", int]:
        return self, number

    @reamon.trace_tool("named")
    async def coroutine(self, number: int) -> tuple["Agent", int]:
        return self, number

    @reamon.trace_tool
    def generator(self, number: int) -> Iterator[tuple["Agent", int]]:
        yield self, number

    @reamon.trace_tool
    async def async_generator(self, number: int) -> AsyncIterator[tuple["Agent", int]]:
        yield self, number

    @classmethod
    @reamon.trace_tool
    def inside_classmethod(cls, number: int) -> tuple[type, int]:
        return cls, number

    @reamon.trace_tool
    @classmethod
    def outside_classmethod(cls, number: int) -> tuple[type, int]:
        return cls, number

    @reamon.trace_tool
    @classmethod
    def odd_classmethod(klass, number: int) -> tuple[type, int]:  # noqa: N804 - any name may be the first
        return klass, number

    @staticmethod
    @reamon.trace_tool
    def inside_staticmethod(number: int) -> int:
        return number

    @reamon.trace_tool
    @staticmethod
    def outside_staticmethod(number: int) -> int:
        return number

    @classmethod
    @reamon.trace_tool
    def inside_class_generator(cls, number: int) -> Iterator[tuple[type, int]]:
        yield cls, number

    @reamon.trace_tool
    @classmethod
    def outside_class_generator(cls, number: int) -> Iterator[tuple[type, int]]:
        yield cls, number

    @reamon.trace_tool
    @staticmethod
    def outside_static_generator(number: int) -> Iterator[int]:
        yield number

    @property
    @reamon.trace_tool
    def score(self) -> float:
        return 0.8


class Child(Agent):
    """Inherits what is traced."""

    @reamon.trace_agent
    def method(self, number: int) -> tuple[Agent, int]:
        return super().method(number)


def the_input(captured: Captured) -> object:
    (span,) = captured.spans
    assert span.input is not None
    return span.input.value


def test_a_method_is_bound_and_self_is_left_out(captured: Captured) -> None:
    agent = Agent()
    assert agent.method(1) == (agent, 1)
    assert the_input(captured) == {"number": 1}


def test_a_method_may_be_called_through_its_class(captured: Captured) -> None:
    agent = Agent()
    assert Agent.method(agent, 1) == (agent, 1)
    assert the_input(captured) == {"number": 1}


async def test_a_coroutine_method(captured: Captured) -> None:
    agent = Agent()
    assert await agent.coroutine(1) == (agent, 1)
    assert the_input(captured) == {"number": 1}


async def test_generator_methods(captured: Captured) -> None:
    agent = Agent()
    assert list(agent.generator(1)) == [(agent, 1)]
    assert list(Agent.generator(agent, number=1)) == [(agent, 1)]
    assert [item async for item in agent.async_generator(1)] == [(agent, 1)]
    assert [span.input and span.input.value for span in captured.spans] == [{"number": 1}] * 3


@pytest.mark.parametrize("name", ["inside_classmethod", "outside_classmethod", "odd_classmethod"])
@pytest.mark.parametrize("owner", [Agent, Child, Child()])
def test_classmethods_in_both_orders(captured: Captured, owner: Any, name: str) -> None:
    assert getattr(owner, name)(1) == (owner if isinstance(owner, type) else type(owner), 1)
    assert the_input(captured) == {"number": 1}


@pytest.mark.parametrize("name", ["inside_staticmethod", "outside_staticmethod"])
@pytest.mark.parametrize("owner", [Agent, Child()])
def test_staticmethods_in_both_orders(captured: Captured, owner: Any, name: str) -> None:
    assert getattr(owner, name)(1) == 1
    assert the_input(captured) == {"number": 1}


@pytest.mark.parametrize("name", ["inside_class_generator", "outside_class_generator"])
def test_classmethods_that_are_generators(captured: Captured, name: str) -> None:
    assert list(getattr(Child, name)(1)) == [(Child, 1)]
    assert list(getattr(Child(), name)(number=2)) == [(Child, 2)]
    assert [span.input and span.input.value for span in captured.spans] == [{"number": 1}, {"number": 2}]


def test_a_staticmethod_that_is_a_generator(captured: Captured) -> None:
    assert list(Agent.outside_static_generator(1)) == [1]
    assert list(Agent().outside_static_generator(2)) == [2]
    assert [span.input and span.input.value for span in captured.spans] == [{"number": 1}, {"number": 2}]


def test_a_method_that_calls_its_super_nests(captured: Captured) -> None:
    Child().method(1)
    tool, agent = captured.spans
    assert (tool.kind.value, agent.kind.value) == ("tool", "agent")
    assert tool.parent_id == agent.span_id


def test_a_property_over_a_traced_method(captured: Captured) -> None:
    assert Agent().score == 0.8
    assert captured.one("score").status == "ok"


def test_a_bound_method_can_be_decorated(captured: Captured) -> None:
    agent = Agent()
    assert reamon.trace_step(agent.inside_staticmethod)(1) == 1
    assert reamon.trace_step("outer")(agent.method)(2) == (agent, 2)
    assert captured.one("outer").input == captured.one("method").input


def test_abstract_methods_stay_abstract() -> None:
    class Base(abc.ABC):
        @reamon.trace_agent
        @abc.abstractmethod
        def run(self) -> None: ...

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]


def test_a_partial_is_traced_under_its_functions_name(captured: Captured) -> None:
    assert reamon.trace_tool(functools.partial(sync, 2, c=False))("ab") == "abab"
    span = captured.one("sync")
    assert span.input is not None
    assert span.input.value["b"] == "ab"


async def test_a_partial_of_a_coroutine_function_is_one(captured: Captured) -> None:
    traced = reamon.trace_tool(functools.partial(functools.partial(coroutine), b="z"))
    assert inspect.iscoroutinefunction(traced)
    assert await traced(2) == "zz"
    assert captured.one("coroutine").output is not None


class Greeter:
    """A callable object."""

    def __call__(self, name: str) -> str:
        return f"hello {name}"


def test_a_callable_object_is_traced_under_its_class(captured: Captured) -> None:
    assert reamon.trace_tool(Greeter())("Ada") == "hello Ada"
    span = captured.one("Greeter")
    assert span.input is not None
    assert span.input.value == {"name": "Ada"}


class AsyncGreeter:
    """A callable object whose call is a coroutine."""

    async def __call__(self, name: str) -> str:
        return f"hello {name}"


async def test_a_callable_object_with_an_async_call_is_awaited_inside_the_span(captured: Captured) -> None:
    assert await reamon.trace_tool(AsyncGreeter())("Ada") == "hello Ada"
    span = captured.one("AsyncGreeter")
    assert span.output is not None
    assert span.output.value == "hello Ada"


def test_a_builtin_whose_signature_is_unknown_is_traced_too(captured: Captured) -> None:
    assert reamon.trace_tool(max)(3, 5) == 5
    assert the_input(captured) == {"args": [3, 5]}


def test_a_decorated_function_can_be_decorated_again(captured: Captured) -> None:
    reamon.trace_agent("outer")(reamon.trace_tool("inner")(sync))(1)
    inner, outer = captured.spans
    assert inner.parent_id == outer.span_id
    assert inner.input == outer.input


def test_recursion_nests(captured: Captured) -> None:
    @reamon.trace_step
    def down(depth: int) -> int:
        return down(depth - 1) if depth else 0

    down(5)
    assert [len(span.ancestors) for span in captured.spans] == [5, 4, 3, 2, 1, 0]


def descend(depth: int, action: Callable[[], object]) -> object:
    return descend(depth - 1, action) if depth else action()


def test_at_the_end_of_the_stack_what_returns_has_returned() -> None:
    returned: list[int] = []

    @reamon.trace_step
    def leaf(depth: int) -> int:
        returned.append(depth)
        return depth

    deepest = sys.getrecursionlimit() - len(inspect.stack())
    with capture_spans(strict=False) as captured, reamon.trace_workflow("call"):
        for depth in range(deepest - 40, deepest + 1):
            try:
                descend(depth, functools.partial(leaf, depth))
            except RecursionError:
                assert depth not in returned
    assert 10 < len(returned) < 41
    assert captured.one("call").status == "ok"


def test_a_recursion_without_an_end_raises_what_it_did_and_is_recorded() -> None:
    calls = 0

    @reamon.trace_step
    def deeper() -> None:
        nonlocal calls
        calls += 1
        deeper()

    with capture_spans(strict=False) as captured, pytest.raises(RecursionError) as raised:
        deeper()
    assert raised.value.__context__ is None
    spans = captured.spans
    assert calls - 10 < len(spans) <= calls
    assert {span.status for span in spans} == {"error"}


# -- exceptions ------------------------------------------------------------------------------------------------------


class RefusedError(Exception):
    """An error of the application."""


@pytest.mark.parametrize(("arguments", "keywords"), [((), {}), ((1, 2), {}), ((1,), {"b": 2}), ((), {"a": 1, "x": 2})])
@pytest.mark.parametrize("ignored", [(), ("a",)])
def test_a_call_with_wrong_arguments_raises_the_functions_own_type_error(
    captured: Captured, arguments: tuple[int, ...], keywords: dict[str, int], ignored: tuple[str, ...]
) -> None:
    def one(a: int) -> int:
        return a

    with pytest.raises(TypeError) as expected:
        one(*arguments, **keywords)
    with pytest.raises(TypeError) as raised:
        reamon.trace_tool(ignore=ignored)(one)(*arguments, **keywords)
    assert str(raised.value) == str(expected.value)


def test_a_generator_function_called_with_wrong_arguments_raises_at_the_call() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        reamon.trace_tool(generator)()


def fail(error: BaseException) -> None:
    raise error


async def fail_later(error: BaseException) -> None:
    raise error


def test_an_exception_passes_unchanged_and_is_recorded(captured: Captured) -> None:
    error = RefusedError("no budget")
    with pytest.raises(RefusedError) as raised:
        reamon.trace_agent(fail)(error)
    assert raised.value is error
    assert error.__context__ is None
    assert error.__cause__ is None
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names[-1] == "fail"
    assert len(names) == 3, "the test, one frame of ours, the function"
    span = captured.one("fail")
    assert span.status == "error"
    assert span.error is not None
    assert span.error.type.endswith("RefusedError")
    assert span.error.message == "no budget"
    assert "raise error" in span.error.stack
    assert span.output is None


async def test_an_exception_of_a_coroutine_passes_unchanged(captured: Captured) -> None:
    error = RefusedError("no budget")
    with pytest.raises(RefusedError) as raised:
        await reamon.trace_agent(fail_later)(error)
    assert raised.value is error
    assert captured.one("fail_later").status == "error"


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(3)])
def test_what_stops_the_process_passes_too_and_counts_as_cancelled(captured: Captured, stop: BaseException) -> None:
    with pytest.raises(type(stop)):
        reamon.trace_agent(fail)(stop)
    assert captured.one("fail").status == "cancelled"


def test_after_an_exception_the_span_before_is_current_again(captured: Captured) -> None:
    with reamon.trace_step("outer") as outer:
        with pytest.raises(RefusedError):
            reamon.trace_agent(fail)(RefusedError())
        assert reamon.current_span() is outer


# -- where nothing is recorded ---------------------------------------------------------------------------------------


async def test_unconfigured_everything_passes_through() -> None:
    assert reamon.trace_step(sync)(2) == "xx"
    assert await reamon.trace_step(coroutine)(2) == "xx"
    assert list(reamon.trace_step(generator)(2)) == [0, 1]
    assert [item async for item in reamon.trace_step(async_generator)(2)] == [0, 1]
    with pytest.raises(RefusedError):
        reamon.trace_step(fail)(RefusedError())
    assert reamon.current_trace_id() == ""


async def test_suppressed_everything_passes_through(captured: Captured) -> None:
    with reamon.suppress():
        assert reamon.trace_step(sync)(2) == "xx"
        assert await reamon.trace_step(coroutine)(2) == "xx"
        assert list(reamon.trace_step(generator)(2)) == [0, 1]
        assert [item async for item in reamon.trace_step(async_generator)(2)] == [0, 1]
        with pytest.raises(RefusedError):
            reamon.trace_step(fail)(RefusedError())
    assert captured.spans == []


def test_a_span_that_cannot_begin_leaves_the_call_alone(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("reamon.tracing._tracer.begin", refuse)
    before = guard.errors
    with guard.relaxed():
        assert reamon.trace_workflow(sync)(2) == "xx"
    assert guard.errors == before + 1


async def test_a_coroutine_whose_span_cannot_begin_is_left_alone(
    captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("reamon.tracing._tracer.begin", refuse)
    with guard.relaxed():
        assert await reamon.trace_workflow(coroutine)(2) == "xx"


def test_what_is_shut_down_in_the_middle_of_a_call_does_not_disturb_it(captured: Captured) -> None:
    @reamon.trace_step
    def stop() -> str:
        reamon.shutdown()
        return "done"

    @reamon.trace_step
    def stop_and_fail() -> None:
        reamon.shutdown()
        raise RefusedError

    assert stop() == "done"
    with pytest.raises(RefusedError):
        stop_and_fail()


# -- what is captured ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capture", "has_input", "has_output"),
    [(True, True, True), ("input", True, False), ("output", False, True), (False, False, False)],
)
async def test_what_is_captured_can_be_chosen(
    captured: Captured, capture: Any, has_input: bool, has_output: bool
) -> None:
    reamon.trace_step(capture=capture)(sync)(1)
    await reamon.trace_step(capture=capture)(coroutine)(1)
    list(reamon.trace_step(capture=capture)(generator)(1))
    assert len(captured.spans) == 3
    for span in captured.spans:
        assert (span.input is not None, span.output is not None) == (has_input, has_output)


def test_ignored_parameters_are_never_captured(captured: Captured) -> None:
    @reamon.trace_tool(ignore=("password", "token"))
    def log_in(user: str, password: str, **more: str) -> bool:
        return True

    log_in("ada", "secret", token="secret", other="shown")
    assert the_input(captured) == {"user": "ada", "other": "shown"}


def injecting(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of the application that adds an argument, as `mock.patch` does."""

    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function("session", *args, **kwargs)

    return inner


def test_ignored_parameters_are_not_captured_by_wrong_calls_either(captured: Captured) -> None:
    @reamon.trace_tool(ignore=["password"])
    @injecting
    def log_in(session: str, user: str, password: str) -> bool:
        return True

    with pytest.raises(TypeError):
        log_in("ada", "secret", "one", "too many")
    span = captured.one("log_in")
    assert (span.status, span.input and span.input.value) == ("error", {})


def test_a_function_that_shows_another_signature_than_it_takes_is_called_as_before(captured: Captured) -> None:
    @reamon.trace_tool
    @injecting
    def query(session: str, sql: str) -> tuple[str, str]:
        return session, sql

    assert query("select") == ("session", "select")  # type: ignore[call-arg]
    assert the_input(captured) == {"args": ["select"], "kwargs": {}}


def test_no_name_of_a_parameter_gets_in_the_way(captured: Captured) -> None:
    @reamon.trace_tool
    def odd(function: int, span: int = 2, *args: int, error: int = 3, reamon_span: int = 4, **kwargs: int) -> int:
        return function + span + sum(args) + error + reamon_span + sum(kwargs.values())

    assert odd(1, 2, 3, error=4, reamon_span=5, result=6) == 21
    shown = {"function": 1, "span": 2, "args": [3], "error": 4, "reamon_span": 5, "result": 6}
    assert the_input(captured) == shown


# -- set-up mistakes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"ignore": ("pasword",)}, "pasword"),
        ({"ignore": "password"}, "ignore"),
        ({"ignore": 5}, "ignore"),
        ({"capture": "both"}, "both"),
        ({"reduce": "".join}, "generators"),
        ({"reduce": "join"}, "reduce"),
        ({"name": 5}, "name"),
    ],
)
def test_a_wrong_option_is_refused_when_decorating(options: dict[str, Any], named: str) -> None:
    with pytest.raises(DecoratorError, match=named):
        reamon.trace_tool(**options)(coroutine)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tags": "outbound"}, "tags"),
        ({"tags": 5}, "tags"),
        ({"metadata": 5}, "metadata"),
        ({"metadata": "ab"}, "meta"),
    ],
)
def test_a_wrong_option_of_a_workflow_is_refused_when_decorating(options: dict[str, Any], named: str) -> None:
    with pytest.raises(DecoratorError, match=named):
        reamon.trace_workflow(**options)


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="captur"):
        reamon.trace_tool(captur=False)  # type: ignore[call-overload]


def test_options_given_beside_the_function_count(captured: Captured) -> None:
    reamon.trace_agent(sync, agent_type="qualification")(1)  # type: ignore[call-overload]
    assert captured.one("sync").agent_type == "qualification"


@pytest.mark.parametrize(("target", "named"), [(Agent, "Agent"), (5, "5"), (None, "None"), (property(), "property")])
def test_what_cannot_be_traced_is_refused_when_decorating(target: Any, named: str) -> None:
    with pytest.raises(DecoratorError, match=named):
        reamon.trace_tool("named")(target)
