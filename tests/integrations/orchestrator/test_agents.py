"""Agents: one execution is one agent span, with its decision, its wait, and the error behind an apology."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

import reamon
from reamon.errors import DecoratorError
from reamon.integrations.orchestrator import trace_agent_execution
from reamon.model import Span
from reamon.testing import Captured
from support.trees import tree

Work = Callable[[dict[str, Any]], Awaitable[Any]]
APOLOGY = {"response_text": "sorry", "decision": {"action": "apologize", "confidence": 0.0}}


class Kind(Enum):
    """The types of agents."""

    GREETER = "greeter"


@dataclass
class Answer:
    """An answer as applications have it."""

    response_text: str
    decision: dict[str, Any] = field(default_factory=dict)
    should_escalate_tier: bool = False
    should_end_call: bool = False
    cost_usd: Decimal | None = None


class Agent:
    """An agent that swallows what goes wrong in its work."""

    agent_type = Kind.GREETER

    def __init__(self, work: Work, *, attempts: int = 1, lock: asyncio.Lock | None = None) -> None:
        self.work = work
        self.attempts = attempts
        self.lock = lock or asyncio.Lock()

    async def process(self, context: dict[str, Any], user_input: str) -> Any:
        return await self.work(context)

    async def execute_with_timeout(self, context: dict[str, Any], user_input: str) -> Any:
        async with self.lock:
            for _ in range(self.attempts):
                try:
                    return await asyncio.wait_for(self.process(context, user_input), 0.05)
                except Exception:
                    continue
        return APOLOGY


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    with reamon.instrument(Agent):
        yield


async def greet(context: dict[str, Any]) -> Any:
    context["greeted"] = True
    return Answer("hello", {"action": "greet", "reasoning": "it rang", "confidence": 0.9, "next_agent": Kind.GREETER})


async def crash(context: dict[str, Any]) -> Any:
    raise LookupError("no such lead")


async def hang(context: dict[str, Any]) -> Any:
    await asyncio.sleep(60)


def the_agent(captured: Captured) -> Span:
    """The one agent execution that there is."""
    (agent,) = [span for span in captured.spans if span.kind == "agent"]
    return agent


async def test_the_outermost_method_is_the_agent_and_the_inner_one_a_step(captured: Captured) -> None:
    await Agent(greet).execute_with_timeout({}, "hello")
    assert tree(captured.spans) == "agent greeter -> greeter\n  step process"


async def test_the_inner_method_alone_is_the_agent_too(captured: Captured) -> None:
    await Agent(greet).process({}, "hello")
    assert tree(captured.spans) == "agent greeter -> greeter"


async def test_the_answer_is_told_as_a_decision_and_reaches_the_caller_as_it_is(captured: Captured) -> None:
    answer = Answer("bye", {"action": "end", "confidence": 0.8}, should_escalate_tier=True, should_end_call=True)

    async def end(context: dict[str, Any]) -> Any:
        return answer

    assert await Agent(end).execute_with_timeout({}, "bye") is answer
    agent = the_agent(captured)
    assert agent.decision is not None
    assert (agent.decision.action, agent.decision.confidence, agent.decision.next_agent) == ("end", 0.8, None)
    assert (agent.attributes["reamon.escalate_tier"], agent.attributes["reamon.end_call"]) == (True, True)


async def test_the_state_is_told_as_it_was_before_and_as_it_is_after(captured: Captured) -> None:
    await Agent(greet).execute_with_timeout({"lead": "Ada"}, "hello")
    agent = the_agent(captured)
    assert agent.state_before is not None
    assert agent.state_after is not None
    assert agent.state_before.value == {"lead": "Ada"}
    assert agent.state_after.value == {"lead": "Ada", "greeted": True}


async def test_an_apology_after_an_error_is_degraded_and_names_the_error(captured: Captured) -> None:
    assert await Agent(crash).execute_with_timeout({}, "hello") == APOLOGY
    assert tree(captured.spans) == "agent greeter [degraded]\n  step process [error]"
    agent = the_agent(captured)
    assert agent.error is not None
    assert (agent.error.type, agent.error.message) == ("LookupError", "no such lead")
    assert "in crash" in agent.error.stack


async def test_an_apology_after_a_time_out_is_degraded_by_a_time_out(captured: Captured) -> None:
    assert await Agent(hang).execute_with_timeout({}, "hello") == APOLOGY
    assert tree(captured.spans) == "agent greeter [degraded]\n  step process [cancelled]"
    assert the_agent(captured).error.type == "TimeoutError"  # type: ignore[union-attr]


async def test_an_attempt_that_succeeds_makes_good_the_one_that_failed(captured: Captured) -> None:
    attempts = []

    async def second_time(context: dict[str, Any]) -> Any:
        attempts.append(1)
        return await (crash if len(attempts) == 1 else greet)(context)

    await Agent(second_time, attempts=2).execute_with_timeout({}, "hello")
    assert tree(captured.spans) == "agent greeter -> greeter\n  step process [error]\n  step process"


async def test_what_the_application_says_itself_about_how_it_went_stands(captured: Captured) -> None:
    async def knows(context: dict[str, Any]) -> Any:
        reamon.current_span().set_status("ok", "a known problem")
        raise LookupError("no such lead")

    await Agent(knows).execute_with_timeout({}, "hello")
    step = next(span for span in captured.spans if span.kind == "step")
    assert step.status == "error", "an exception that leaves a span wins over what was said"


async def test_an_agent_that_is_cancelled_from_outside_is_cancelled(captured: Captured) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Agent(hang).execute_with_timeout({}, "hello"), 0.01)
    assert tree(captured.spans) == "agent greeter [cancelled]\n  step process [cancelled]"


async def test_an_exception_that_leaves_the_agent_is_its_error_and_goes_on_unchanged(captured: Captured) -> None:
    with pytest.raises(LookupError, match="no such lead"):
        await Agent(crash).process({}, "hello")
    assert tree(captured.spans) == "agent greeter [error]"


async def test_the_wait_for_a_lock_is_told_apart_from_work(captured: Captured) -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    waiting = asyncio.create_task(Agent(greet, lock=lock).execute_with_timeout({}, "hello"))
    await asyncio.sleep(0.1)
    lock.release()
    await waiting
    agent = the_agent(captured)
    assert agent.queue_wait_ns is not None
    assert 0.05e9 <= agent.queue_wait_ns <= (agent.duration_ns or 0)


async def test_the_cost_that_an_answer_states_is_recorded_once(captured: Captured) -> None:
    async def costly(context: dict[str, Any]) -> Any:
        return Answer("hello", cost_usd=Decimal("0.002"))

    await Agent(costly).execute_with_timeout({}, "hello")
    assert [cost.amount for span in captured.spans for cost in span.costs] == [Decimal("0.002")]


async def test_agents_at_once_keep_apart(captured: Captured) -> None:
    agents = [Agent(greet if number % 2 else crash) for number in range(20)]
    await asyncio.gather(*(agent.execute_with_timeout({}, "hello") for agent in agents))
    assert tree(captured.spans).splitlines().count("agent greeter [degraded]") == 10


async def test_an_overridden_method_that_calls_the_one_above_is_one_step(captured: Captured) -> None:
    class Polite(Agent):
        async def process(self, context: dict[str, Any], user_input: str) -> Any:
            return await super().process(context, user_input.strip())

    await Polite(greet).execute_with_timeout({}, " hello ")
    assert tree(captured.spans) == "agent greeter -> greeter\n  step process"


async def test_another_agent_inside_of_an_agent_is_an_agent_of_its_own(captured: Captured) -> None:
    class Checker(Agent):
        agent_type = "checker"  # type: ignore[assignment]

    async def delegate(context: dict[str, Any]) -> Any:
        return await Checker(greet).execute_with_timeout(context, "check")

    await Agent(delegate).execute_with_timeout({}, "hello")
    assert (
        tree(captured.spans)
        == """\
