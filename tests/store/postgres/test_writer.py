"""What the writer leaves in PostgreSQL: rows, costs to the last digit, and what hostile content becomes."""

import random
import threading
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reamon.errors import Rejected
from reamon.model import CostData, Payload, Span, SpanStatus, Usage
from reamon.store.postgres.connection import BoundedConnection
from reamon.store.postgres.writer import PostgresWriter
from reamon.store.sqlite import connect as connect_sqlite
from reamon.store.tables import metadata
from reamon.store.writer import SpanWriter
from reamon.testing import make_span, sample_spans
from support.postgres import connected

TABLES = ("operations", "agent_executions", "workflow_traces")


@pytest.fixture
def writer(connection: BoundedConnection, schema: str) -> PostgresWriter:
    return PostgresWriter(connection, schema)


def cost(amount: str | None, *, version: str = "1", kind: str = "llm") -> CostData:
    return CostData(cost_type=kind, amount=None if amount is None else Decimal(amount), price_version=version)


def one(connection: BoundedConnection, query: str, *parameters: Any) -> Any:
    (row,) = connection.execute(query, parameters).fetchall()
    return row[0] if len(row) == 1 else row


def total_of(connection: BoundedConnection, trace: Span) -> tuple[Decimal | None, str]:
    found: tuple[Decimal | None, str] = one(
        connection, "SELECT total_cost, cost_status FROM workflow_traces WHERE trace_id = %s", trace.trace_id
    )
    return found


# Rows


def test_the_rows_are_those_that_sqlite_has(
    connection: BoundedConnection, writer: PostgresWriter, tmp_path: Path
) -> None:
    spans = sample_spans()
    writer.write(spans)
    file = connect_sqlite(tmp_path / "store.db")
    SpanWriter(file).write(spans)
    for name in (*TABLES, "cost_details"):
        columns = metadata.tables[name].columns
        theirs = file.execute(f"SELECT {', '.join(column.name for column in columns)} FROM {name}").fetchall()
        ours = connection.execute(f"SELECT {', '.join(map(_as_sqlite_has, columns))} FROM {name}").fetchall()
        assert sorted(map(str, map(_without_nul, theirs))) == sorted(map(str, ours)), name
    file.close()


def _as_sqlite_has(column: Any) -> str:
    """The expression of what SQLite stores in a column."""
    kind = type(column.type).__name__
    if kind == "UtcDateTime":
        return f'to_char({column.name}, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
    if kind == "Boolean":
        return f"{column.name}::int"
    return f"{column.name}::text" if kind in {"Json", "Money", "Quantity"} else str(column.name)


def _without_nul(row: Sequence[Any]) -> tuple[Any, ...]:
    from reamon.store.postgres.mending import readable_json

    return tuple(readable_json(value).replace("\0", "\ufffd") if isinstance(value, str) else value for value in row)


def test_a_span_that_comes_again_is_there_once(connection: BoundedConnection, writer: PostgresWriter) -> None:
    turn = make_span("turn", "workflow", costs=(cost("1.5"),))
    agent = make_span("qualify", "agent", parent=turn, costs=(cost("0.25"),))
    step = make_span("step", "step", parent=agent)
    for batch in ([turn, agent, step], [turn, turn, agent, agent, step, step]):
        writer.write(batch)
    assert [one(connection, f"SELECT count(*) FROM {table}") for table in TABLES] == [1, 1, 1]
    assert one(connection, "SELECT count(*) FROM cost_details") == 2
    assert total_of(connection, turn) == (Decimal("1.75"), "complete")


def test_an_empty_batch_is_no_trouble(writer: PostgresWriter) -> None:
    writer.write([])
    writer.write_started([])


def test_a_finish_replaces_a_start_and_a_start_never_a_finish(
    connection: BoundedConnection, writer: PostgresWriter
) -> None:
    start = make_span("turn", "workflow", status="running")
    finish = start.replace(status=SpanStatus.OK, end_ns=start.start_ns + 1)
    writer.write_started([start, start])
    assert one(connection, "SELECT status FROM workflow_traces") == "running"
    writer.write([finish])
    writer.write_started([start])
    writer.write([finish.replace(status=SpanStatus.ERROR)])
    assert one(connection, "SELECT status FROM workflow_traces") == "completed"


