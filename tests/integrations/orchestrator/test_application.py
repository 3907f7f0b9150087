"""Applications: orchestrators and agents, as classes and as live objects, now and later, and as they were before."""

import asyncio
from typing import Any

import pydantic
import pytest

import reamon
from reamon.testing import Captured
from support.trees import tree


class Agent:
    """An agent by its shape."""

    def __init__(self, agent_type: str) -> None:
        self.agent_type = agent_type

    async def execute_with_timeout(self, context: dict[str, Any], user_input: str) -> dict[str, Any]:
        return await self.process(context, user_input)

    async def process(self, context: dict[str, Any], user_input: str) -> dict[str, Any]:
        if user_input == "crash":
            raise LookupError("no such lead")
        return {"response_text": f"{self.agent_type}: {user_input}", "should_end_call": user_input == "bye"}


class Orchestrator:
    """An orchestrator by its shape, which swallows what goes wrong."""

    def __init__(self) -> None:
        self.agents = {"greeter": Agent("greeter"), "analyst": Agent("analyst")}
        self.background: list[asyncio.Task[Any]] = []

    async def process_input(self, call_id: str, user_input: str, lead_data: Any = None) -> Any:
        try:
            answer = await self.agents["greeter"].execute_with_timeout({}, user_input)
        except LookupError:
            answer = {"response_text": "sorry"}
        self.background.append(asyncio.create_task(self.agents["analyst"].execute_with_timeout({}, "hello")))
        return answer


async def turn(orchestrator: Any, user_input: str = "hello") -> Any:
    """One turn, with what it leaves in the background."""
    answer = await orchestrator.process_input("call-1", user_input)
    await asyncio.gather(*orchestrator.background)
    return answer


TURN = """\
workflow process_input
  agent greeter
    step process
  agent analyst
    step process"""


async def test_one_line_records_the_turns_of_a_class_and_the_agents_of_its_objects(captured: Captured) -> None:
    with reamon.instrument(Orchestrator):
        assert await turn(Orchestrator()) == {"response_text": "greeter: hello", "should_end_call": False}
    assert tree(captured.spans) == TURN
    assert {span.call_id for span in captured.spans} == {"call-1"}


async def test_what_runs_on_after_the_turn_is_linked_to_it_and_marked(captured: Captured) -> None:
    with reamon.instrument(Orchestrator):
        await turn(Orchestrator())
    late = {span.name: span.attributes.get("reamon.late") for span in captured.spans if span.kind == "agent"}
    assert late == {"greeter": None, "analyst": True}


async def test_objects_that_were_made_before_count_too(captured: Captured) -> None:
    orchestrator = Orchestrator()
    with reamon.instrument(Orchestrator):
        await turn(orchestrator)
    assert tree(captured.spans) == TURN


async def test_a_live_object_alone_can_be_instrumented(captured: Captured) -> None:
    one, other = Orchestrator(), Orchestrator()
    with reamon.instrument(one):
        await turn(other)
        assert captured.spans == []
        await turn(one)
    assert tree(captured.spans) == TURN


async def test_agents_can_be_left_out(captured: Captured) -> None:
    with reamon.instrument(Orchestrator, agents=False, name="turn"):
        await turn(Orchestrator())
    assert tree(captured.spans) == "workflow turn"


async def test_the_order_does_not_matter_and_nothing_is_recorded_twice(captured: Captured) -> None:
    orchestrator = Orchestrator()
    targets: list[Any] = [Agent, orchestrator.agents["greeter"], orchestrator, Orchestrator]
    for order in (targets, list(reversed(targets))):
        for target in order:
            reamon.instrument(target)
        captured.clear()
        await turn(orchestrator)
        assert tree(captured.spans) == TURN
        reamon.uninstrument()


async def test_subclasses_now_and_later_count_too(captured: Captured) -> None:
    class Before(Agent):
        async def process(self, context: dict[str, Any], user_input: str) -> dict[str, Any]:
            return {"response_text": "before"}

    with reamon.instrument(Agent):

        class After(Agent):
            async def process(self, context: dict[str, Any], user_input: str) -> dict[str, Any]:
                return {"response_text": "after"}

        for kind in (Before, After):
            await kind("x").execute_with_timeout({}, "hello")
    assert tree(captured.spans) == "agent x\n  step process\nagent x\n  step process"
    captured.clear()
    await After("x").execute_with_timeout({}, "hello")
    await Before("x").execute_with_timeout({}, "hello")
    assert captured.spans == []


async def test_a_subclass_hook_of_the_application_goes_on_working() -> None:
    made = []

    class Base(Agent):
        def __init_subclass__(cls, tag: str = "", **more: Any) -> None:
            super().__init_subclass__(**more)
            made.append(tag)

    with reamon.instrument(Base):
        type("Sub", (Base,), {}, tag="a")
    type("Sub", (Base,), {}, tag="b")
    assert made == ["a", "b"]


async def test_an_answer_after_a_swallowed_error_is_a_degraded_turn(captured: Captured) -> None:
    with reamon.instrument(Orchestrator):
        assert await turn(Orchestrator(), "crash") == {"response_text": "sorry"}
    assert tree(captured.spans).splitlines()[0] == "workflow process_input [degraded]"
    root = next(span for span in captured.spans if span.kind == "workflow")
    assert root.error is not None
    assert root.error.message == "no such lead"


async def test_a_turn_that_ends_the_call_says_so(captured: Captured) -> None:
    with reamon.instrument(Orchestrator):
        await turn(Orchestrator(), "bye")
    assert next(span for span in captured.spans if span.kind == "workflow").attributes["reamon.end_call"] is True


def test_a_synchronous_orchestrator_is_recorded_as_well(captured: Captured) -> None:
    class Plain:
        def process_input(self, call_id: str, text: str) -> str:
            return text.upper()

    with reamon.instrument(Plain):
        assert Plain().process_input("call-2", "hello") == "HELLO"
    (root,) = captured.spans
    assert (root.kind, root.call_id, root.input and root.input.value) == (
        "workflow",
        "call-2",
        {"call_id": "call-2", "text": "hello"},
    )


async def test_afterwards_everything_is_as_it_was(captured: Captured) -> None:
    before = [dict(vars(kind)) for kind in (Agent, Orchestrator)]
    orchestrator = Orchestrator()
    attributes = dict(vars(orchestrator))
    handles = [reamon.instrument(target) for target in (Agent, Orchestrator, orchestrator)]
    await turn(orchestrator)
    for handle in handles:
        handle.uninstrument()
        handle.uninstrument()
    captured.clear()
    await turn(orchestrator)
    assert captured.spans == []
    assert [dict(vars(kind)) for kind in (Agent, Orchestrator)] == before
    assert vars(orchestrator) == attributes


def test_an_object_that_takes_no_attributes_is_refused() -> None:
    class Slotted:
        __slots__ = ("agent_type",)

        def process(self, context: Any) -> None: ...

    with pytest.raises(reamon.ConfigurationError, match=r"takes no attributes; instrument its class"):
        reamon.instrument(Slotted())


def test_an_agent_that_takes_no_attributes_is_refused_and_nothing_stays_behind() -> None:
    class Model(pydantic.BaseModel):
        agent_type: str = "greeter"

        def process(self, context: dict[str, Any]) -> str:
            return "hello"

    orchestrator = Orchestrator()
    orchestrator.greeter = Model()  # type: ignore[attr-defined]
    before = dict(vars(orchestrator))
    with pytest.raises(
        reamon.ConfigurationError, match=r"an object of .*Model takes no attributes; instrument its class"
    ):
        reamon.instrument(orchestrator)
    assert vars(orchestrator) == before
