"""Threads and processes at once: every span once, in every exporter; and both exporters tell the same story."""

import json
import random
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reamon
from reamon.exporters import JSONLExporter, SQLiteExporter
from support.exporters import Sink
from support.scripts import run
from support.store_reading import is_sound

KINDS = [reamon.trace_workflow, reamon.trace_agent, reamon.trace_llm, reamon.trace_tool, reamon.trace_step]
_TABLES = (("workflow_traces", "trace_id"), ("agent_executions", "span_id"), ("operations", "span_id"))


@pytest.mark.slow
def test_8_threads_and_8_processes_at_once(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        import os, sys, threading
        import reamon

        def work():
            for _ in range(100):
                with reamon.trace_workflow("turn"), reamon.trace_agent("agent"), reamon.trace_llm("chat"):
                    pass

        def child():
            reamon.configure(exporters="sqlite,jsonl", shutdown_timeout=30)
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert reamon.flush(50)
            sys.exit(0)

        children = []
        for _ in range(8):
            children.append(os.fork())
            if children[-1] == 0:
                child()
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        """,
    )
    home = tmp_path / ".reamon"
    assert is_sound(home / "reamon.db")
    stored = _stored_ids(home / "reamon.db")
    written = Counter(line["span_id"] for line in _lines(home / "spans.jsonl"))
    assert stored == written
    assert len(stored) == 8 * 8 * 100 * 3
    assert set(stored.values()) == {1}


@pytest.mark.slow
def test_threads_at_a_tiny_queue_lose_only_what_is_counted() -> None:
    import threading

    sink = Sink()
    reamon.configure(exporters=[sink], max_queue=5, flush_interval=0.001, handle_sigterm=False)

    def work() -> None:
        for _ in range(3_000):
            with reamon.trace_step("step"):
                pass

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reamon.flush(20)
    stats = reamon.stats()
    assert stats.internal_errors == 0
    assert stats.recorded == stats.exported["sink"] + sum(stats.dropped.values())
    assert len({span.span_id for span in sink.spans}) == len(sink.spans) == stats.exported["sink"]


trees = st.recursive(
    st.tuples(st.integers(0, 4), st.sampled_from(["ok", "error"]), st.just(())),
    lambda children: st.tuples(
        st.integers(0, 4), st.sampled_from(["ok", "error"]), st.lists(children, max_size=3).map(tuple)
    ),
    max_leaves=10,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(forest=st.lists(trees, min_size=1, max_size=4))
def test_jsonl_and_sqlite_tell_the_same_story(tmp_path_factory: pytest.TempPathFactory, forest: list[Any]) -> None:
    home = tmp_path_factory.mktemp("home")
    database, lines = home / "reamon.db", home / "spans.jsonl"
    exporters = [SQLiteExporter(database), JSONLExporter(lines)]
    reamon.configure(exporters=exporters, home=home, handle_sigterm=False, flush_interval=0.01)
    for tree in forest:
        _grow(tree)
    assert reamon.shutdown(20)
    told = {line["span_id"]: line for line in _lines(lines)}
    assert _story_of_database(database) == {
        span_id: (line.get("parent_id"), line["trace_id"], line["status"], line["start_time"], line["end_time"])
        for span_id, line in told.items()
    }


def _grow(tree: Any) -> None:
    """Record a span of random kind and status, and its children in it."""
    kind, status, children = tree
    try:
        with KINDS[kind](f"{random.choice('abc')}"):
            for child in children:
                _grow(child)
            if status == "error":
                raise ValueError("as told")
    except ValueError:
        return


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _stored_ids(path: Path) -> Counter[str]:
    with closing(sqlite3.connect(path)) as connection:
        return Counter(
            span_id for table, key in _TABLES for (span_id,) in connection.execute(f"SELECT {key} FROM {table}")
        )


def _story_of_database(path: Path) -> dict[str, tuple[Any, ...]]:
    status = "CASE status WHEN 'completed' THEN 'ok' WHEN 'failed' THEN 'error' ELSE status END"
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            f"SELECT trace_id, NULL, trace_id, {status}, start_time, end_time FROM workflow_traces"
            f" UNION ALL SELECT span_id, parent_id, trace_id, {status}, start_time, end_time FROM agent_executions"
            f" UNION ALL SELECT span_id, parent_id, trace_id, {status}, start_time, end_time FROM operations"
        ).fetchall()
    return {span_id: tuple(rest) for span_id, *rest in rows}
