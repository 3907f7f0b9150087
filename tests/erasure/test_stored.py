"""The rows of somebody in a store: all of them, and nobody else's."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reamon.erasure import Subject, erase, erase_again, receipts
from reamon.model import Payload
from reamon.store import SpanWriter, connect
from support.scripts import run
from support.stores import START, stored, turn

PHONE = "+1 (555) 010-2030"
ADA = Subject("call", "call-100")


def ask(store: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query).fetchall()


def change(store: Path, statement: str, *parameters: object) -> None:
    with closing(connect(store)) as connection:
        connection.execute(statement, parameters)


def spend(store: Path, scope: str) -> None:
    """What a call may spend, how much of it is spent, and what it has reserved."""
    change(
        store,
        "INSERT INTO budget_periods (budget, scope, period_start, spent, stated, unknown, updated_at)"
        " VALUES ('call', ?, '2026-11-18', '1', '0', 0, '2026-11-18')",
        scope,
    )
    change(
        store,
        "INSERT INTO budget_reservations (reservation_id, budget, scope, period_start, amount, expires_at)"
        " VALUES (?, 'call', ?, '2026-11-18', '1', '2026-11-19')",
        f"for {scope}",
        scope,
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two calls, one of whose ids begins with the other's."""
    return stored(tmp_path / "calls.db", [*turn("call-100", 0, input={"to": PHONE}), *turn("call-1000", 1)])


def test_what_a_call_has_spent_and_reserved_goes_with_it(store: Path) -> None:
    for scope in ("call-100", "call-1000", "", "east"):
        spend(store, scope)
    removed = erase(ADA, store=store).places[0].removed
    assert (removed["budget_periods"], removed["budget_reservations"]) == (1, 1)
    for table in ("budget_periods", "budget_reservations"):
        assert ask(store, f"SELECT scope FROM {table} ORDER BY 1") == [("",), ("call-1000",), ("east",)]
    assert b"call-100\x00" not in store.read_bytes()


def test_a_budget_goes_whose_call_nothing_else_tells_of_any_more(store: Path) -> None:
    spend(store, "call-15550102030")
    spend(store, "call-15550109999")
    assert erase(Subject("phone", PHONE), store=store).places[0].removed["budget_periods"] == 1
    assert ask(store, "SELECT scope FROM budget_periods") == [("call-15550109999",)]


def test_a_longer_id_of_somebody_else_is_not_taken_for_something_left(store: Path) -> None:
    receipt = erase(ADA, store=store)
    assert (receipt.traces, receipt.is_complete) == (1, True)
    assert ask(store, "SELECT call_id FROM workflow_traces") == [("call-1000",)]


def test_what_another_project_has_of_them_is_not_taken_for_something_left(tmp_path: Path) -> None:
    spans = [
        *turn("a", 0, input={"to": PHONE}, project="east"),
        *turn("b", 1, input={"to": PHONE}, project="west"),
    ]
    receipt = erase(Subject("phone", PHONE), store=stored(tmp_path / "calls.db", spans), project="east")
    assert (receipt.traces, receipt.is_complete) == (1, True)


def test_a_table_of_somebody_else_that_has_the_number_is_named(store: Path) -> None:
    change(store, "CREATE TABLE contacts (phone TEXT)")
    change(store, "INSERT INTO contacts VALUES ('555-010-2030')")
    receipt = erase(Subject("phone", PHONE), store=store)
    assert not receipt.is_complete
    assert "in the table contacts" in receipt.places[0].remaining[0]


def test_late_spans_are_erased_again_though_their_root_never_comes(store: Path) -> None:
    spans = turn("call-7777", 5)
    stored(store, spans)
    first = erase(Subject("call", "call-7777"), store=store)
    with closing(connect(store)) as connection:
        SpanWriter(connection).write([span.replace(costs=()) for span in spans[:-1]])
    again = erase_again(first.erasure_id, store=store)
    assert again.places[0].removed == {"operations": 2, "agent_executions": 2}


def test_a_late_alert_and_a_late_budget_are_erased_again(store: Path) -> None:
    first = erase(ADA, store=store)
    spend(store, "call-100")
    change(
        store,
        "INSERT INTO alert_history (alert_id, rule, labels, severity, state, message, triggered_at)"
        " VALUES ('1', 'r', '{}', 'warning', 'resolved', 'call-100 is slow', '2026-11-18')",
    )
    removed = erase_again(first.erasure_id, store=store).places[0].removed
    assert removed == {"alert_history": 1, "budget_reservations": 1, "budget_periods": 1}


def test_costs_that_stay_are_of_the_same_day_in_every_time_zone(tmp_path: Path) -> None:
    quarter = 15 * 60 * 10**9
    at = (START // quarter + 1) * quarter + 10**9  # a second after a day has begun somewhere
    store = stored(tmp_path / "calls.db", turn("call-100", (at - START) / 1e9))
    erase(ADA, store=store)
    (moment,) = ask(store, "SELECT DISTINCT timestamp FROM cost_details")
    assert moment == ask(store, f"SELECT strftime('%Y-%m-%dT%H:%M:%S.000000Z', {at // 10**9 - 1}, 'unixepoch')")[0]


@pytest.mark.parametrize("deadly", ["DELETE FROM operations", "DELETE FROM workflow_traces", "UPDATE cost_details"])
def test_an_erasure_is_gone_on_with_that_was_killed_when_all_that_told_of_the_person_had_gone(
    tmp_path: Path, deadly: str
) -> None:
    telling = [
        span.replace(input=Payload.of({"to": PHONE})) if span.name == "speak" else span for span in turn("call-100", 0)
    ]
    store = stored(tmp_path / "calls.db", [*telling, *turn("call-100", 1), *turn("call-1000", 2)])
    costs = ask(store, "SELECT cost_amount FROM cost_details ORDER BY 1")
    source = f"""
        import os, signal
        from reamon.erasure import Subject, erase, stored
        from reamon.store.administration import SQLiteStore
        stored._PORTION = 1
        take = stored.StorePlace._take
        settle = stored.StorePlace._settle_costs
        def die_after(function):
            def deadly(place, database, *parameters, **options):
                told = []
                database.connection.set_trace_callback(told.append)
                result = function(place, database, *parameters, **options)
                if any({deadly!r} in statement for statement in told):
                    os.kill(os.getpid(), signal.SIGKILL)
                return result
            return deadly
        stored.StorePlace._take = die_after(take)
        stored.StorePlace._settle_costs = die_after(settle)
        erase(Subject("phone", {PHONE!r}), store={str(store)!r})
    """
    run(tmp_path, source, returncode=-9)
    (begun,) = receipts(store)
    assert (begun.finished, begun.is_complete, begun.traces) == (False, False, 2)
    receipt = erase(Subject("phone", "001-555-010-2030"), store=store)
    assert receipts(store) == [receipt]
    assert (receipt.traces, receipt.calls, receipt.is_complete) == (2, 1, True)
    assert ask(store, "SELECT call_id FROM workflow_traces") == [("call-1000",)]
    assert ask(store, "SELECT DISTINCT call_id FROM cost_details ORDER BY 1") == [(None,), ("call-1000",)]
    assert ask(store, "SELECT cost_amount FROM cost_details ORDER BY 1") == costs
