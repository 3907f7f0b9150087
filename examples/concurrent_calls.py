"""Calls at once on one event loop: every span finds its own parent, whatever runs in between.

It prints:
call-1: greeting > answer
call-2: greeting > answer
call-3: greeting > answer
"""

import asyncio

import reamon
from reamon.exporters import MemoryExporter


@reamon.trace_llm
async def answer(text: str) -> str:
    """Stands for a model call, which takes longer for some calls than for others."""
    await asyncio.sleep(0.001 * len(text))
    reamon.current_span().record_usage(provider="openai", model="gpt-4o", input_tokens=len(text), output_tokens=3)
    return "Good morning!"


@reamon.trace_agent
async def greeting(text: str) -> str:
    """An agent that asks its model."""
    return await answer(text)


@reamon.trace_workflow
async def turn(call_id: str, text: str) -> str:
    """One turn; the parameter `call_id` says which conversation it belongs to."""
    return await greeting(text)


async def main() -> None:
    """Three calls at once."""
    async with asyncio.TaskGroup() as calls:
        for number in (1, 2, 3):
            calls.create_task(turn(f"call-{number}", "hello " * (4 - number)))


if __name__ == "__main__":
    memory = MemoryExporter()
    reamon.configure(exporters=[memory])
    asyncio.run(main())
    reamon.flush()
    names: dict[str | None, str] = {span.span_id: span.name for span in memory.spans}
    for model_call in sorted(memory.named("answer"), key=lambda span: span.call_id or ""):
        print(f"{model_call.call_id}: {names[model_call.parent_id]} > {model_call.name}")
