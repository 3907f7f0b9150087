"""Any interleaving of spans, however they are made, gives a well-formed forest."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import reamon
from reamon.model import Span
from reamon.testing import capture_spans

KINDS = {
    "workflow": reamon.trace_workflow,
    "agent": reamon.trace_agent,
    "llm": reamon.trace_llm,
    "tool": reamon.trace_tool,
}
WAYS = ("block", "function", "coroutine", "generator", "async generator", "manual", "task", "late task")
plans = st.recursive(
    st.just([]),
    lambda inner: st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(WAYS), inner), max_size=4),
    max_leaves=12,
)


class Player:
    """Plays a plan: each step makes one span, in one of the ways there are, around the steps below it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.expected: dict[str, str | None] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def play(self, plan: list[Any], parent: str | None) -> None:
        for kind, way, below in plan:
            name = self.note(kind, parent)
            await getattr(self, way.replace(" ", "_"))(KINDS[kind], name, below)

    def note(self, kind: str, parent: str | None) -> str:
        """The name of one more span, which should be below `parent`."""
        name = f"{kind} {self.number}.{len(self.expected)}"
        self.expected[name] = parent
        return name

    async def block(self, trace: Any, name: str, below: list[Any]) -> None:
        async with trace(name):
            await asyncio.sleep(0)
            await self.play(below, name)

    async def coroutine(self, trace: Any, name: str, below: list[Any]) -> None:
        @trace(name)
        async def run() -> None:
            await self.play(below, name)
            await asyncio.sleep(0)

        await run()

    async def function(self, trace: Any, name: str, below: list[Any]) -> None:
        @trace(name)
        def run() -> asyncio.Task[None]:
            return asyncio.create_task(self.play(below, name))

        await run()

    async def generator(self, trace: Any, name: str, below: list[Any]) -> None:
        @trace(name)
        def run() -> Any:
            for step in below:
                yield asyncio.create_task(self.play([step], name))

        for task in run():
            await task

    async def async_generator(self, trace: Any, name: str, below: list[Any]) -> None:
        @trace(name)
        async def run() -> Any:
            for step in below:
                await self.play([step], name)
                yield name

        async for _ in run():
            await asyncio.sleep(0)

    async def manual(self, trace: Any, name: str, below: list[Any]) -> None:
        span = reamon.start_span(name.partition(" ")[0], name)
        for kind, _, _ in below:
            reamon.start_span(kind, self.note(kind, name), parent=span).end()
            await asyncio.sleep(0)
        span.end()

    async def task(self, trace: Any, name: str, below: list[Any]) -> None:
        await asyncio.gather(self.block(trace, name, below), asyncio.sleep(0))

    async def late_task(self, trace: Any, name: str, below: list[Any]) -> None:
        self.tasks.append(asyncio.create_task(self.block(trace, name, below)))

    async def run(self, plan: list[Any]) -> None:
        await self.play(plan, None)
        while self.tasks:
            await self.tasks.pop()


def check_forest(spans: list[Span], expected: dict[str, str | None]) -> None:
    """Every span is there once, below the one that it should be below, in its trace and in its time."""
    by_id = {span.span_id: span for span in spans}
    by_name = {span.name: span for span in spans}
    assert len(by_id) == len(by_name) == len(spans) == len(expected)
    for span in spans:
        outer = expected[span.name]
        assert span.end_ns is not None
        assert span.end_ns >= span.start_ns
        if span.kind == "workflow" or outer is None:
            assert (span.parent_id, span.trace_id, span.ancestors) == (None, span.span_id, ())
            assert [link.span_id for link in span.links] == ([by_name[outer].span_id] if outer else [])
            continue
        parent = by_name[outer]
        assert span.parent_id == parent.span_id
        assert span.trace_id == parent.trace_id
        assert span.ancestors == (*parent.ancestors, parent.span_id)
        assert span.ancestors[0] == span.trace_id
        assert span.start_ns >= parent.start_ns
        agents = [span_id for span_id in (*span.ancestors, span.span_id) if by_id[span_id].kind == "agent"]
        assert span.agent_id == (agents[-1] if agents else None)
    for trace_id in {span.trace_id for span in spans}:
        started = sorted((s for s in spans if s.trace_id == trace_id and s.kind == "agent"), key=lambda s: s.span_id)
        assert [span.execution_order for span in started] == list(range(1, len(started) + 1))


@settings(max_examples=60)
@given(st.lists(plans, min_size=1, max_size=4))
def test_any_interleaving_gives_a_well_formed_forest(many: list[list[Any]]) -> None:
    async def play_all(players: list[Player]) -> None:
        await asyncio.gather(*(player.run(plan) for player, plan in zip(players, many, strict=True)))
        assert reamon.current_trace_id() == ""

    players = [Player(number) for number in range(len(many))]
    with capture_spans() as captured:
        asyncio.run(play_all(players))
    check_forest(captured.spans, {name: parent for player in players for name, parent in player.expected.items()})
