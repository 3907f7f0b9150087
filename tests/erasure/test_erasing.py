"""Erasing: no byte of a person is left in any place, everybody else's data stay, and the receipt says so."""

import json
import re
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reamon.erasure import Receipt, Subject, erase, erase_again, receipts
from reamon.errors import ReamonError
from reamon.exporters import JSONLExporter, read_jsonl
from reamon.model import Payload, Span
from reamon.pipeline.backlog import Backlog
from reamon.pipeline.backlog_entries import Wanted
from reamon.pipeline.delivery import DeadLetter
from reamon.pipeline.outbox import Outbox
from reamon.store import SpanWriter, connect
from reamon.store.projects import ALL_PROJECTS
from reamon.store.search import search
from support.scripts import run
from support.store_reading import is_sound
from support.stores import stored, turn

PHONE = "+1 (555) 010-2030"
WRITTEN = [b"5550102030", b"555-010-2030", b"(555) 010", b"555 010 2030"]
SUBJECT = Subject("phone", PHONE)


class Places(NamedTuple):
    """Where an application keeps spans."""

    store: Path
    outbox: Path
    jsonl: Path

    def files_with(self, *needles: bytes) -> list[str]:
        """The files, of whatever kind, in which one of these is."""
        files = [file for file in self.store.parent.rglob("*") if file.is_file()]
        return [file.name for file in files if any(needle in file.read_bytes() for needle in needles)]


@cache
def calls() -> list[Span]:
    """A call of two turns in which only the second tells the number, and somebody else's."""
    return [
        *turn("call-of-ada", 0, input={"lead": {"name": "Ada"}}),
        *turn("call-of-ada", 10, input={"said": "reach me at 555 010 2030"}, output={"ok": "calling (555) 010-2030"}),
        *turn("call-of-bob", 20, input={"said": "mine is +1 555 010 9999"}),
    ]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """All places, with both calls in each."""
    home = tmp_path / "home"
    home.mkdir()
    found = Places(home / "reamon.db", home / "outbox.sqlite", home / "spans.jsonl")
    stored(found.store, calls())
    exporter = JSONLExporter(found.jsonl, max_bytes=6_000)
    for number in range(0, 15, 5):
        exporter.export(calls()[number : number + 5])
    exporter.shutdown()
    with closing(Outbox(found.outbox, 10**9)) as outbox:
        outbox.write("langsmith calls", [calls()[:7], calls()[10:]])
        outbox.bury("otlp collector", [DeadLetter(calls()[5:10], "400", "rejected")])
    return found


def erased(places: Places, subject: Subject = SUBJECT, **options: Any) -> Receipt:
    return erase(subject, store=places.store, outbox=places.outbox, jsonl=[places.jsonl], **options)


def ask(places: Places, query: str) -> list[Any]:
    with closing(sqlite3.connect(places.store)) as connection:
        return connection.execute(query).fetchall()


def waiting(places: Places) -> list[str | None]:
    backlog = Backlog(places.outbox)
    return [span.call_id for _, spans in backlog.contents(backlog.items(Wanted(waiting=True))) for span in spans]


def lines(places: Places) -> list[str | None]:
    files = sorted(places.jsonl.parent.glob("spans*.jsonl"))
    return [span.call_id for file in files for span in read_jsonl(file)]


def test_no_byte_of_a_person_is_left_anywhere(places: Places) -> None:
    assert len(places.files_with(*WRITTEN, b"call-of-ada")) >= 3
    receipt = erased(places)
    assert places.files_with(*WRITTEN, b"call-of-ada", b'"Ada"') == []
    assert (receipt.traces, receipt.calls, receipt.is_complete) == (2, 1, True)
    assert is_sound(places.store)


def test_whole_calls_go_and_everybody_else_stays(places: Places) -> None:
    erased(places)
    assert ask(places, "SELECT call_id FROM workflow_traces") == [("call-of-bob",)]
    assert [ask(places, f"SELECT count(*) FROM {table}")[0][0] for table in ("operations", "agent_executions")] == [
        2,
        2,
    ]
    assert set(lines(places)) == {"call-of-bob"}
    assert len(lines(places)) == 5
    assert set(waiting(places)) == {"call-of-bob"}
    assert len(waiting(places)) == 5


