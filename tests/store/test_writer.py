"""The writer: each span once, in any order, with exact sums; and all of a batch or nothing."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import Rejected
from reamon.model import CostData, Span, SpanKind, SpanStatus
from reamon.model.ids import row_id, row_id_at, uuid7
from reamon.store.places import Places
from reamon.store.sqlite import connect
from reamon.store.writer import INTERRUPTED_REASON, SpanWriter
from reamon.testing import make_span

TABLES = ("workflow_traces", "agent_executions", "operations", "cost_details")
KEYS = {"workflow_traces": "trace_id", "agent_executions": "span_id", "operations": "span_id"}
CROWD = 5000
"""More spans than a moment has row ids (1024)."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(tmp_path / "store.db", busy_timeout=0.05)) as connection:
        yield connection


@pytest.fixture
def writer(connection: sqlite3.Connection) -> SpanWriter:
    return SpanWriter(connection)


def rows(connection: sqlite3.Connection, sql: str) -> list[Any]:
    found = connection.execute(sql).fetchall()
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    return {table: rows(connection, f"SELECT COUNT(*) FROM {table}")[0] for table in TABLES}


def contents(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    return {table: rows(connection, f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in TABLES}


def started(span: Span) -> Span:
    return span.replace(status=SpanStatus.RUNNING, end_ns=None)


def cost(amount: str | None, cost_type: str = "llm") -> CostData:
    return CostData(cost_type=cost_type, amount=None if amount is None else Decimal(amount))


def a_turn() -> list[Span]:
    """A workflow with two agents, as its spans finish: model calls, agents, root."""
    root = make_span("turn", "workflow", call_id="call-1")
    spans: list[Span] = []
    for order, amounts in enumerate((("0.1", "0.2"), ("0.7", None)), start=1):
        agent = make_span("agent", "agent", parent=root, execution_order=order)
        agent = agent.replace(agent_id=agent.span_id)
        chats = (make_span("chat", "llm", parent=agent, agent_id=agent.span_id, costs=(cost(a),)) for a in amounts)
        spans += [*chats, agent]
    return [*spans, root]


def same_number(count: int, kind: SpanKind | str = SpanKind.TOOL) -> list[Span]:
    """Spans of different ids that all give the same row id."""
    twins = same_start(kind, (number << 12 | 1 for number in range(count)))
    assert {row_id(span.span_id) for span in twins} == {row_id(twins[0].span_id)}
    return twins


def same_start(kind: SpanKind | str, randoms: Iterable[int]) -> list[Span]:
    """Spans that were all given one whole second as their start, with ids made of these random bits."""
    start_ns = 1_700_000_000_000_000_000
    return [make_span("twin", kind, start_ns=start_ns, span_id=uuid7(start_ns, bits)) for bits in randoms]


# Where a span goes


def test_every_span_has_a_row_in_its_table(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    writer.write(a_turn())
    assert counts(connection) == {"workflow_traces": 1, "agent_executions": 2, "operations": 4, "cost_details": 4}


@pytest.mark.parametrize(("kind", "table"), [("agent", "agent_executions"), ("llm", "operations")])
def test_a_root_that_is_no_workflow_has_two_rows(
    connection: sqlite3.Connection, writer: SpanWriter, kind: str, table: str
) -> None:
    alone = make_span("alone", kind)
    writer.write([alone])
    assert rows(connection, "SELECT trace_id, kind FROM workflow_traces") == [(alone.span_id, kind)]
    assert rows(connection, f"SELECT span_id FROM {table}") == [alone.span_id]


def test_a_workflow_below_another_span_is_an_operation(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    writer.write([make_span("inner", "workflow", parent=make_span("outer", "workflow"))])
    assert rows(connection, "SELECT kind FROM operations") == ["workflow"]
    assert counts(connection)["workflow_traces"] == 0


def test_row_ids_grow_with_time(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    spans = [make_span() for _ in range(60)]
    writer.write(spans)
    assert rows(connection, "SELECT span_id FROM operations ORDER BY id") == [span.span_id for span in spans]


# Again, and in any order


@given(data=st.data())
def test_any_order_and_any_repetition_gives_the_same_store(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    turn = a_turn()
    arrivals = [*data.draw(st.permutations(turn)), *data.draw(st.lists(st.sampled_from(turn), max_size=6))]
    cuts = sorted(data.draw(st.lists(st.integers(1, len(arrivals)), max_size=3)))
    directory = tmp_path_factory.mktemp("orders")
    with closing(connect(directory / "plain.db")) as plain, closing(connect(directory / "mixed.db")) as mixed:
        SpanWriter(plain).write(turn)
        for begin, end in zip([0, *cuts], [*cuts, len(arrivals)], strict=True):
            SpanWriter(mixed).write(arrivals[begin:end])
        assert contents(mixed) == contents(plain)


def test_a_batch_that_is_sent_again_changes_nothing(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    batch = [span for _ in range(10) for span in a_turn()]
    writer.write(batch)
    before = contents(connection)
    writer.write(batch)
    assert contents(connection) == before


@pytest.mark.parametrize("count", [2, 30])
@pytest.mark.parametrize(("kind", "table"), [("tool", "operations"), ("agent", "agent_executions")])
def test_spans_that_share_a_row_id_are_all_kept(
    connection: sqlite3.Connection, writer: SpanWriter, count: int, kind: str, table: str
) -> None:
    twins = same_number(count, kind)
    writer.write(twins)
    writer.write(twins)
    found = rows(connection, f"SELECT span_id FROM {table}")
    assert sorted(found) == sorted(span.span_id for span in twins)
    first = row_id(twins[0].span_id)
    assert rows(connection, f"SELECT MAX(id) FROM {table}") == [first + count - 1]


def test_workflows_that_share_a_row_id_start_and_finish_apart(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    twins = same_number(3, "workflow")
    writer.write_started([started(span) for span in twins])
    writer.write([twins[2], twins[1]])
    found = dict(rows(connection, "SELECT trace_id, status FROM workflow_traces"))
    assert found == {twins[0].span_id: "running", twins[1].span_id: "completed", twins[2].span_id: "completed"}


def test_an_agent_that_shares_its_row_id_still_gets_its_cost(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    twins = [span.replace(agent_id=span.span_id) for span in same_number(2, "agent")]
    writer.write(twins)
    chats = [make_span("chat", "llm", parent=twin, agent_id=twin.span_id, costs=(cost("0.5"),)) for twin in twins]
    writer.write(chats)
    assert rows(connection, "SELECT cost FROM agent_executions") == ["0.500000000000"] * 2


@pytest.mark.parametrize("batch_size", [CROWD, CROWD // 3])
@pytest.mark.parametrize(
    ("kind", "table"),
    [("tool", "operations"), ("agent", "agent_executions"), ("workflow", "workflow_traces")],
)
def test_a_crowd_of_one_start_is_kept_and_a_replay_of_it_changes_nothing(
    connection: sqlite3.Connection, writer: SpanWriter, kind: str, table: str, batch_size: int
) -> None:
    parent = None if kind == "workflow" else make_span("turn", "workflow")
    crowd = [span.replace(parent_id=parent and parent.span_id) for span in same_start(kind, range(CROWD))]
    batches = [crowd[begin : begin + batch_size] for begin in range(0, CROWD, batch_size)]
    for batch in batches:
        writer.write(batch)
    before = contents(connection)
    assert rows(connection, f"SELECT COUNT(*), COUNT(DISTINCT {KEYS[table]}) FROM {table}") == [(CROWD, CROWD)]
    for batch in batches:
        writer.write(batch)
    assert contents(connection) == before


def test_everybody_in_a_crowd_starts_finishes_and_gets_its_late_cost(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    crowd = [span.replace(agent_id=span.span_id) for span in same_start("agent", range(CROWD))]
    writer.write_started([started(span) for span in crowd])
    assert rows(connection, "SELECT DISTINCT status, COUNT(*) FROM workflow_traces") == [("running", CROWD)]
    writer.write(crowd)
    assert rows(connection, "SELECT DISTINCT status, COUNT(*) FROM workflow_traces") == [("completed", CROWD)]

    writer.write([make_span("chat", "llm", parent=one, agent_id=one.span_id, costs=(cost("0.5"),)) for one in crowd])
    for query in (
        "SELECT cost, COUNT(*) FROM agent_executions GROUP BY 1",
        "SELECT total_cost, COUNT(*) FROM workflow_traces GROUP BY 1",
    ):
        assert rows(connection, query) == [("0.500000000000", CROWD)]


def test_the_keys_of_a_crowd_stay_within_a_second_of_its_start(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    crowd = same_start("tool", range(CROWD))
    second = 1_000_000_000
    before, after = (make_span(start_ns=crowd[0].start_ns + distance) for distance in (-2 * second, 2 * second))
    writer.write([after, *crowd, before])
    found = rows(connection, "SELECT span_id FROM operations ORDER BY id")
    assert (found[0], found[-1]) == (before.span_id, after.span_id)


def test_a_span_whose_every_place_is_taken_is_refused_and_the_others_kept(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    homeless = make_span("homeless", "tool", parent=make_span())
    near, near_end, far, far_end = Places.of(row_id_at(homeless.start_ns, homeless.span_id), homeless.span_id)
    taken = [(place,) for place in (*range(near, near_end + 1), *range(far, far_end + 1))]
    connection.executemany(
        "INSERT INTO operations (id, span_id, trace_id, kind, name, start_time, status)"
        " VALUES (?, 'somebody', 'somewhere', 'tool', 'work', '2026-01-01T00:00:00.000000Z', 'ok')",
        taken,
    )
    with pytest.raises(Rejected, match="taken by another span") as caught:
        writer.write([homeless, make_span("elsewhere", "tool")])
    assert caught.value.span_ids == (homeless.span_id,)
    assert counts(connection)["operations"] == len(taken) + 1


# Starts and finishes


def test_a_start_is_stored_as_running(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    writer.write_started([started(make_span("turn", "workflow", process_id="p", call_id="c", input={"x": 1}))])
    assert rows(connection, "SELECT status, end_time, call_id, input_data, cost_status FROM workflow_traces") == [
        ("running", None, "c", '{"x":1}', "unknown")
    ]


def test_a_finish_replaces_its_start(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    turn = make_span("turn", "workflow", outcome="booked")
    writer.write_started([started(turn)])
    writer.write([turn])
    assert rows(connection, "SELECT status, outcome FROM workflow_traces") == [("completed", "booked")]


def test_a_start_never_replaces_a_finish(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    turn = make_span("turn", "workflow")
    writer.write([turn])
    writer.write_started([started(turn)])
    assert rows(connection, "SELECT status FROM workflow_traces") == ["completed"]


def test_the_first_finish_stays(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    turn = make_span("turn", "workflow")
    writer.write([turn])
    writer.write([turn.replace(status=SpanStatus.ERROR)])
    assert rows(connection, "SELECT status FROM workflow_traces") == ["completed"]


def test_what_a_dead_process_had_running_is_interrupted_and_a_late_finish_still_counts(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    dead = [make_span("turn", "workflow", process_id="dead") for _ in range(2)]
    writer.write_started([started(span) for span in (*dead, make_span("turn", "workflow", process_id="alive"))])
    assert sorted(writer.running_processes()) == ["alive", "dead"]

    assert writer.interrupt(["dead"]) == 2
    assert writer.running_processes() == ["alive"]
    assert (
        rows(connection, "SELECT status_reason, end_time FROM workflow_traces WHERE status = 'interrupted'")
        == [(INTERRUPTED_REASON, None)] * 2
    )

    writer.write(dead[:1])
    assert rows(connection, "SELECT status, status_reason FROM workflow_traces ORDER BY id")[0] == ("completed", None)


# Money


def test_totals_are_exact_and_say_what_they_are_worth(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    writer.write(a_turn())
    assert rows(connection, "SELECT total_cost, cost_status FROM workflow_traces") == [("1.000000000000", "partial")]
    assert rows(connection, "SELECT cost FROM agent_executions ORDER BY execution_order") == [
        "0.300000000000",
        "0.700000000000",
    ]


@pytest.mark.parametrize(
    ("amounts", "total", "status"),
    [
        ((), None, "unknown"),
        ((None,), None, "unknown"),
        (("0.1", "0.2"), "0.300000000000", "complete"),
        (("0",), "0.000000000000", "complete"),
        (("0.1", None), "0.100000000000", "partial"),
        (
            ("123456789012345678901234567890.1", "0.000000000001"),
            "123456789012345678901234567890.100000000001",
            "complete",
        ),
    ],
)
def test_the_cost_status_of_a_trace(
    connection: sqlite3.Connection,
    writer: SpanWriter,
    amounts: Sequence[str | None],
    total: str | None,
    status: str,
) -> None:
    root = make_span("turn", "workflow")
    writer.write([*(make_span("chat", "llm", parent=root, costs=(cost(amount),)) for amount in amounts), root])
    assert rows(connection, "SELECT total_cost, cost_status FROM workflow_traces") == [(total, status)]


def test_a_late_cost_is_added_to_a_finished_trace(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    turn = a_turn()
    writer.write(turn)
    agent = next(span for span in turn if span.kind is SpanKind.AGENT)
    writer.write([make_span("late", "llm", parent=agent, agent_id=agent.span_id, costs=(cost("10"),))])
    assert rows(connection, "SELECT total_cost FROM workflow_traces") == ["11.000000000000"]
    assert rows(connection, "SELECT cost FROM agent_executions ORDER BY execution_order")[0] == "10.300000000000"


def test_a_running_trace_shows_what_it_has_cost_so_far(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    turn = a_turn()
    writer.write_started([started(turn[-1])])
    writer.write(turn[:2])
    assert rows(connection, "SELECT status, total_cost FROM workflow_traces") == [("running", "0.300000000000")]


# All or nothing, and content that SQLite cannot hold


def test_nothing_of_a_batch_is_stored_while_the_file_is_locked(
    connection: sqlite3.Connection, writer: SpanWriter, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.write(a_turn())
    writer.write(a_turn())
    assert counts(connection)["operations"] == 4


def test_nothing_of_a_batch_is_stored_on_a_full_disk_and_all_of_it_once_there_is_room(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = [make_span("large", "tool", input="x" * 60_000) for _ in range(5)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        writer.write([*a_turn(), *large])
    assert set(counts(connection).values()) == {0}
    connection.execute("PRAGMA max_page_count = 1000000")
    writer.write([*a_turn(), *large])
    assert counts(connection)["operations"] == 9


def test_text_that_is_no_unicode_and_integers_that_are_too_large_are_mended(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    odd = make_span("lone \ud800", "tool", attributes={"large": 10**30, "odd \udfff": "x"})
    writer.write([make_span("fine", "tool"), odd])
    found = rows(connection, "SELECT name, attributes FROM operations WHERE attributes IS NOT NULL")
    assert found == [("lone ?", '{"large":"1000000000000000000000000000000","odd ?":"x"}')]
    assert counts(connection)["operations"] == 2


def test_a_span_that_cannot_be_stored_is_refused_and_takes_no_other_with_it(
    connection: sqlite3.Connection, writer: SpanWriter
) -> None:
    bad = make_span("bad", "tool", attributes={"object": object()})
    with pytest.raises(Rejected, match=r"cannot hold what they contain.*object") as caught:
        writer.write([make_span("before", "tool"), bad, make_span("after", "tool")])
    assert caught.value.span_ids == (bad.span_id,)
    assert rows(connection, "SELECT name FROM operations ORDER BY id") == ["before", "after"]


def test_an_id_that_is_no_uuid_is_refused(writer: SpanWriter) -> None:
    with pytest.raises(Rejected):
        writer.write([make_span(span_id="one")])
    with pytest.raises(Rejected):
        writer.write_started([started(make_span(kind="workflow", span_id="one"))])


def test_a_closed_connection_is_no_fault_of_the_spans(connection: sqlite3.Connection, writer: SpanWriter) -> None:
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        writer.write(a_turn())
