"""The model server: `/v1/chat/completions` on the loopback, answered from the script.

It runs in a process of its own, so that the time it takes is never taken from the application that is measured. It
counts what it served (`/served`), which is what a provider would bill. No real provider is contacted.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from types import TracebackType
from typing import IO, Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from reamon.demo.script import Completion, Script
from reamon.errors import ReamonError

SECONDS_BETWEEN_PIECES = 0.006
RETRY_AFTER_MS = 25
_EXIT_SECONDS = 5
_KEEP_ALIVE_SECONDS = 60


class ModelServer:
    """Runs the server in a process of its own, for the length of a `with` block.

    Args:
        seed: The seed of the script.

    Example:
        >>> with ModelServer(seed=7) as server:  # doctest: +SKIP
        ...     client = AsyncOpenAI(base_url=server.base_url, api_key="none")

    Raises:
        ReamonError: The server did not start; its own words are on stderr.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._process: subprocess.Popen[str] | None = None
        self.origin = ""

    @property
    def base_url(self) -> str:
        """What an OpenAI client is pointed at."""
        return f"{self.origin}/v1"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "reamon.demo.model_server", "--seed", str(self._seed)]
        # A session of its own: Ctrl-C is for the campaign, which then still gets the answers that are under way.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.origin = _first_line(self._process.stdout)
        if not self.origin:
            self.__exit__(None, None, None)
            raise ReamonError(f"the model server did not start: run {' '.join(command)} to see why")
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def create_app(seed: int) -> Starlette:
    """The server as an ASGI application."""
    desk = _Desk(Script(seed))
    return Starlette(
        routes=[
            Route("/v1/chat/completions", desk.completions, methods=["POST"]),
            Route("/served", desk.report),
        ]
    )


class _Desk:
    """Answers requests, and counts what it answered."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._served: Counter[str] = Counter()

    async def completions(self, request: Request) -> Response:
        body = await request.json()
        self._served["requests"] += 1
        attempt = int(request.headers.get("x-stainless-retry-count", "0"))
        status = self._script.failure(body, attempt)
        if status is not None:
            return self._refuse(status)
        completion = self._script.complete(body)
        await asyncio.sleep(completion.seconds)
        if body.get("stream"):
            return StreamingResponse(self._stream(body, completion), media_type="text/event-stream")
        return self._whole(body, completion)

    async def report(self, _: Request) -> Response:
        return JSONResponse(self._served)

    def _refuse(self, status: int) -> Response:
        self._served[f"status_{status}"] += 1
        message = "Rate limit reached." if status == 429 else "The model is overloaded."
        headers = {"retry-after-ms": str(RETRY_AFTER_MS)}
        return JSONResponse({"error": {"message": message, "type": "server_error"}}, status, headers)

    def _whole(self, body: dict[str, Any], completion: Completion) -> Response:
        self._count(completion)
        message = {"role": "assistant", "content": completion.text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse(_envelope(body, "chat.completion", choices=[choice], usage=_usage(completion)))

    async def _stream(self, body: dict[str, Any], completion: Completion) -> AsyncIterator[str]:
        for piece in completion.pieces:
            yield _event(_chunk(body, {"role": "assistant", "content": piece}, None))
            await asyncio.sleep(SECONDS_BETWEEN_PIECES)
        yield _event(_chunk(body, {}, "stop"))
        if body.get("stream_options", {}).get("include_usage"):
            yield _event(_envelope(body, "chat.completion.chunk", choices=[], usage=_usage(completion)))
        self._count(completion)
        yield "data: [DONE]\n\n"

    def _count(self, completion: Completion) -> None:
        self._served["answers"] += 1
        self._served["input_tokens"] += completion.input_tokens
        self._served["output_tokens"] += completion.output_tokens


def _envelope(body: dict[str, Any], kind: str, **content: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-demo", "object": kind, "created": int(time.time()), "model": body["model"], **content}


def _chunk(body: dict[str, Any], delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _envelope(body, "chat.completion.chunk", choices=[choice])


def _usage(completion: Completion) -> dict[str, int]:
    return {
        "prompt_tokens": completion.input_tokens,
        "completion_tokens": completion.output_tokens,
        "total_tokens": completion.input_tokens + completion.output_tokens,
    }


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _first_line(stream: IO[str] | None) -> str:
    return stream.readline().strip() if stream else ""


def serve(seed: int) -> None:
    """Serve on a free port of the loopback, print the address, and stop when stdin closes.

    Stdin closes however the campaign ends, kill -9 included: the server never outlives it.
    """
    # asyncio sends small pieces at once (TCP_NODELAY) only on sockets that say they are TCP. Those of `create_server`
    # do not: a stream would wait for the kernel's 40 ms and arrive in one lump.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(create_app(seed), log_level="warning", timeout_keep_alive=_KEEP_ALIVE_SECONDS)
        server = uvicorn.Server(config)
        threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
        # The socket listens already: a client that comes before uvicorn is ready waits and is not refused.
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        server.run(sockets=[listener])


def _stop_with_stdin(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve the demo's scripted model.")
    parser.add_argument("--seed", type=int, default=7)
    serve(parser.parse_args().seed)
