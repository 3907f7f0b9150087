"""Model clients: an application that calls Ollama by hand, and tries again when it is busy; each request is recorded.

A transport that answers by itself stands for the network.

It prints:
It is sunny in Graz.
error  HTTP 503: {"error":"busy"}
ok     21 tokens in, 6 out
"""

from collections.abc import Iterator

import httpx

import reamon
from reamon.exporters import MemoryExporter


def ask(client: httpx.Client, question: str) -> str:
    """The application, which knows nothing of reamon."""
    messages = [{"role": "user", "content": question}]
    while True:
        response = client.post("/api/chat", json={"model": "llama3.2", "messages": messages, "stream": False})
        if response.is_success:
            return str(response.json()["message"]["content"])


def network() -> httpx.MockTransport:
    """Ollama, busy at first."""
    message = {"role": "assistant", "content": "It is sunny in Graz."}
    answer = {"message": message, "done": True, "prompt_eval_count": 21, "eval_count": 6}
    responses: Iterator[httpx.Response] = iter(
        [httpx.Response(503, content=b'{"error":"busy"}'), httpx.Response(200, json=answer)]
    )
    return httpx.MockTransport(lambda _: next(responses))


if __name__ == "__main__":
    memory = MemoryExporter()
    reamon.configure(exporters=[memory])
    reamon.instrument("ollama")
    with httpx.Client(base_url="http://localhost:11434", transport=network()) as client:
        print(ask(client, "How is the weather in Graz?"))
    reamon.flush()
    for call in memory.named("chat"):
        used = [f"{usage.input_tokens} tokens in, {usage.output_tokens} out" for usage in call.usage]
        print(f"{call.status:6} {call.status_reason or used[0]}")
