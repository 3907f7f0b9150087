"""Retention, search and erasure on PostgreSQL: the same as on SQLite, and partitions dropped whole."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from reamon.erasure import Subject, erase, erase_again, receipts
from reamon.errors import StoreError
from reamon.exporters import PostgresExporter
from reamon.model import Span, SpanError
from reamon.store.limits import Limits
from reamon.store.retention import prune, vacuum
from reamon.store.search import build_index, forget_index, search
from reamon.testing import make_span
from support.postgres import POSTGRES_URL, connected, postgres_schema, read, with_schema
from support.stores import START, turn

DAY = 24 * 3600.0
TODAY = datetime.fromtimestamp(START / 1e9, UTC)


def spans() -> list[Span]:
    broken = make_span("chat", "llm", start_ns=START, error=SpanError("TimeoutError", "gateway sulked", "trace"))
    return [
        *turn("ancient", -400 * DAY, input={"said": "price of Zürich\nnow, call +1 555 010 2030"}, project="east"),
        *turn("old", -31 * DAY, input={"said": "price of the house"}, project="east"),
        *turn("young", -1 * DAY, input={"said": "the price is C:\\new http://a.example/x -7"}, project="west"),
        broken,
    ]


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_schema() as target:
        exporter = PostgresExporter(target)
        exporter.export(spans())
        exporter.shutdown(5.0)
        yield target


def today() -> datetime:
    return TODAY


def test_old_detail_goes_and_totals_stay(url: str) -> None:
    counted = prune(url, Limits(), now=today, dry_run=True)
    pruned = prune(url, Limits(), now=today)
    assert counted.rows == pruned.rows
    assert pruned.rows == {"operations": 4, "agent_executions": 4, "workflow_traces": 2, "cost_details": 2}
    assert read(url, "SELECT call_id FROM workflow_traces WHERE input_data IS NOT NULL") == ["young"]
    assert set(read(url, "SELECT total_cost FROM workflow_traces WHERE call_id IS NOT NULL")) == {Decimal("0.0628")}
    assert prune(url, Limits(), now=today).total == 0
    vacuum(url)


def test_partitions_go_whole_unless_something_in_them_still_runs(url: str) -> None:
    later = TODAY + timedelta(days=60)
    pruned = prune(url, Limits(), now=lambda: later)
    assert len(pruned.partitions) > 0
    assert read(url, "SELECT count(*) FROM operations") == [0]
    with connected(url) as connection:
        connection.execute("UPDATE workflow_traces SET status = 'running' WHERE call_id = 'ancient'")
    assert prune(url, Limits(), now=lambda: later + timedelta(days=60)).partitions == ()


def test_a_project_is_pruned_alone(url: str) -> None:
    assert prune(url, Limits(detail=timedelta(hours=1)), project="west", now=today).rows["operations"] == 2
    assert read(url, "SELECT count(*) FROM operations") == [5]


def test_a_total_survives_the_late_finish_of_what_was_interrupted(url: str) -> None:
    ancient = turn("interrupted", -400 * DAY)
    exporter = PostgresExporter(url)
    exporter.export(ancient)
    with connected(url) as connection:
        connection.execute("UPDATE workflow_traces SET status = 'interrupted' WHERE call_id = 'interrupted'")
    prune(url, Limits(), now=today)
    exporter.export(ancient[4:])
    exporter.shutdown(5.0)
    query = "SELECT {} FROM workflow_traces WHERE call_id = 'interrupted'"
    found = [read(url, query.format(column))[0] for column in ("status", "total_cost", "cost_status")]
    assert found == ["completed", Decimal("0.0628"), "complete"]


def test_summaries_go_where_somebody_asks_for_it(url: str) -> None:
    assert prune(url, Limits(summaries=timedelta(days=365)), now=today).summaries == 1
    assert sorted(call for call in read(url, "SELECT call_id FROM workflow_traces") if call) == ["old", "young"]


def test_words_are_found_with_and_without_the_index(url: str) -> None:
    wanted = {
        "price": 6,  # three of them said it themselves, and three times a lead asks for it
        "zurich": 1,
        '"price of"': 2,
        "hou*": 1,
        "new": 1,
        "7": 1,
        "example": 1,
        "sulked": 1,
        "greeting": 3,
        "nnow": 0,
        "now": 1,
        "": 0,
    }
    scanned = {word: search(url, word) for word in wanted}
    assert {word: len(found.hits) for word, found in scanned.items()} == wanted
    assert "--build" in str(scanned["price"].note)
    build_index(url)
    build_index(url)
    indexed = {word: search(url, word) for word in wanted}
    assert {word: (len(found.hits), found.by) for word, found in indexed.items()} == {
        word: (count, "index") for word, count in wanted.items()
    }
    assert [hit.call_id for hit in search(url, '"price of"', project="east").hits] == ["old", "ancient"]
    forget_index(url)
    assert search(url, "price").by == "scan"


def test_a_person_is_erased(url: str) -> None:
    build_index(url)
    receipt = erase(Subject("phone", "555-010-2030"), store=url)
    assert (receipt.traces, receipt.is_complete) == (1, True)
    assert receipt.places[0].removed == {"operations": 2, "agent_executions": 2, "workflow_traces": 1}
    assert "ancient" not in read(url, "SELECT call_id FROM workflow_traces")
    assert read(url, "SELECT count(*) FROM cost_details WHERE call_id IS NULL AND cost_amount IS NOT NULL") == [2]
    assert receipts(url) == [receipt]
    assert receipts(url)[0].is_genuine()


def test_what_arrives_late_of_a_person_is_erased_again_and_their_budgets_go(url: str) -> None:
    def spend() -> None:
        with connected(url) as connection:
            for scope in ("ancient", "young"):
                connection.execute(
                    "INSERT INTO budget_periods (budget, scope, period_start, spent, stated, unknown, updated_at)"
                    " VALUES ('call', %s, now(), 1, 0, 0, now())",
                    (scope,),
                )

    spend()
    first = erase(Subject("call", "ancient"), store=url)
    assert first.places[0].removed["budget_periods"] == 1
    assert "pages of PostgreSQL" in [other.destination for other in first.elsewhere]
    exporter = PostgresExporter(url)
    late = turn("ancient", -400 * DAY)
    ids = first.trace_ids[0]
    exporter.export([span.replace(trace_id=ids, costs=()) for span in late[:-1]])
    exporter.shutdown(5.0)
    spend()
    again = erase_again(first.erasure_id, store=url)
    assert again.places[0].removed == {"operations": 2, "agent_executions": 2, "budget_periods": 1}
    assert read(url, "SELECT DISTINCT scope FROM budget_periods") == ["young"]


def test_where_there_is_no_store_it_is_said_without_a_password() -> None:
    with postgres_schema() as url, pytest.raises(StoreError, match="no store in"):
        prune(url, Limits())
    wrong = with_schema(POSTGRES_URL.replace("@", ":hunter2@"), "nowhere")
    with pytest.raises(StoreError) as refused:
        prune(wrong.replace("5432", "1"), Limits())
    assert "hunter2" not in str(refused.value)
