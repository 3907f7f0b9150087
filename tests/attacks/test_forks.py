"""Forks: whoever records a span delivers it, once, however its process came about and however it ends."""

from pathlib import Path

import pytest

from support.scripts import run
from support.store_reading import is_sound, stored_names

pytestmark = pytest.mark.slow

PRELUDE = """
import multiprocessing, os, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
import reamon

def work(name):
    with reamon.trace_workflow(name):
        pass

def work_after_configure(name):
    reamon.configure()
    work(name)

def fork(body):
    child = os.fork()
    if child == 0:
        body()
        os._exit(1)  # not reached by a body that ends the process
    return child

def wait(*children):
    for child in children:
        _, status = os.waitpid(child, 0)
        assert status == 0, status

if __name__ == "__main__":
"""


def names(directory: Path, source: str) -> list[str]:
    """Run a script with a main part of `source`; the names of the spans that it stored."""
    (directory / "script.py").write_text(PRELUDE + "\n".join(f"    {line}" for line in source.splitlines()))
    run(directory, "import runpy\nrunpy.run_path('script.py', run_name='__main__')")
    path = directory / ".reamon" / "reamon.db"
    assert is_sound(path)
    return stored_names(path)


def module_names(directory: Path, source: str) -> list[str]:
    """The same, with functions that a spawned process can import."""
    (directory / "jobs.py").write_text(PRELUDE + "    pass")
    (directory / "main.py").write_text(
        "import multiprocessing\nfrom concurrent.futures import ProcessPoolExecutor\nimport reamon\nimport jobs\n"
        "if __name__ == '__main__':\n" + "\n".join(f"    {line}" for line in source.splitlines())
    )
    run(directory, "import subprocess, sys\nsys.exit(subprocess.run([sys.executable, 'main.py']).returncode)")
    return stored_names(directory / ".reamon" / "reamon.db")


def test_a_child_delivers_its_own_spans_and_the_parent_its_own(tmp_path: Path) -> None:
    source = """
reamon.configure()
work("before")
child = fork(lambda: (work("child"), sys.exit(0)))
work("after")
wait(child)
"""
    assert names(tmp_path, source) == ["after", "before", "child"]


def test_a_child_that_has_flushed_may_end_without_ceremony(tmp_path: Path) -> None:
    source = """
reamon.configure()
work("before")
child = fork(lambda: (work("child"), reamon.flush() and os._exit(0)))
wait(child)
"""
    assert names(tmp_path, source) == ["before", "child"]


def test_a_child_that_records_nothing_delivers_nothing_and_harms_nothing(tmp_path: Path) -> None:
    source = """
reamon.configure(flush_interval=1)
work("before")
for _ in range(3):
    wait(fork(lambda: sys.exit(0)))
work("after")
"""
    assert names(tmp_path, source) == ["after", "before"]


def test_children_forked_while_everything_is_busy(tmp_path: Path) -> None:
    source = """
reamon.configure(flush_interval=0.005)
stop = threading.Event()
counts = [0, 0]

def keep_working(index):
    while not stop.is_set():
        work("parent")
        counts[index] += 1
        time.sleep(0.0002)

threads = [threading.Thread(target=keep_working, args=(index,)) for index in range(2)]
for thread in threads:
    thread.start()

def child():
    for _ in range(5):
        work("child")
    sys.exit(0)

for _ in range(40):
    wait(fork(child))
stop.set()
for thread in threads:
    thread.join()
assert reamon.shutdown(20)
open("count", "w").write(str(sum(counts)))
"""
    found = names(tmp_path, source)
    assert found.count("child") == 200
    assert found.count("parent") == int((tmp_path / "count").read_text())


def test_preloaded_workers_each_deliver_their_own(tmp_path: Path) -> None:
    source = """
reamon.configure()

def serve(number):
    for turn in range(5):
        work(f"worker {number} turn {turn}")
    sys.exit(0)

wait(*[fork(lambda: serve(number)) for number in range(4)])
"""
    assert names(tmp_path, source) == [f"worker {number} turn {turn}" for number in range(4) for turn in range(5)]


