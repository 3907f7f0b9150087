"""Retention: what is old goes, by whole traces; what it came to stays; and writers never wait long."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reamon.errors import ConfigurationError, StoreError
from reamon.model import Span, SpanStatus
from reamon.store import SpanWriter, connect
from reamon.store.limits import YEAR, Limits
from reamon.store.pruning import PAYLOADS
from reamon.store.retention import Pruned, overdue, prune, vacuum
from reamon.testing import make_span
from support.scripts import run
from support.stores import START, stored, turn

DAY = 24 * 3600.0
TODAY = datetime.fromtimestamp(START / 1e9, UTC)
DETAIL = ("operations", "agent_executions")
COST = Decimal("0.0628")
KEEP_ALL = Limits(detail=None, costs=None, metrics=None, alerts=None)


def today() -> datetime:
    return TODAY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


def ask(path: Path, query: str, *parameters: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, parameters).fetchall()


def count(path: Path, table: str) -> int:
    return int(ask(path, f"SELECT count(*) FROM {table}")[0][0])


def calls_with_detail(path: Path) -> set[str]:
    query = "SELECT call_id FROM workflow_traces WHERE trace_id IN (SELECT trace_id FROM {})"
    found = [{call for (call,) in ask(path, query.format(table))} for table in DETAIL]
    assert found[0] == found[1]
    return found[0]


def totals(path: Path) -> set[tuple[Any, ...]]:
    """The total of each call, what it is worth, and whether its details have gone."""
    rows = ask(path, "SELECT call_id, total_cost, cost_status, costs_pruned FROM workflow_traces")
    return {(call, Decimal(total), status, bool(pruned)) for call, total, status, pruned in rows}


def a_store(path: Path, **ages: float) -> Path:
    """One turn of each call, so many days old."""
    return stored(path, [span for call, days in ages.items() for span in turn(call, -days * DAY, input={"q": call})])


def test_details_older_than_a_month_go_and_their_summaries_stay(path: Path) -> None:
    a_store(path, old=31, young=29)
    totals = ask(path, "SELECT call_id, total_cost, cost_status, duration_ms FROM workflow_traces ORDER BY 1")
    pruned = prune(path, Limits(), now=today)
    assert pruned.rows == {"operations": 2, "agent_executions": 2, "workflow_traces": 1}
    assert calls_with_detail(path) == {"young"}
    assert ask(path, "SELECT call_id, input_data FROM workflow_traces ORDER BY 1") == [
        ("old", None),
        ("young", '{"q":"young"}'),
    ]
    assert ask(path, "SELECT call_id, total_cost, cost_status, duration_ms FROM workflow_traces ORDER BY 1") == totals
    assert count(path, "cost_details") == 4


def test_every_payload_of_an_old_root_goes(path: Path) -> None:
    a_store(path, old=31)
    filled = ", ".join(f"{column} = 'x'" for column in PAYLOADS)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE workflow_traces SET {filled}")
    prune(path, Limits(), now=today)
    assert ask(path, f"SELECT {', '.join(PAYLOADS)} FROM workflow_traces") == [(None,) * len(PAYLOADS)]


def test_a_trace_is_judged_as_a_whole_by_its_start(path: Path) -> None:
    root = make_span("turn", "workflow", start_ns=START - round(30.001 * DAY) * 10**9, end_ns=START)
    late = make_span("late", "step", parent=root, start_ns=START - 10**9, end_ns=START)
    young = make_span("turn", "workflow", start_ns=START - round(29.9 * DAY) * 10**9, end_ns=START)
    child = make_span("child", "step", parent=young, start_ns=START, end_ns=START + 1)
    early = make_span("early", "step", parent=root, start_ns=root.start_ns + 1, end_ns=START)
    stored(path, [root, late, early, young, child])
    prune(path, Limits(), now=today)
    assert ask(path, "SELECT name FROM operations") == [("child",)]


def test_what_still_runs_stays_whole_however_old_it_is(path: Path) -> None:
    spans = turn("endless", -400 * DAY)
    running = [
        span.replace(status=SpanStatus.RUNNING, end_ns=None) if span.parent_id is None else span for span in spans
    ]
    stored(path, running)
    assert prune(path, Limits(summaries=YEAR), now=today).total == 0
    assert calls_with_detail(path) == {"endless"}
    assert count(path, "cost_details") == 2


def test_spans_whose_root_never_came_go_by_their_own_age(path: Path) -> None:
    stored(path, [span for span in turn("lost", -31 * DAY) + turn("late", -1 * DAY) if span.parent_id is not None])
    prune(path, Limits(), now=today)
    assert [count(path, table) for table in DETAIL] == [2, 2]


def test_limits_of_none_keep_everything(path: Path) -> None:
    a_store(path, ancient=5000)
    assert prune(path, KEEP_ALL, now=today) == Pruned(rows={})
    assert calls_with_detail(path) == {"ancient"}


def test_a_limit_that_reaches_behind_all_time_keeps_everything(path: Path) -> None:
    a_store(path, old=400)
    limits = Limits(detail=timedelta(days=999_999), costs=None, metrics=timedelta(days=999_999))
    assert prune(path, limits, now=today).total == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"detail": timedelta(0)}, "detail is 0:00:00"),
        ({"costs": timedelta(days=7)}, "costs go after 7 days and the detail that they belong to stays for 30 days"),
        ({"costs": timedelta(hours=12), "detail": timedelta(days=1)}, "costs go after 12 hours .* stays for 1 day;"),
        ({"detail": None}, "stays for ever"),
        ({"summaries": timedelta(days=1)}, "keep summaries at least as long as detail"),
    ],
)
def test_limits_that_make_no_sense_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Limits(**given)


def test_cost_details_go_after_a_year_and_totals_stay(path: Path) -> None:
    a_store(path, old=366, young=300)
    pruned = prune(path, Limits(), now=today)
    assert pruned.rows["cost_details"] == 2
    assert totals(path) == {("old", COST, "complete", True), ("young", COST, "complete", False)}


def replay(path: Path, spans: list[Span]) -> None:
    with closing(connect(path)) as connection:
        SpanWriter(connection).write(spans)


def test_a_total_survives_old_spans_that_arrive_once_more(path: Path) -> None:
    old = turn("old", -366 * DAY)
    stored(path, old)
    prune(path, Limits(), now=today)
    for spans in ([old[0]], [old[2], old[3]], old):
        replay(path, spans)
        assert totals(path) == {("old", COST, "complete", True)}
    prune(path, Limits(), now=today)
    assert (count(path, "cost_details"), count(path, "operations")) == (0, 0)
    assert totals(path) == {("old", COST, "complete", True)}


@pytest.mark.parametrize("times", [1, 2])
def test_a_total_survives_the_late_finish_of_what_was_interrupted(path: Path, times: int) -> None:
    old = turn("old", -366 * DAY)
    stored(path, [*old[:4], old[4].replace(status=SpanStatus.RUNNING, end_ns=None)])
    with closing(connect(path)) as connection:
        SpanWriter(connection).interrupt(["process-1"])
    prune(path, Limits(), now=today)
    replay(path, [*old[:1], *turn("young", -1 * DAY), *old[4:] * times])
    assert totals(path) == {("old", COST, "complete", True), ("young", COST, "complete", False)}
    assert ask(path, "SELECT DISTINCT status FROM workflow_traces") == [("completed",)]


def test_a_total_stays_right_while_only_the_operations_have_gone(path: Path) -> None:
    old = turn("old", -31 * DAY)
    stored(path, old)
    prune(path, Limits(), now=today)
    replay(path, old[:1])
    assert totals(path) == {("old", COST, "complete", False)}


def test_metrics_and_alerts_go_after_a_year_but_what_is_still_firing_stays(path: Path) -> None:
    a_store(path, young=1)
    with closing(sqlite3.connect(path)) as connection, connection:
        for days in (366, 364):
            moment = (TODAY - timedelta(days=days)).isoformat().replace("+00:00", "Z")
            connection.execute(
                "INSERT INTO performance_metrics VALUES ('latency', '{}', 60, ?, 'east', 1, 0, 1.0, NULL)", (moment,)
            )
            for resolved in (moment, None):
                connection.execute(
                    "INSERT INTO alert_history VALUES (?, 'slow', '{}', 'east', 'warning', 's', 'm', ?, ?, NULL, NULL)",
                    (f"{days} {resolved}", moment, resolved),
                )
    assert prune(path, Limits(), now=today).rows == {"performance_metrics": 1, "alert_history": 1}
    assert ask(path, "SELECT count(*) FROM alert_history WHERE resolved_at IS NULL") == [(2,)]


def test_summaries_go_where_somebody_asks_for_it(path: Path) -> None:
    a_store(path, ancient=800, old=366, young=1)
    pruned = prune(path, Limits(summaries=timedelta(days=730)), now=today)
    assert pruned.summaries == 1
    assert ask(path, "SELECT call_id FROM workflow_traces ORDER BY 1") == [("old",), ("young",)]


def test_a_project_is_pruned_alone(path: Path) -> None:
    stored(path, turn("a", -400 * DAY, project="east") + turn("b", -400 * DAY, project="west"))
    replay(path, [span for span in turn("lost", -400 * DAY) if span.parent_id is not None])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE cost_details SET project = (SELECT project FROM workflow_traces AS t WHERE t.trace_id = "
            "cost_details.trace_id)"
        )
    prune(path, Limits(summaries=YEAR), project="east", now=today)
    assert calls_with_detail(path) == {"b"}
    assert (count(path, "operations"), count(path, "cost_details"), count(path, "workflow_traces")) == (4, 4, 1)


def test_a_dry_run_counts_what_would_go_and_takes_nothing(path: Path) -> None:
    a_store(path, ancient=800, old=31, young=1)
    limits = Limits(summaries=timedelta(days=730))
    before = path.read_bytes()
    counted = prune(path, limits, now=today, dry_run=True)
    assert path.read_bytes() == before
    pruned = prune(path, limits, now=today)
    assert (counted.rows, counted.summaries) == (pruned.rows, pruned.summaries)
    assert counted.rows == {"operations": 4, "agent_executions": 4, "workflow_traces": 2, "cost_details": 2}


def test_a_second_run_finds_nothing(path: Path) -> None:
    a_store(path, old=400, young=1)
    assert prune(path, Limits(), now=today).total > 0
    assert prune(path, Limits(), now=today).total == 0


def test_a_run_stops_between_two_transactions_when_it_is_told_to(path: Path) -> None:
    a_store(path, **{f"call{number}": 40 + number for number in range(9)})
    answers = iter([True, True, False])
    prune(path, Limits(), now=today, is_wanted=lambda: next(answers, False))
    assert count(path, "agent_executions") == 18
    prune(path, Limits(), now=today)
    assert count(path, "operations") == 0


def test_progress_is_told_as_it_is_made(path: Path) -> None:
    told: list[Pruned] = []
    a_store(path, old=400)
    final = prune(path, Limits(), now=today, progress=told.append)
    assert [report.total for report in told] == sorted(report.total for report in told)
    assert told[-1].rows == final.rows


def test_two_runs_at_once_take_everything_once(path: Path) -> None:
    a_store(path, **{f"call{number}": 40 + number / 100 for number in range(300)})
    results: list[Pruned] = []
    threads = [threading.Thread(target=lambda: results.append(prune(path, Limits(), now=today))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.rows.get("operations", 0) for result in results) == 600
    assert (count(path, "operations"), count(path, "agent_executions")) == (0, 0)


def test_what_went_is_not_in_the_file_any_more(path: Path) -> None:
    stored(path, turn("old", -40 * DAY, input={"secret": "correct horse battery staple"}))
    prune(path, Limits(), now=today)
    vacuum(path)
    assert [file.name for file in path.parent.iterdir() if b"battery staple" in file.read_bytes()] == []


def test_where_there_is_no_store_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        prune(tmp_path / "none.db", Limits())


def prune_and_be_killed(path: Path) -> None:
    """Prune in a process that is killed after its fifth transaction."""
    source = f"""
        import os, signal
        from datetime import datetime
        from pathlib import Path
        from reamon.store.retention import Limits, prune
        def progress(pruned):
            if pruned.transactions >= 5:
                os.kill(os.getpid(), signal.SIGKILL)
        now = datetime.fromisoformat({TODAY.isoformat()!r})
        prune(Path({str(path)!r}), Limits(), now=lambda: now, progress=progress)
    """
    run(Path.cwd(), source, returncode=-9)


@pytest.mark.slow
def test_a_run_that_was_killed_half_way_is_finished_by_the_next(path: Path) -> None:
    a_store(path, **{f"call{number}": 40 + number / 100 for number in range(2000)}, young=1)
    prune_and_be_killed(path)
    left = count(path, "operations")
    assert 2 < left < 4002
    prune(path, Limits(), now=today)
    assert calls_with_detail(path) == {"young"}
    assert len(totals(path)) == 2001
    assert {total for _, total, _, _ in totals(path)} == {COST}


def test_what_is_overdue_is_counted_without_deleting_it(path: Path) -> None:
    a_store(path, ancient=400, old=31, young=1)
    assert overdue(path, Limits(), now=today) == {"operations": 4, "agent_executions": 4, "cost_details": 2}
    prune(path, Limits(), now=today)
    assert overdue(path, Limits(), now=today) == overdue(path, KEEP_ALL, now=today) == {}