def test_a_finish_replaces_an_interruption(connection: BoundedConnection, writer: PostgresWriter) -> None:
    start = make_span("turn", "workflow", status="running")
    writer.write_started([start])
    connection.execute("UPDATE workflow_traces SET status = 'interrupted', status_reason = 'dead'")
    writer.write([start.replace(status=SpanStatus.OK, end_ns=start.start_ns + 1)])
    assert one(connection, "SELECT status, status_reason FROM workflow_traces") == ("completed", None)


# Costs


def test_a_total_is_the_sum_of_all_details_whichever_comes_first(
    connection: BoundedConnection, writer: PostgresWriter
) -> None:
    turn = make_span("turn", "workflow")
    agent = make_span("qualify", "agent", parent=turn)
    calls = [
        make_span("chat", "llm", parent=agent, agent_id=agent.span_id, costs=(cost(f"0.00000000000{n}"),))
        for n in (1, 2, 3)
    ]
    writer.write([calls[0]])
    writer.write([turn, agent])
    writer.write(calls[1:])
    assert total_of(connection, turn) == (Decimal("0.000000000006"), "complete")
    assert one(connection, "SELECT cost FROM agent_executions") == Decimal("0.000000000006")


def test_an_unknown_price_is_unknown_and_never_nothing(connection: BoundedConnection, writer: PostgresWriter) -> None:
    turn = make_span("turn", "workflow")
    writer.write([turn, make_span("chat", "llm", parent=turn, costs=(cost(None),))])
    assert total_of(connection, turn) == (None, "unknown")
    writer.write([make_span("chat", "llm", parent=turn, costs=(cost("2"),))])
    assert total_of(connection, turn) == (Decimal(2), "partial")


def test_a_running_workflow_has_its_total_so_far(connection: BoundedConnection, writer: PostgresWriter) -> None:
    turn = make_span("turn", "workflow", status="running")
    writer.write_started([turn])
    writer.write([make_span("chat", "llm", parent=turn, costs=(cost("2"),))])
    assert total_of(connection, turn) == (Decimal(2), "complete")


def test_what_a_repricing_has_superseded_counts_no_more_and_stays_superseded(
    connection: BoundedConnection, writer: PostgresWriter
) -> None:
    turn = make_span("turn", "workflow", costs=(cost("1", version="old"), cost("2", version="new")))
    writer.write([turn])
    connection.execute("INSERT INTO repricings VALUES ('r', now(), 'new', NULL, NULL, NULL, 1, 1, 2)")
    connection.execute("UPDATE cost_details SET superseded_by = 'r' WHERE price_version = 'old'")
    writer.write([turn])
    assert total_of(connection, turn) == (Decimal(2), "complete")
    assert one(connection, "SELECT superseded_by FROM cost_details WHERE price_version = 'old'") == "r"


def test_a_total_whose_details_have_gone_by_retention_stays(
    connection: BoundedConnection, writer: PostgresWriter
) -> None:
    turn = make_span("turn", "workflow", status="running", costs=(cost("5"),))
    writer.write_started([turn])
    writer.write([make_span("chat", "llm", parent=turn, costs=(cost("5"),))])
    connection.execute("UPDATE workflow_traces SET costs_pruned = TRUE; DELETE FROM cost_details")
    writer.write([make_span("chat", "llm", parent=turn, costs=(cost("1"),))])
    writer.write([turn.replace(status=SpanStatus.OK, end_ns=turn.start_ns)])
    assert total_of(connection, turn)[0] == Decimal(5)