agent greeter -> greeter
  step process
    agent checker -> greeter
      step process"""
    )


async def test_with_nothing_configured_or_suppressed_it_runs_as_ever(captured: Captured) -> None:
    with reamon.suppress():
        assert await Agent(crash).execute_with_timeout({}, "hello") == APOLOGY
    assert captured.spans == []


async def test_an_agent_type_that_cannot_be_read_costs_the_record_and_not_the_answer(captured: Captured) -> None:
    class Odd(Agent):
        @property
        def agent_type(self) -> str:  # type: ignore[override]
            raise RuntimeError("not yet")

    with reamon.guard.guard.relaxed():
        answer = await Odd(greet).execute_with_timeout({}, "hello")
    assert answer.response_text == "hello"


# -- the decorator ----------------------------------------------------------------------------------------------------


class Decorated:
    """An agent with drop-in decorators, and no instrumentation."""

    agent_type = Kind.GREETER

    @trace_agent_execution
    async def execute_with_timeout(self, context: dict[str, Any], user_input: str) -> Any:
        try:
            return await self.process(context, user_input)
        except LookupError:
            return APOLOGY

    @trace_agent_execution
    async def process(self, context: dict[str, Any], user_input: str) -> Any:
        if user_input == "crash":
            raise LookupError("no such lead")
        return Answer("hello", {"action": "greet", "confidence": 0.9})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("hello", "agent greeter\n  step process"),
        ("crash", "agent greeter [degraded]\n  step process [error]"),
    ],
)
async def test_the_decorator_does_the_same_for_methods(captured: Captured, said: str, expected: str) -> None:
    await Decorated().execute_with_timeout({}, said)
    assert tree(captured.spans) == expected


def test_the_decorator_takes_an_agent_type_and_serves_functions(captured: Captured) -> None:
    @trace_agent_execution(agent_type=Kind.GREETER)
    def first(context: dict[str, Any]) -> str:
        return "hello"

    @trace_agent_execution("booker")
    def second(context: dict[str, Any]) -> str:
        return first(context)

    @trace_agent_execution
    def third(context: dict[str, Any]) -> str:
        return second(context)

    assert third({}) == "hello"
    assert tree(captured.spans) == "agent third\n  agent booker\n    agent greeter"


def test_the_decorator_refuses_what_is_no_function() -> None:
    with pytest.raises(DecoratorError, match="is no function"):
        trace_agent_execution(3)
