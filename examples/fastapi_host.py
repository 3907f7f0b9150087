"""A FastAPI host that monitors itself: two lines at start-up, and each request is a workflow with its call's id.

It needs no port: a client in the same process asks it, as a server would, and the program ends by itself.

It prints:
200 sold for 270000
POST /calls/{call_id}/offers completed, call c-1, HTTP 200
  look up Hill Road
200 {'status': 'up'}
recorded: 2 spans, none of the health check
"""

import asyncio

import httpx
from fastapi import FastAPI

import reamon
from reamon.exporters import MemoryExporter
from reamon.integrations.asgi import ReamonMiddleware

memory = MemoryExporter()
reamon.configure(exporters=[memory])

app = FastAPI()
app.add_middleware(ReamonMiddleware, trace=True)  # trace=True, as nothing else here opens a workflow


@app.get("/health")
async def health() -> dict[str, str]:
    """Asked for every second; nothing is recorded."""
    return {"status": "up"}


@app.post("/calls/{call_id}/offers")
async def offer(call_id: str, street: str) -> str:
    """What a house is sold for."""
    with reamon.trace_retrieval(f"look up {street}"):
        price = 30_000 * len(street)
    return f"sold for {price}"


async def main() -> None:
    """Ask as a browser would."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        response = await client.post("/calls/c-1/offers", params={"street": "Hill Road"})
        print(response.status_code, response.json())
        reamon.flush()
        for workflow in memory.spans:
            if workflow.kind == "workflow":
                status = "completed" if workflow.status == "ok" else workflow.status
                code = workflow.attributes["http.response.status_code"]
                print(f"{workflow.name} {status}, call {workflow.call_id}, HTTP {code}")
                for span in memory.spans:
                    if span.parent_id == workflow.span_id:
                        print(f"  {span.name}")
        response = await client.get("/health")
        print(response.status_code, response.json())


if __name__ == "__main__":
    asyncio.run(main())
    reamon.flush()
    print(f"recorded: {len(memory.spans)} spans, none of the health check")