def test_threads_that_write_the_details_of_one_trace_at_once_leave_its_exact_total(
    url: str, connection: BoundedConnection, schema: str
) -> None:
    turn = make_span("turn", "workflow")
    agent = make_span("qualify", "agent", parent=turn)
    begin = threading.Barrier(6)

    def write(number: int) -> None:
        calls = [
            make_span("chat", "llm", parent=agent, agent_id=agent.span_id, costs=(cost("0.000000000001"),))
            for _ in range(40)
        ]
        with connected(url) as own:
            writer = PostgresWriter(own, schema)
            begin.wait()
            for position in range(0, 40, 4):
                writer.write([*calls[position : position + 4], *((turn, agent) if position == number * 4 else ())])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total_of(connection, turn) == (Decimal("0.000000000240"), "complete")
    assert one(connection, "SELECT cost FROM agent_executions") == Decimal("0.000000000240")


# Hostile content


@pytest.mark.parametrize(
    "hostile",
    [
        {"name": "with \0 in it"},
        {"name": "half \ud800 a letter"},
        {"attributes": {"text": "\0", "half": "\udfff", "large": 1 << 80}},
        {"usage": (Usage(provider="p", model="m", input_tokens=1 << 70, output_tokens=3),)},
        {"input": Payload(b'"\xff\xfe"')},
        {"input": Payload(rb'{"nul": "\u0000", "half": "\ud800"}')},
        {"input": Payload(("[" * 400 + "]" * 400).encode())},
        {"call_id": "c" * 100_000},
        {"status_reason": "n" * 100_000},
    ],
    ids=str,
)
def test_hostile_content_is_stored_mended_and_its_neighbours_as_they_are(
    connection: BoundedConnection, writer: PostgresWriter, hostile: dict[str, Any]
) -> None:
    turns = [
        make_span("before", "workflow"),
        make_span(**{"name": "chat", "kind": "llm", **hostile}),
        make_span("after"),
    ]
    writer.write(turns)
    assert one(connection, "SELECT count(*) FROM workflow_traces") == 3
    assert one(connection, "SELECT count(input_data::jsonb) + count(attributes::jsonb) FROM operations") is not None


def test_what_can_never_be_stored_is_rejected_by_its_id_and_the_others_are_there(
    connection: BoundedConnection, writer: PostgresWriter
) -> None:
    good = [make_span("step", "step", parent=make_span()) for _ in range(9)]
    bad = [
        make_span("no id", "step", span_id="not an id at all", parent=good[0]),
        make_span("huge", "llm", parent=good[0], costs=(cost("1e60"),)),
        make_span("no JSON", "step", parent=good[0], input=Payload(b"{never closed")),
    ]
    with pytest.raises(Rejected, match="PostgreSQL cannot hold what they contain") as refusal:
        writer.write([*good[:4], *bad, *good[4:]])
    assert set(refusal.value.span_ids or ()) == {span.span_id for span in bad}
    assert one(connection, "SELECT count(*) FROM operations") == 9
    assert one(connection, "SELECT count(*) FROM cost_details") == 0


def test_text_that_two_indexed_columns_share_an_entry_for_is_cut_to_fit(
    connection: BoundedConnection, writer: PostgresWriter
) -> None:
    letters = random.Random(1).sample(range(0x10000, 0x1FFFF), 2000)  # at four bytes each, and nothing to compress
    text = "".join(map(chr, letters))
    writer.write([make_span("chat", "llm", costs=(cost("1", kind=text[:1000], version=text[1000:]),))])
    assert one(connection, "SELECT cost_type FROM cost_details") == text[:300]


def test_cost_types_that_are_one_once_mended_are_rejected_and_hold_up_nothing_else(
    connection: BoundedConnection, writer: PostgresWriter
) -> None:
    good = make_span("chat", "llm", costs=(cost("1"),))
    bad = make_span("chat", "llm", costs=(cost("1", kind="a\0"), cost("2", kind="a\ufffd")))
    with pytest.raises(Rejected) as refusal:
        writer.write([good, bad])
    assert refusal.value.span_ids == (bad.span_id,)
    assert one(connection, "SELECT span_id FROM cost_details") == good.span_id
