"""Promises: methods whose decorators hide that they are coroutine functions."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

import reamon
from reamon.testing import Captured
from support.trees import tree

APOLOGY = {"response_text": "sorry"}


def logged(method: Callable[..., Any]) -> Callable[..., Any]:
    """As applications write it: no coroutine function, but a function that returns a coroutine."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return call


def started(method: Callable[..., Any]) -> Callable[..., Any]:
    """What it decorates runs at once, also if nobody waits for it."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        return asyncio.ensure_future(method(*args, **kwargs))

    return call


class Agent:
    agent_type = "greeter"

    @logged
    async def execute_with_timeout(self, context: dict[str, Any], user_input: str) -> Any:
        try:
            return await asyncio.wait_for(self.process(context, user_input), 0.02)
        except TimeoutError:
            return APOLOGY

    @logged
    async def process(self, context: dict[str, Any], user_input: str) -> Any:
        context["seen"] = True
        await asyncio.sleep(0.001 if user_input == "hello" else 1)
        return {"decision": {"action": "greet"}}


class Orchestrator:
    def __init__(self) -> None:
        self.agent = Agent()

    @logged
    async def process_input(self, call_id: str, user_input: str) -> Any:
        return await self.agent.execute_with_timeout({"seen": False}, user_input)


class Model:
    @logged
    async def generate(self) -> str:
        with reamon.trace_step("inside"):
            await asyncio.sleep(0)
        return "hello"

    @started
    async def publish(self, topics: list[str]) -> None:
        topics.append("published")


@pytest.mark.parametrize("as_object", [False, True])
async def test_a_turn_and_its_agent_last_as_long_as_what_they_await(captured: Captured, as_object: bool) -> None:
    orchestrator = Orchestrator()
    with reamon.instrument(orchestrator if as_object else Orchestrator):
        assert await orchestrator.process_input("call-1", "hello") == {"decision": {"action": "greet"}}
    assert tree(captured.spans) == "workflow process_input\n  agent greeter\n    step process"
    (agent,) = captured.named("greeter")
    assert agent.decision is not None
    assert (agent.decision.action, agent.state_before and agent.state_before.value) == ("greet", {"seen": False})


async def test_what_times_out_behind_a_decorator_is_degraded(captured: Captured) -> None:
    with reamon.instrument(Orchestrator):
        assert await Orchestrator().process_input("call-1", "good morning") == APOLOGY
    assert tree(captured.spans) == (
        "workflow process_input [degraded]\n  agent greeter [degraded]\n    step process [cancelled]"
    )


async def test_named_methods_too(captured: Captured) -> None:
    with reamon.instrument(Model, methods={"generate": "llm"}):
        assert await Model().generate() == "hello"
    assert tree(captured.spans) == "llm generate\n  step inside"


async def test_what_returns_a_task_goes_on_returning_it(captured: Captured) -> None:
    topics: list[str] = []
    with reamon.instrument(Model, methods=("publish",)):
        task = Model().publish(topics)
    assert isinstance(task, asyncio.Task)
    await task
    assert topics == ["published"]


async def test_without_recording_nothing_comes_between() -> None:
    with reamon.instrument(Model, methods={"generate": "llm"}):
        coroutine = Model().generate()
        assert coroutine.__qualname__ == "Model.generate"
        assert await coroutine == "hello"
