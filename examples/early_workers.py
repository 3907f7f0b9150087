"""Workers that were started before: the queue, and the request object, say whose work it is.

It prints:
turn c-1
  conversation
    generate
turn c-2
  conversation
    generate
call back, later: a child of turn c-2, marked late
"""

import asyncio
from dataclasses import dataclass, field

import reamon
from reamon.exporters import MemoryExporter
from reamon.tracing import Handover


@dataclass
class Request:
    """What is asked of the model. `work` says on whose account, whoever gets to see the request."""

    prompt: str
    answer: asyncio.Future[str]
    work: Handover = field(default_factory=reamon.handover)


async def model_worker(requests: asyncio.Queue[Request]) -> None:
    """Serves the model's queue. It knows nothing of reamon; it is started before any call comes in."""
    while True:
        request = await requests.get()
        request.answer.set_result(await generate(request.prompt))
        requests.task_done()


@reamon.trace_llm
async def generate(prompt: str) -> str:
    """The model."""
    return prompt.upper()


async def turn(call_id: str, requests: asyncio.Queue[Request]) -> Request:
    """One turn of a call."""
    with reamon.trace_workflow(f"turn {call_id}", call_id=call_id), reamon.trace_agent("conversation"):
        request = Request("good morning", asyncio.get_running_loop().create_future())
        await requests.put(request)
        await request.answer
        return request


async def main() -> None:
    """Two turns, and something that is done for the second one when it is over."""
    requests: asyncio.Queue[Request] = asyncio.Queue()
    worker = asyncio.create_task(model_worker(requests))
    reamon.instrument(requests)  # what a worker takes out of it is done below whoever put it in
    await turn("c-1", requests)
    request = await turn("c-2", requests)
    with request.work:  # the same by hand, for what has no queue
        reamon.start_span("telephony", "call back").end()
    worker.cancel()


if __name__ == "__main__":
    memory = MemoryExporter()
    reamon.configure(exporters=[memory])
    asyncio.run(main())
    reamon.flush()
    for workflow in memory.named("turn c-1") + memory.named("turn c-2"):
        print(workflow.name)
        for agent in memory.named("conversation"):
            if agent.parent_id == workflow.span_id:
                print(f"  {agent.name}")
                for call in memory.named("generate"):
                    if call.parent_id == agent.span_id:
                        print(f"    {call.name}")
    (call_back,) = memory.named("call back")
    (second,) = memory.named("turn c-2")
    late = "marked late" if call_back.attributes.get("reamon.late") else "in time"
    print(f"call back, later: a child of {'turn c-2' if call_back.trace_id == second.trace_id else 'none'}, {late}")
