"""How a process ends: normally, by an exception, with an exporter that hangs, in the middle of something."""

import time
from pathlib import Path

import pytest

from support.scripts import run
from support.store_reading import stored_names

pytestmark = pytest.mark.slow

PRELUDE = """
import asyncio, atexit, os, sys, threading, time
import reamon

class Hanging:
    name = "crm"
    def export(self, batch):
        time.sleep(3600)

class HangingAsync:
    name = "crm"
    async def export(self, batch):
        await asyncio.sleep(3600)

class Printing:
    name = "crm"
    def export(self, batch):
        print(*sorted(span.name for span in batch))

class Other(Printing):
    name = "other"

"""


def script(directory: Path, source: str, returncode: int = 0) -> str:
    return run(directory, PRELUDE + source, returncode=returncode)


@pytest.mark.parametrize(
    ("ending", "returncode"), [("", 0), ("sys.exit(3)", 3), ("raise RuntimeError('the application')", 1)]
)
def test_however_the_interpreter_ends_the_last_span_is_stored(tmp_path: Path, ending: str, returncode: int) -> None:
    script(tmp_path, f"reamon.configure()\nreamon.trace_workflow('last').__enter__().end()\n{ending}", returncode)
    assert stored_names(tmp_path / ".reamon" / "reamon.db") == ["last"]


def test_a_process_that_recorded_nothing_leaves_no_trace_of_life(tmp_path: Path) -> None:
    script(tmp_path, "reamon.configure()")
    assert list((tmp_path / ".reamon").glob("*-processes/*")) == []


@pytest.mark.parametrize("exporter", ["Hanging", "HangingAsync"])
def test_an_exporter_that_hangs_holds_up_the_exit_no_longer_than_the_timeout(tmp_path: Path, exporter: str) -> None:
    begun = time.monotonic()
    script(
        tmp_path,
        f"""
reamon.configure(exporters=[{exporter}()], shutdown_timeout=1)
with reamon.trace_workflow("stuck"):
    pass
""",
    )
    assert time.monotonic() - begun < 15

    assert script(tmp_path, "reamon.configure(exporters=[Other()])\nprint(reamon.flush())") == "True\n"
    assert script(tmp_path, "reamon.configure(exporters=[Printing()])\nreamon.flush()") == "stuck\n"
    assert script(tmp_path, "reamon.configure(exporters=[Printing()])\nreamon.flush()") == ""


def test_spans_of_the_applications_own_exit_handlers_are_stored(tmp_path: Path) -> None:
    script(
        tmp_path,
        """
reamon.configure()

@atexit.register
def at_exit():
    with reamon.trace_workflow("at exit"):
        pass
""",
    )
    assert stored_names(tmp_path / ".reamon" / "reamon.db") == ["at exit"]


def test_an_exit_waits_for_the_shutdown_of_a_thread_that_it_would_end(tmp_path: Path) -> None:
    script(
        tmp_path,
        """
begun = threading.Event()

def slow(span):
    begun.set()
    time.sleep(0.5)
    return span

reamon.configure(processors=[slow], flush_interval=10)
with reamon.trace_workflow("last"):
    pass
threading.Thread(target=reamon.shutdown, args=(20,), daemon=True).start()
begun.wait(20)
""",
    )
    assert stored_names(tmp_path / ".reamon" / "reamon.db") == ["last"]


def test_spans_of_threads_that_outlive_the_main_one_are_stored(tmp_path: Path) -> None:
    script(
        tmp_path,
        """
reamon.configure()

def work():
    time.sleep(0.3)
    with reamon.trace_workflow("late"):
        pass

threading.Thread(target=work).start()
""",
    )
    assert stored_names(tmp_path / ".reamon" / "reamon.db") == ["late"]


def test_keyboard_interrupt_ends_as_ever_and_loses_nothing(tmp_path: Path) -> None:
    script(
        tmp_path,
        """
import signal
reamon.configure()
with reamon.trace_workflow("before"):
    pass
with reamon.trace_workflow("interrupted by the user"):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
""",
        returncode=-2,
    )
    names = stored_names(tmp_path / ".reamon" / "reamon.db")
    assert names == ["before", "interrupted by the user"]


def test_configure_with_sqlite_is_quick_and_imports_no_orm(tmp_path: Path) -> None:
    printed = script(
        tmp_path,
        """
import reamon.settings
durations = []
for _ in range(2):
    begun = time.perf_counter()
    reamon.configure()
    durations.append(time.perf_counter() - begun)
with reamon.trace_workflow("turn"):
    pass
assert reamon.flush()
heavy = {"sqlmodel", "sqlalchemy", "alembic", "langsmith", "structlog"} & sys.modules.keys()
print(sorted(heavy), all(duration < 0.1 * 5 for duration in durations), sep="\\n")
""",
    )
    assert printed == "[]\nTrue\n"


def test_nothing_of_ours_goes_to_standard_output(tmp_path: Path) -> None:
    printed = script(
        tmp_path,
        """
import logging
logging.basicConfig(level=logging.DEBUG)
reamon.configure(exporters=[Hanging()], shutdown_timeout=0.2)
with reamon.trace_workflow("stuck"):
    pass
""",
    )
    assert printed == ""