def test_what_a_call_has_cost_stays_without_what_leads_to_the_call(places: Places) -> None:
    before = ask(places, "SELECT provider, model, cost_amount FROM cost_details ORDER BY 1, 3")
    ids = {row for (row,) in ask(places, "SELECT span_id FROM cost_details WHERE call_id = 'call-of-ada'")}
    receipt = erased(places)
    assert ask(places, "SELECT provider, model, cost_amount FROM cost_details ORDER BY 1, 3") == before
    left = ask(places, "SELECT span_id, trace_id, agent_id, timestamp FROM cost_details WHERE call_id IS NULL")
    assert len(left) == 4
    assert not ids & {row[0] for row in left}
    assert not set(receipt.trace_ids) & {row[1] for row in left}
    assert {row[3] for row in left} == {"2026-11-18T11:00:00.000000Z"}
    assert receipt.places[0].kept == {"cost_details": 4}


def test_costs_go_as_well_where_somebody_asks_for_it(places: Places) -> None:
    erased(places, keep_costs=False)
    assert {call for (call,) in ask(places, "SELECT call_id FROM cost_details")} == {"call-of-bob"}


def test_the_receipt_says_what_went_where_and_nothing_of_the_person(places: Places) -> None:
    receipt = erased(places, requested_by="privacy desk", destinations=["langsmith archive"])
    by_kind = {place.kind: place.removed for place in receipt.places}
    assert by_kind["store"] == {"operations": 4, "agent_executions": 4, "workflow_traces": 2}
    assert by_kind["outbox"] == {"batches": 7, "letters": 5}
    assert sum(by_kind["jsonl"].values()) == 10
    destinations = [other.destination for other in receipt.elsewhere]
    assert destinations == ["langsmith archive", "langsmith calls", "otlp collector", "copies of files"]
    text = receipt.to_json().decode()
    assert not re.search(r"555\D{0,3}010\D{0,3}2030|call-of-ada|Ada\b", text)
    assert receipt.subject_digest == Subject("phone", "0015550102030").digest(receipt.erasure_id)


def test_the_receipt_is_kept_and_shows_if_it_was_changed(places: Places) -> None:
    receipt = erased(places, requested_by="privacy desk")
    assert receipts(places.store) == [receipt]
    assert receipt.is_genuine()
    changed = json.loads(receipt.to_json()) | {"traces": 1}
    assert not Receipt.from_json(json.dumps(changed)).is_genuine()
    ((kind, digest, by),) = ask(places, "SELECT subject_kind, subject_digest, requested_by FROM erasures")
    assert (kind, digest, by) == ("phone", receipt.subject_digest, "privacy desk")


def test_a_dry_run_counts_the_same_and_takes_nothing(places: Places) -> None:
    counted = erased(places, dry_run=True)
    assert receipts(places.store) == []
    assert set(waiting(places)) == set(lines(places)) == {"call-of-ada", "call-of-bob"}
    done = erased(places)
    assert [place.removed for place in counted.places] == [place.removed for place in done.places]
    assert [place.kept for place in counted.places] == [place.kept for place in done.places]


def test_a_second_time_nothing_is_found(places: Places) -> None:
    erased(places)
    again = erased(places)
    assert (again.traces, again.removed) == (0, 0)


@pytest.mark.parametrize("subject", [Subject("call", "call-of-ada"), Subject("lead", "L-7"), Subject("lead", "1042")])
def test_a_call_and_a_lead_are_erased_as_well(tmp_path: Path, subject: Subject) -> None:
    data = {"lead_data": {"id": "L-7"}, "lead_id": 1042}
    other = {"lead_data": {"id": "L-77"}, "lead_id": 10421}
    spans = [*turn("call-of-ada", 0, metadata=data), *turn("call-of-bob", 1, metadata=other)]
    store = stored(tmp_path / "calls.db", spans)
    receipt = erase(subject, store=store)
    assert receipt.traces == 1
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("SELECT call_id FROM workflow_traces").fetchall() == [("call-of-bob",)]


def test_a_trace_without_a_call_goes_alone(tmp_path: Path) -> None:
    store = stored(tmp_path / "calls.db", [*turn(None, 0, input={"to": PHONE}), *turn(None, 1)])
    assert erase(SUBJECT, store=store).traces == 1
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("SELECT count(*) FROM workflow_traces").fetchone() == (1,)


def test_spans_whose_root_never_came_go_with_the_rest(tmp_path: Path) -> None:
    spans = turn("call-of-ada", 0)
    told = [span.replace(input=Payload.of({"to": PHONE})) if span.name == "speak" else span for span in spans[:-1]]
    store = stored(tmp_path / "calls.db", told)
    assert erase(SUBJECT, store=store).places[0].removed == {"operations": 2, "agent_executions": 2}


def test_what_only_one_place_knows_goes_from_all(places: Places) -> None:
    with closing(connect(places.store)) as connection:
        connection.execute("UPDATE workflow_traces SET input_data = NULL, output_data = NULL")
    erased(places)
    assert ask(places, "SELECT call_id FROM workflow_traces") == [("call-of-bob",)]


