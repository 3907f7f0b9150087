"""The model service: a logical call goes through a queue to workers, which make the physical requests."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp

WORKERS = 3
ATTEMPTS = 5


@dataclass
class ModelAnswer:
    """What came of a logical call."""

    text: str
    input_tokens: int
    output_tokens: int


@dataclass
class ModelRequest:
    """A logical call while it waits for a worker."""

    prompt: str
    model: str
    answer: "asyncio.Future[ModelAnswer]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ModelService:
    """Speaks to an Ollama server."""

    def __init__(self, url: str, model: str = "llama3.1") -> None:
        self.url = url
        self.model = model
        self.cache: dict[str, ModelAnswer] = {}
        self.queue: asyncio.Queue[ModelRequest] = asyncio.Queue()
        self.workers: list[asyncio.Task[None]] = []
        self.session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start the workers, long before the first call."""
        self.session = aiohttp.ClientSession()
        self.workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]

    async def stop(self) -> None:
        """Stop the workers."""
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)
        if self.session is not None:
            await self.session.close()

    async def generate(self, prompt: str) -> ModelAnswer:
        """One logical call: from the cache, or through the queue."""
        cached = self.cache.get(prompt)
        if cached is not None:
            return cached
        request = ModelRequest(prompt, self.model)
        await self.queue.put(request)
        answer = await request.answer
        self.cache[prompt] = answer
        return answer

    async def _work(self) -> None:
        while True:
            request = await self.queue.get()
            try:
                answer = await self._ask(request)
                if not request.answer.done():
                    request.answer.set_result(answer)
            except Exception as error:
                if not request.answer.done():
                    request.answer.set_exception(error)
            finally:
                self.queue.task_done()

    async def _ask(self, request: ModelRequest) -> ModelAnswer:
        """Try until it works; each attempt is a request that may be billed."""
        last: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                return await self._post(request)
            except aiohttp.ClientError as error:
                last = error
        raise RuntimeError(f"the model did not answer {ATTEMPTS} times") from last

    async def _post(self, request: ModelRequest) -> ModelAnswer:
        """One physical request."""
        assert self.session is not None
        body: dict[str, Any] = {"model": request.model, "prompt": request.prompt, "stream": False}
        async with self.session.post(f"{self.url}/api/generate", json=body) as response:
            response.raise_for_status()
            said = await response.json()
        return ModelAnswer(said["response"], said["prompt_eval_count"], said["eval_count"])