def test_a_grandchild_delivers_too(tmp_path: Path) -> None:
    source = """
reamon.configure()

def child():
    work("child")
    wait(fork(lambda: (work("grandchild"), sys.exit(0))))
    work("child again")
    sys.exit(0)

work("parent")
wait(fork(child))
"""
    assert names(tmp_path, source) == ["child", "child again", "grandchild", "parent"]


def test_a_span_that_was_open_at_the_fork_is_the_parents_alone(tmp_path: Path) -> None:
    source = """
reamon.configure()
with reamon.trace_workflow("open"):
    child = os.fork()
    with reamon.trace_step("child" if child == 0 else "parent"):
        pass
if child == 0:
    sys.exit(0)
wait(child)
"""
    assert names(tmp_path, source) == ["child", "open", "parent"]


def test_an_inherited_event_loop_goes_on_in_the_parent(tmp_path: Path) -> None:
    source = """
import asyncio

class Async:
    name = "async"
    local = True
    async def export(self, batch):
        await asyncio.to_thread(time.sleep, 0.01)
        with open("delivered", "a") as file:
            file.writelines(f"{span.name}\\n" for span in batch)

reamon.configure(exporters=["sqlite", Async()])
work("before")
assert reamon.flush()
wait(fork(lambda: (work("child"), reamon.flush(), sys.exit(0))))
work("after")
assert reamon.flush()
"""
    assert names(tmp_path, source) == ["after", "before", "child"]
    assert sorted((tmp_path / "delivered").read_text().split()) == ["after", "before", "child"]


def test_what_a_child_could_not_deliver_waits_for_the_next_process(tmp_path: Path) -> None:
    source = """
class Down:
    name = "crm"
    def export(self, batch):
        raise ConnectionError

reamon.configure(exporters=["sqlite", Down()])
wait(fork(lambda: (work("child"), reamon.flush(0.5), os._exit(0))))

class Up:
    name = "crm"
    def export(self, batch):
        with open("delivered", "a") as file:
            file.writelines(f"{span.name}\\n" for span in batch)

reamon.configure(exporters=["sqlite", Up()])
assert reamon.flush()
"""
    assert names(tmp_path, source) == ["child"]
    assert (tmp_path / "delivered").read_text() == "child\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path: Path, method: str) -> None:
    source = f"""
context = multiprocessing.get_context({method!r})
reamon.configure()
jobs.work("parent")
job = jobs.work if {method!r} == "fork" else jobs.work_after_configure
children = [context.Process(target=job, args=(f"child {{number}}",)) for number in range(3)]
for child in children:
    child.start()
for child in children:
    child.join()
    assert child.exitcode == 0
"""
    assert module_names(tmp_path, source) == ["child 0", "child 1", "child 2", "parent"]


def test_a_pool_of_processes_that_is_closed_and_one_that_is_terminated(tmp_path: Path) -> None:
    source = """
reamon.configure()
context = multiprocessing.get_context("fork")
pool = context.Pool(2)
pool.map(jobs.work, [f"closed {number}" for number in range(4)])
pool.close()
pool.join()
with context.Pool(2) as pool:
    pool.map(jobs.work, [f"terminated {number}" for number in range(4)])
pool.join()
"""
    found = module_names(tmp_path, source)
    assert found == [f"{end} {number}" for end in ("closed", "terminated") for number in range(4)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_pool_executor(tmp_path: Path, method: str) -> None:
    source = f"""
reamon.configure()
job = jobs.work if {method!r} == "fork" else jobs.work_after_configure
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({method!r})) as pool:
    list(pool.map(job, [f"job {{number}}" for number in range(4)]))
"""
    assert module_names(tmp_path, source) == [f"job {number}" for number in range(4)]
