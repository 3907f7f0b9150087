"""What a type checker sees of decorated functions: the signature that was there before. Checked by `nox -s types`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from typing import Any, Literal, assert_type

import reamon


@reamon.trace_workflow
def bare(call_id: str, *, attempt: int = 1) -> bool:
    """Bare decorator."""
    return attempt > 0


@reamon.trace_workflow("turn", call_id="call", tags=["outbound"], metadata={"tenant": 7})
def with_arguments(call: int) -> str:
    """Decorator with arguments."""
    return str(call)


@reamon.trace_agent(agent_type="qualification")
async def coroutine(text: str) -> dict[str, float]:
    """Coroutine function."""
    return {text: 1.0}


@reamon.trace_llm
def generator(prompt: str) -> Iterator[str]:
    """Generator function."""
    yield prompt


@reamon.trace_llm(reduce="".join, capture="output")
async def async_generator(prompt: str) -> AsyncIterator[str]:
    """Async generator function."""
    yield prompt


class Agent:
    """Methods of every sort."""

    @reamon.trace_tool
    def method(self, number: int) -> int:
        """Method."""
        return number

    @classmethod
    @reamon.trace_tool
    def inside_classmethod(cls, number: int) -> "Agent":
        """Decorated below `classmethod`."""
        return cls()

    @staticmethod
    @reamon.trace_tool
    def inside_staticmethod(number: int) -> float:
        """Decorated below `staticmethod`."""
        return number / 2

    @reamon.trace_tool
    @classmethod
    def outside_classmethod(cls, number: int) -> "Agent":
        """Decorated above `classmethod`."""
        return cls()


assert_type(bare("c-1", attempt=2), bool)
assert_type(with_arguments(4711), str)
assert_type(generator("hello"), Iterator[str])
assert_type(async_generator("hello"), AsyncIterator[str])
assert_type(Agent().method(1), int)
assert_type(Agent.inside_classmethod(1), Agent)
assert_type(Agent.inside_staticmethod(1), float)
assert_type(Agent.outside_classmethod(1), Agent)

bare(4711)  # type: ignore[arg-type]
with_arguments()  # type: ignore[call-arg]
reamon.trace_tool(4711)  # type: ignore[call-overload]
reamon.trace_step(captur=False)  # type: ignore[call-overload]


@reamon.trace_step
def overlapping(kind: Literal["a", "b"], callback: Callable[[int], Awaitable[None]]) -> Generator[int, str, None]:
    """Parameters and a result whose types have parameters."""
    yield 1


assert_type(overlapping("a", coroutine_callback := lambda _: coroutine_none()), Generator[int, str, None])
overlapping("c", coroutine_callback)  # type: ignore[arg-type]


async def awaited() -> None:
    """A coroutine function that was decorated is one still."""
    pending = coroutine("hello")
    _: Coroutine[Any, Any, dict[str, float]] = assert_type(pending, Coroutine[Any, Any, dict[str, float]])
    assert_type(await pending, dict[str, float])


async def coroutine_none() -> None:
    """Nothing."""


def context_managers() -> None:
    """A block that is traced has a handle with all its methods."""
    with reamon.trace_agent("scheduler") as span:
        span.set_attribute("lead", 7)
        span.record_usage(provider="openai", model="gpt-4o", input_tokens=1)
        span.record_decision(next_agent="analytics", confidence=0.9)
        span.set_atribute("lead", 7)  # type: ignore[union-attr]
    handle = reamon.start_span("telephony", "call")
    handle.end()
    assert_type(reamon.current_trace_id(), str)
    assert_type(reamon.flush(timeout=1.0), bool)
