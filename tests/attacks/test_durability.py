"""durability="span": what a call has returned is on disk, however the process ends in the next instant."""

from pathlib import Path

import pytest

from support.scripts import run

SET_UP = """
import asyncio, os, signal
import reamon

class Remote:
    name = "remote"
    def export(self, batch):
        raise ConnectionError("down for the whole test")

exporters = {exporters}
reamon.configure(exporters=exporters, durability="span")

@reamon.trace_step
def plain(): ...

@reamon.trace_step
async def awaited(): ...

@reamon.trace_step
def generated():
    yield 1

@reamon.trace_step
async def generated_async():
    yield 1

@reamon.trace_step
def failing():
    raise ValueError

@reamon.trace_step
async def failing_async():
    raise ValueError

def die():
    os.kill(os.getpid(), signal.SIGKILL)

async def die_after(coroutine):
    try:
        await coroutine
    except ValueError:
        pass
    die()

async def consume():
    async for _ in generated_async(): ...

async def block():
    async with reamon.trace_step("block"): ...
"""

ENDS = {
    "plain": "plain(); die()",
    "awaited": "asyncio.run(die_after(awaited()))",
    "generated": "list(generated()); die()",
    "generated_async": "asyncio.run(die_after(consume()))",
    "failing": """
try:
    failing()
except ValueError:
    die()
""",
    "failing_async": "asyncio.run(die_after(failing_async()))",
    "with": """
with reamon.trace_step("with"): ...
die()
""",
    "block": "asyncio.run(die_after(block()))",
    "manual": "reamon.start_span('step', 'manual').end(); die()",
    "recorded": "reamon.record_span('step', 'recorded', 1.7e9, 1.7e9 + 1); die()",
}

REPLAY = """
import reamon

class Remote:
    name = "remote"
    def export(self, batch):
        print(*(span.name for span in batch))

reamon.configure(exporters=[Remote()])
assert reamon.flush(20)
"""

STORED = """
import sqlite3
print(*(name for (name,) in sqlite3.connect(".reamon/reamon.db").execute("SELECT name FROM operations")))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS)
def test_what_a_call_has_returned_survives_a_kill_in_the_next_instant(tmp_path: Path, name: str) -> None:
    run(tmp_path, SET_UP.replace("{exporters}", "[Remote()]") + ENDS[name], returncode=-9)
    assert run(tmp_path, REPLAY) == f"{name}\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "awaited"])
def test_in_a_local_store_too(tmp_path: Path, name: str) -> None:
    run(tmp_path, SET_UP.replace("{exporters}", "['sqlite']") + ENDS[name], returncode=-9)
    assert run(tmp_path, STORED) == f"{name}\n"


@pytest.mark.slow
def test_in_a_forked_child_too(tmp_path: Path) -> None:
    run(
        tmp_path,
        SET_UP.replace("{exporters}", "[Remote()]")
        + """
plain()
child = os.fork()
if not child:
    awaited_in_child = asyncio.run(die_after(awaited()))
os.waitpid(child, 0)
die()
""",
        returncode=-9,
    )
    assert sorted(run(tmp_path, REPLAY).split()) == ["awaited", "plain"]
