"""Commits: a call waits until its span is on disk, together with the others."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reamon.pipeline import Pipeline
from reamon.pipeline.commits import Commit, Commits
from reamon.testing import make_span
from support.exporters import Failing, Gate, Sink

MakePipeline = Callable[..., Pipeline]


class Lane:
    """Has kept so many."""

    def __init__(self, kept: int = 0) -> None:
        self.kept = kept

    def has_kept(self, mark: int) -> bool:
        return self.kept >= mark


@pytest.fixture
def commits() -> Commits:
    commits = Commits(timeout=5.0)
    commits.is_served = True
    return commits


def joined(commits: Commits) -> Commit:
    commit = commits.join()
    assert commit is not None
    return commit


def is_done(commit: Commit) -> bool:
    thread = threading.Thread(target=commit.wait, daemon=True)
    thread.start()
    thread.join(0.05)
    return not thread.is_alive()


def test_who_joins_before_the_worker_comes_is_in_one_group(commits: Commits) -> None:
    first = joined(commits)
    assert joined(commits) is first
    assert commits.is_wanted
    assert commits.close_group() is first
    assert not commits.is_wanted
    assert joined(commits) is not first


def test_a_call_that_joins_while_the_worker_ends_waits_for_nothing() -> None:
    class Ending(Commits):
        looks = 0

        @property
        def is_served(self) -> bool:
            """As the second look finds it, the worker has ended since the first."""
            self.looks += 1
            return self.looks == 1

        @is_served.setter
        def is_served(self, _: bool) -> None: ...

    assert is_done(joined(Ending(timeout=60.0)))


def test_a_group_is_finished_when_every_lane_has_kept_its_part(commits: Commits) -> None:
    one, two = Lane(), Lane(3)
    group = joined(commits)
    commits.close_group()
    commits.hand_over(group, [(one, 5), (two, 3)])
    assert not is_done(group)
    one.kept = 5
    commits.check()
    assert is_done(group)


def test_what_is_kept_already_is_finished_at_once(commits: Commits) -> None:
    group = joined(commits)
    commits.close_group()
    commits.hand_over(group, [(Lane(5), 5)])
    assert is_done(group)


def test_nobody_waits_where_nobody_serves(commits: Commits) -> None:
    group = joined(commits)
    commits.stop()
    assert is_done(group)
    assert commits.join() is None


def test_a_wait_ends_with_its_timeout() -> None:
    since = time.monotonic()
    Commit(timeout=0.05).wait()
    assert time.monotonic() - since < 2


async def test_a_coroutine_waits_and_the_loop_goes_on(commits: Commits) -> None:
    group = joined(commits)
    waiting = [asyncio.ensure_future(_wait_for(group)) for _ in range(3)]
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in waiting)
    threading.Thread(target=group.finish).start()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)


async def test_a_coroutines_wait_ends_with_its_timeout() -> None:
    await asyncio.wait_for(_wait_for(Commit(timeout=0.02)), 5)


def test_a_coroutine_that_is_advanced_by_no_event_loop_of_asyncio_waits_like_a_thread(commits: Commits) -> None:
    commit = joined(commits)
    threading.Timer(0.05, commit.finish).start()
    begun = time.monotonic()
    with pytest.raises(StopIteration):
        _wait_for(commit).send(None)
    assert 0.02 < time.monotonic() - begun < 4.0


async def test_a_coroutine_that_is_cancelled_meanwhile_is_cancelled(commits: Commits) -> None:
    group = joined(commits)
    task = asyncio.ensure_future(_wait_for(group))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    group.finish()
    await asyncio.sleep(0)


def test_a_loop_that_is_closed_meanwhile_harms_nobody(commits: Commits) -> None:
    group = joined(commits)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_wait_for(group), 0.01)

    asyncio.run(give_up())
    group.finish()
    assert is_done(group)


def test_each_span_is_kept_before_the_call_goes_on(make_pipeline: MakePipeline) -> None:
    sink = Sink()
    pipeline = make_pipeline(sink, durability_timeout=20.0)
    for number in range(1, 20):
        record(pipeline)
        assert len(sink.spans) == number


def test_a_remote_lane_needs_no_more_than_the_disk(make_pipeline: MakePipeline) -> None:
    gate = Gate()
    pipeline = make_pipeline(Sink(local=False, before=gate), durability_timeout=20.0)
    for number in range(1, 5):
        record(pipeline)
        assert pipeline.stats().spooled == {"sink": number}
    gate.open()


def test_a_local_lane_that_fails_puts_on_disk_what_it_has(make_pipeline: MakePipeline) -> None:
    failing = Failing()
    pipeline = make_pipeline(Sink(before=failing), durability_timeout=20.0)
    record(pipeline)
    assert pipeline.stats().pending == {"sink": 0}
    assert pipeline.stats().spooled == {"sink": 1}


def test_a_disk_that_refuses_holds_nobody_up(make_pipeline: MakePipeline, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    pipeline = make_pipeline(Sink(local=False), home=tmp_path / "file", durability_timeout=30.0)
    since = time.monotonic()
    record(pipeline)
    assert time.monotonic() - since < 10


def test_a_lane_that_hangs_holds_a_call_up_until_the_timeout_and_no_longer(make_pipeline: MakePipeline) -> None:
    gate = Gate()
    pipeline = make_pipeline(Sink(before=gate), durability_timeout=0.1)
    since = time.monotonic()
    record(pipeline)
    assert 0.1 <= time.monotonic() - since < 5
    gate.open()


def test_many_threads_share_their_commits(make_pipeline: MakePipeline) -> None:
    sink = Sink(before=lambda batch: time.sleep(0.005))
    pipeline = make_pipeline(sink, durability_timeout=20.0)
    threads = [threading.Thread(target=lambda: [record(pipeline) for _ in range(5)]) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(sink.spans) == 100
    assert sink.calls < 60


def test_after_a_shutdown_nobody_waits(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(Sink(), durability_timeout=20.0)
    record(pipeline)
    assert pipeline.shutdown(5.0)
    pipeline.queue.append(make_span())
    assert pipeline.queue.wake() is None


def record(pipeline: Pipeline) -> None:
    queue: Any = pipeline.queue
    queue.append(make_span())
    assert len(queue) >= queue.wake_at
    pending = queue.wake()
    assert pending is not None
    pending.wait()


async def _wait_for(commit: Commit) -> None:
    await commit