def test_alerts_metrics_and_budgets_that_name_the_call_go(places: Places) -> None:
    with closing(connect(places.store)) as connection:
        for number, (label, message) in enumerate(
            [
                ("call-of-ada", "slow"),
                ("east", "call-of-ada is slow"),
                ("east", f"no answer from {PHONE}"),
                ("east", "fine"),
            ]
        ):
            connection.execute(
                "INSERT INTO alert_history (alert_id, rule, labels, severity, state, message, triggered_at)"
                " VALUES (?, 'r', ?, 'warning', 'resolved', ?, '2026-01-01')",
                (str(number), json.dumps({"of": label}), message),
            )
        for label in ("call-of-ada", "call-of-bob"):
            connection.execute(
                "INSERT INTO performance_metrics"
                ' (metric_type, labels, "window", timestamp, project, count, errors, sum)'
                " VALUES ('latency', ?, 60, '2026-01-01', '', 1, 0, 1)",
                (json.dumps({"call_id": label}),),
            )
    removed = erased(places).places[0].removed
    assert (removed["alert_history"], removed["performance_metrics"]) == (3, 1)


def test_a_project_is_erased_alone(tmp_path: Path) -> None:
    spans = [
        *turn("a", 0, input={"to": PHONE}, project="east"),
        *turn("b", 1, input={"to": PHONE}, project="west"),
    ]
    store = stored(tmp_path / "calls.db", spans)
    jsonl = tmp_path / "spans.jsonl"
    exporter = JSONLExporter(jsonl)
    exporter.export([span.replace(project="east" if span.call_id == "a" else "west") for span in spans])
    exporter.shutdown()
    receipt = erase(SUBJECT, store=store, jsonl=[jsonl], project="east")
    assert (receipt.project, receipt.traces) == ("east", 1)
    assert {span.call_id for span in read_jsonl(jsonl)} == {"b"}
    assert erase(SUBJECT, store=store, jsonl=[jsonl], project=ALL_PROJECTS).traces == 1
    assert list(read_jsonl(jsonl)) == []


def test_the_index_of_the_search_forgets_as_well(places: Places) -> None:
    assert len(search(places.store, "reach").hits) == 1
    erased(places)
    assert search(places.store, "reach").hits == ()
    assert len(search(places.store, "mine").hits) == 1
    assert places.files_with(*WRITTEN) == []


def test_what_was_deleted_carelessly_before_is_not_left_in_free_pages(places: Places) -> None:
    with closing(sqlite3.connect(places.store)) as connection, connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE notes (text TEXT)")
        connection.execute("INSERT INTO notes VALUES (?)", (f"call {PHONE} " * 5000,))
        connection.execute("DELETE FROM notes")
    assert erased(places).is_complete
    assert places.files_with(*WRITTEN) == []


def test_what_arrives_later_is_erased_by_the_receipt_alone(places: Places) -> None:
    first = erased(places)
    with closing(connect(places.store)) as connection:
        SpanWriter(connection).write(calls())
        SpanWriter(connection).write(turn("call-of-ada", 99))
    second = erase_again(first.erasure_id, store=places.store, outbox=places.outbox, jsonl=[places.jsonl])
    assert (second.traces, second.again) == (3, first.erasure_id)
    assert ask(places, "SELECT DISTINCT call_id FROM workflow_traces") == [("call-of-bob",)]
    with pytest.raises(ReamonError, match="keeps no receipt"):
        erase_again("unknown", store=places.store)


def test_a_call_whose_id_is_the_number_leaves_no_digest_of_it(tmp_path: Path) -> None:
    store = stored(tmp_path / "calls.db", turn("call-15550102030", 0))
    receipt = erase(SUBJECT, store=store)
    assert receipt.calls == 1
    assert len(receipt.tombstones.digests) == receipt.traces == 1


def test_places_that_are_not_there_are_no_trouble(tmp_path: Path) -> None:
    receipt = erase(SUBJECT, store=tmp_path / "a.db", outbox=tmp_path / "b.sqlite", jsonl=[tmp_path / "no" / "c.jsonl"])
    assert (receipt.traces, receipt.is_complete) == (0, True)


def test_a_torn_line_that_has_the_number_goes(tmp_path: Path) -> None:
    jsonl = tmp_path / "spans.jsonl"
    jsonl.write_text(f'not a span: {PHONE}\n{{"span_id": "to\n')
    assert erase(SUBJECT, jsonl=[jsonl]).places[0].removed == {"spans.jsonl": 1}
    assert "555" not in jsonl.read_text()


