import asyncio
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from reamon.demo.model_server import ModelServer
from reamon.demo.models import Messages, Model, Models
from reamon.demo.office import Office
from reamon.demo.script import Script

SEED = 7


class ModelsAtHand:
    """The scripted model without a server and a client."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.too_slow: set[str] = set()
        self._script = Script(SEED)

    async def decide(self, model: Model, messages: Messages) -> dict[str, Any]:
        decision: dict[str, Any] = json.loads(await self._answer(model, messages, response_format="json"))
        return decision

    async def speak(self, model: Model, messages: Messages) -> str:
        return await self._answer(model, messages)

    async def _answer(self, model: Model, messages: Messages, **more: Any) -> str:
        self.asked.append(model.name)
        if messages[-1].get("content") in self.too_slow:
            await asyncio.sleep(60)
        return self._script.complete({"model": model.name, "messages": messages, **more}).text


@pytest.fixture
def models() -> ModelsAtHand:
    return ModelsAtHand()


@pytest.fixture
def office(models: ModelsAtHand) -> Office:
    """An office whose models answer at once."""
    return Office(cast(Models, models))


@pytest.fixture
def asked(models: ModelsAtHand) -> list[str]:
    """The models that were asked, in order."""
    return models.asked


@pytest.fixture
def too_slow(models: ModelsAtHand) -> set[str]:
    """The words over which the models think longer than any agent waits."""
    return models.too_slow


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(SEED) as server:
        yield server
