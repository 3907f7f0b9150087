"""The tables as SQLModel classes: apart from the host's, exact, and in step with what the writer writes."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from sqlmodel import Session, SQLModel, select

from reamon.store import rows
from reamon.store.tables import (
    AgentExecutionRow,
    CostDetailRow,
    OperationRow,
    StoreTable,
    WorkflowTraceRow,
    metadata,
)

MOMENT = datetime(2026, 11, 23, 7, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(engine)
    return engine


def detail(**fields: Any) -> CostDetailRow:
    values: dict[str, Any] = {
        "span_id": "s",
        "cost_type": "llm",
        "price_version": "1",
        "trace_id": "t",
        "price_source": "rates",
    }
    return CostDetailRow(**{"timestamp": MOMENT, **values, **fields})


def read_one(engine: Engine) -> CostDetailRow:
    with Session(engine) as session:
        return session.exec(select(CostDetailRow)).one()


def store(engine: Engine, row: StoreTable) -> None:
    with Session(engine) as session:
        session.add(row)
        session.commit()


def test_the_tables_stay_out_of_the_metadata_that_a_host_uses() -> None:
    assert {"workflow_traces", "agent_executions", "operations", "cost_details"} < set(metadata.tables)
    assert SQLModel.metadata is not metadata
    assert not set(metadata.tables) & set(SQLModel.metadata.tables)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (WorkflowTraceRow, rows.WORKFLOW_COLUMNS),
        (AgentExecutionRow, rows.AGENT_COLUMNS),
        (OperationRow, rows.OPERATION_COLUMNS),
        (CostDetailRow, rows.COST_COLUMNS),
    ],
)
def test_the_writer_fills_every_column_that_no_repricing_and_no_retention_owns_in_the_order_of_the_table(
    table: type[StoreTable], columns: tuple[str, ...]
) -> None:
    written = metadata.tables[str(table.__tablename__)].columns
    assert columns == tuple(column.name for column in written if column.name not in {"superseded_by", "costs_pruned"})


def test_money_comes_back_digit_for_digit(engine: Engine) -> None:
    amount = Decimal("123456789012345678901234.000000000001")
    store(engine, detail(cost_amount=amount, usage_units=Decimal("1E+3"), unit_cost=Decimal("0.00000000000000000017")))
    found = read_one(engine)
    assert (found.cost_amount, found.usage_units, found.unit_cost) == (amount, Decimal(1000), Decimal("1.7E-19"))


def test_a_time_in_any_zone_comes_back_as_the_same_moment_in_utc(engine: Engine) -> None:
    store(engine, detail(timestamp=MOMENT.astimezone(timezone(timedelta(hours=5)))))
    found = read_one(engine).timestamp
    assert found == MOMENT
    assert found.utcoffset() == timedelta(0)


def test_times_are_iso_text_on_sqlite_so_that_anybody_can_read_them(engine: Engine) -> None:
    store(engine, detail())
    with engine.connect() as connection:
        stored = connection.exec_driver_sql("SELECT timestamp, typeof(timestamp) FROM cost_details").one()
    assert tuple(stored) == ("2026-11-23T07:00:00.123456Z", "text")


@pytest.mark.parametrize("payload", [{"a": [1, None, "x"]}, [], 1.0, "text", False])
def test_a_payload_comes_back_as_it_was(engine: Engine, payload: object) -> None:
    row = OperationRow(
        id=1, span_id="s", trace_id="t", kind="tool", name="n", status="ok", start_time=MOMENT, input_data=payload
    )
    store(engine, row)
    with Session(engine) as session:
        assert session.exec(select(OperationRow)).one().input_data == payload


def test_what_was_not_recorded_is_none(engine: Engine) -> None:
    store(engine, detail())
    found = read_one(engine)
    assert (found.cost_amount, found.usage_units, found.agent_id) == (None, None, None)


def test_postgresql_gets_types_of_its_own() -> None:
    ddl = str(CreateTable(metadata.tables["cost_details"]).compile(dialect=postgresql.dialect()))
    assert "cost_amount NUMERIC(38, 12)" in ddl
    assert "timestamp TIMESTAMP WITH TIME ZONE NOT NULL" in ddl
    ddl = str(CreateTable(metadata.tables["operations"]).compile(dialect=postgresql.dialect()))
    assert "id BIGINT NOT NULL" in ddl
    assert "input_data JSON" in ddl