def test_an_exporter_goes_on_with_a_file_that_was_written_anew(places: Places) -> None:
    exporter = JSONLExporter(places.jsonl)
    exporter.export(calls()[5:10])
    erased(places)
    exporter.export(turn("call-of-eve", 40))
    exporter.shutdown()
    assert set(lines(places)) == {"call-of-bob", "call-of-eve"}
    assert places.jsonl.stat().st_mode & 0o777 == 0o644


def test_what_is_written_meanwhile_stays_unless_it_is_the_persons(places: Places) -> None:
    failures: list[Exception] = []
    stop = threading.Event()
    written: list[str] = []

    def write_on() -> None:
        exporter = JSONLExporter(places.jsonl)
        try:
            with closing(connect(places.store)) as connection:
                writer = SpanWriter(connection)
                while not stop.wait(0.02):  # an exporter commits every 0.2 s
                    spans = turn(f"call-{len(written)}", 100.0 + len(written))
                    writer.write(spans)
                    exporter.export(spans)
                    written.append(str(spans[-1].call_id))
        except Exception as error:
            failures.append(error)
        exporter.shutdown()

    thread = threading.Thread(target=write_on)
    thread.start()
    try:
        receipt = erased(places)
    finally:
        stop.set()
        thread.join()
    assert failures == []
    assert receipt.traces == 2
    stored_calls = {call for (call,) in ask(places, "SELECT call_id FROM workflow_traces")}
    assert stored_calls == {*written, "call-of-bob"}
    assert set(lines(places)) == {*written, "call-of-bob"}
    assert is_sound(places.store)


def test_a_process_that_lives_is_named_since_its_memory_cannot_be_reached(places: Places) -> None:
    source = f"""
        import sys
        from pathlib import Path
        from reamon.erasure import Subject, erase
        receipt = erase(Subject("phone", {PHONE!r}), outbox=Path({str(places.outbox)!r}))
        print(receipt.is_complete, receipt.places[0].remaining)
    """
    with closing(Outbox(places.outbox, 10**9)) as outbox:
        outbox.write("langsmith calls", [calls()])
        told = run(places.store.parent, source)
    assert told.startswith("False")
    assert "is delivering" in told


def test_a_start_that_a_dead_process_left_goes(tmp_path: Path) -> None:
    jsonl = tmp_path / "spans.jsonl"
    source = f"""
        import os
        from reamon.exporters import JSONLExporter
        from reamon.testing import make_span
        exporter = JSONLExporter({str(jsonl)!r})
        for number in ({PHONE!r}, "+1 555 010 9999"):
            exporter.started([make_span("turn", "workflow", status="running", end_ns=None, input={{"to": number}})])
        os._exit(0)
    """
    run(tmp_path, source)
    receipt = erase(SUBJECT, jsonl=[jsonl])
    assert receipt.places[0].removed == {"starts": 1}
    exporter = JSONLExporter(jsonl)
    exporter.open()
    exporter.shutdown()
    assert [span.input and span.input.value for span in read_jsonl(jsonl)] == [{"to": "+1 555 010 9999"}]


@pytest.mark.parametrize("function", ["reamon.erasure.waiting._replace", "reamon.erasure.lines.LinesPlace._rewrite"])
def test_an_erasure_that_was_killed_is_gone_on_with(places: Places, function: str) -> None:
    module, _, name = function.rpartition(".")
    source = f"""
        import os, pkgutil, signal
        from pathlib import Path
        from reamon.erasure import Subject, erase
        owner = pkgutil.resolve_name({module!r})
        real = getattr(owner, {name!r})
        def deadly(*parameters, **options):
            real(*parameters, **options)
            os.kill(os.getpid(), signal.SIGKILL)
        setattr(owner, {name!r}, deadly)
        erase(Subject("phone", {PHONE!r}), store={str(places.store)!r}, outbox=Path({str(places.outbox)!r}),
              jsonl=[Path({str(places.jsonl)!r})])
    """
    spend = ask(places, "SELECT cost_amount FROM cost_details ORDER BY 1")
    run(places.store.parent, source, returncode=-9)
    receipt = erased(places)
    assert places.files_with(*WRITTEN, b"call-of-ada", b'"Ada"') == []
    assert (receipt.traces, receipt.calls, receipt.is_complete, receipt.is_genuine()) == (2, 1, True, True)
    assert receipts(places.store) == [receipt]
    assert ask(places, "SELECT cost_amount FROM cost_details ORDER BY 1") == spend
    assert set(lines(places)) == {"call-of-bob"}


def test_times_and_names_of_the_receipt(places: Places) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    receipt = erased(places, now=lambda: now)
    assert receipt.time == now
    assert Decimal(ask(places, "SELECT total_cost FROM workflow_traces")[0][0]) == Decimal("0.0628")
    assert receipt.time + timedelta(0) == receipts(places.store)[0].time
