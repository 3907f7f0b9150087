"""What it takes to record a LangGraph application that does not know of it, at the pace at which people talk.

The application is the tests' voicebot: an orchestrator, five agents, a state that is changed in place, a model service
behind a queue. Fifty calls at once, in each a turn every six seconds; a turn becomes about fourteen spans. The models
are a server in a process of its own. Beside ours: LangSmith's own tracer, which sees the graph alone.
"""

import asyncio
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks import harness
from benchmarks.harness import REPOSITORY, Figures
from benchmarks.promises import Outcome, Promise, Table
from benchmarks.scenarios.langsmith import KEY, langsmith_server

CALLS = 50
TURNS = 3
SECONDS_A_TURN = 6.0
SAID = ("hello", "my budget is 450", "too expensive")
ALONE, OURS, SDK = "alone", "reamon", "langsmith"


def measure(subject: str, home: Path) -> Figures:
    """CPU of the whole process for all turns, in milliseconds a turn, and in percent of one core."""
    sys.path.insert(0, str(REPOSITORY / "tests"))
    with _model_server() as url, _recorder(subject, home) as deliver:
        begun, process = asyncio.run(_campaign(url))
        deliver()
        process, took = time.process_time() - process, time.perf_counter() - begun
    return {"turn": process / (CALLS * TURNS) * 1e3, "share": process / took * 100}


def run(rounds: int) -> Outcome:
    """Compare the application alone, recorded by us, and recorded by LangSmith's tracer."""
    figures = harness.measure("voicebot", [ALONE, OURS, SDK], rounds)
    base = figures[ALONE]
    extra = {name: {key: figures[name][key] - base[key] for key in base} for name in (OURS, SDK)}
    return Outcome(
        Table(
            f"{CALLS} calls at once of a LangGraph application, a turn every {SECONDS_A_TURN:g} s each",
            ("CPU ms a turn", "% of a core", "of which recording"),
            {
                name: (row["turn"], row["share"], extra[name]["share"] if name in extra else 0.0)
                for name, row in figures.items()
            },
        ),
        (Promise("voicebot", "CPU that recording takes, of one core", extra[OURS]["share"], 5, "%"),),
    )


async def _campaign(url: str) -> tuple[float, float]:
    """All calls. Returns when they began, by the clock and in CPU of this process, after a turn to warm up."""
    voicebot = _application()
    models = voicebot.ModelService(url)
    await models.start()
    orchestrator = voicebot.AgentOrchestrator(models, timeout=30)

    async def call(number: int) -> None:
        await asyncio.sleep(SECONDS_A_TURN * number / CALLS)
        for turn in range(TURNS):
            begun = time.perf_counter()
            await orchestrator.process_input(f"call-{number}", SAID[(number + turn) % len(SAID)])
            await asyncio.sleep(SECONDS_A_TURN - (time.perf_counter() - begun))

    await orchestrator.process_input("warm-up", SAID[1])
    began = time.perf_counter(), time.process_time()
    await asyncio.gather(*(call(number) for number in range(CALLS)))
    await asyncio.gather(*orchestrator.background)
    await models.stop()
    return began


@contextmanager
def _recorder(subject: str, home: Path) -> Iterator[Any]:
    """What records the application; its value delivers what is still on the way."""
    if subject == OURS:
        import reamon

        reamon.configure(exporters="sqlite", home=home)
        reamon.instrument("langgraph")
        reamon.instrument("ollama")
        reamon.instrument(asyncio.Queue)
        reamon.instrument(_application().AgentOrchestrator)
        reamon.instrument(_application().ModelService, methods={"generate": "llm"})
        yield lambda: _check(reamon.flush(30))
    elif subject == SDK:
        import langsmith
        from langchain_core.tracers.context import tracing_v2_enabled

        with langsmith_server() as addresses:
            client = langsmith.Client(api_key=KEY, api_url=addresses["url"])
            with tracing_v2_enabled("calls", client=client):
                yield client.flush
    else:
        with nullcontext():
            yield lambda: None


def _application() -> Any:
    return importlib.import_module("apps.voicebot")  # of the tests


def _check(delivered: bool) -> None:
    if not delivered:
        raise SystemExit("reamon did not deliver everything within 30 s")


@contextmanager
def _model_server() -> Iterator[str]:
    """The tests' Ollama, in a process of its own."""
    command = [sys.executable, "-m", "support.model_servers", "ollama"]
    process = subprocess.Popen(
        command, cwd=REPOSITORY / "tests", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        if process.stdout is None:
            raise SystemExit("the model server has no output")
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.kill()
        process.communicate()
