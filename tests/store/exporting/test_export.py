"""Exports: every format says what the repositories say, exactly; a file is whole or not there."""

import csv
import io
import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from reamon.errors import MissingExtraError, StoreError
from reamon.model import CostData, Payload, SpanKind
from reamon.store import ALL_PROJECTS, CostDetailFilter, OperationFilter, Store, TraceFilter
from reamon.store.exporting import FORMATS
from reamon.testing import make_span, sample_spans
from support.readable import DATABASES, readable, varied
from support.stores import stored, turn

LISTINGS = ("traces", "executions", "operations", "costs")


@pytest.fixture(scope="module", params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with readable(request.param, tmp_path_factory.mktemp("store") / "store.db", varied()) as opened:
        yield opened


@pytest.fixture
async def store(target: str) -> AsyncIterator[Store]:
    async with Store.open(target, project=ALL_PROJECTS) as opened:
        yield opened


async def lines_of(listing: Any, which: Any = None, **options: Any) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    await listing.export(stream, which, format="jsonl", **options)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_line_says_what_the_object_says(store: Store) -> None:
    lines = await lines_of(store.operations)
    operations = [operation async for operation in store.operations.iterate(order="oldest")]
    assert [line["span_id"] for line in lines] == [operation.span_id for operation in operations]
    for line, operation in zip(lines, operations, strict=True):
        assert line.get("input") == operation.input
        assert line["attributes"] == operation.attributes
        assert (None if operation.cost is None else Decimal(line["cost"])) == operation.cost if "cost" in line else True
        assert datetime.fromisoformat(line["start_time"]) == operation.start_time
        assert line["start_time"].endswith("Z")


async def test_executions_and_operations_tell_of_their_trace(store: Store) -> None:
    traces = {trace.trace_id: trace async for trace in store.traces.iterate()}
    for listing in (store.executions, store.operations):
        for line in await lines_of(listing):
            trace = traces[line["trace_id"]]
            told = (line.get("call_id"), line.get("project"), line["workflow_name"])
            assert told == (trace.call_id, trace.project, trace.workflow_name)


@pytest.mark.parametrize("name", LISTINGS)
async def test_csv_and_parquet_say_what_the_lines_say(store: Store, tmp_path: Path, name: str) -> None:
    listing = getattr(store, name)
    lines = await lines_of(listing)
    written = await listing.export(tmp_path / "rows.csv")
    assert (written.rows, written.format, written.octets) == (len(lines), "csv", (tmp_path / "rows.csv").stat().st_size)
    await listing.export(tmp_path / "rows.parquet")
    table = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table) == len(lines) > 0
    for line, row, typed in zip(lines, rows, table, strict=True):
        for column, value in typed.items():
            assert (row[column] == "") == (value in {None, ""}) == (line.get(column) in (None, ""))
            if value is None:
                continue
            if isinstance(value, datetime):
                assert (row[column], value) == (line[column], datetime.fromisoformat(line[column]))
            elif isinstance(value, Decimal):
                assert (row[column], format(value, "f")) == (line[column], row[column]) or value == Decimal(
                    line[column]
                )
            elif isinstance(value, str) and not isinstance(line[column], str):
                assert json.loads(value) == json.loads(row[column]) == line[column]
            elif isinstance(value, bool):
                assert (row[column] == "true") is value is line[column]
            else:
                assert str(value) == row[column]
                assert value == line[column]


async def test_money_is_exact_in_every_format(tmp_path: Path) -> None:
    tiny = Decimal("12345678901234.000000000001")
    details = tuple(
        CostData(cost_type=f"type {n}", amount=tiny, unit_cost=Decimal("0.00000000000000000017")) for n in (1, 2)
    )
    path = stored(tmp_path / "money.db", [make_span("turn", "workflow", costs=details)])
    async with Store.open(path) as store:
        await store.costs.export(tmp_path / "costs.parquet")
        table = parquet.read_table(tmp_path / "costs.parquet")
        assert table.schema.field("amount").type == pa.decimal128(38, 12)
        assert table.schema.field("timestamp").type == pa.timestamp("us", tz="UTC")
        assert table["amount"].to_pylist() == [tiny, tiny]
        assert (await lines_of(store.costs))[0]["unit_cost"] == "0.00000000000000000017"
        assert list((await store.costs.to_pandas())["amount"]) == [tiny, tiny]
        assert (await store.costs.to_polars())["amount"].sum() == 2 * tiny
        assert (await store.traces.to_polars())["total_cost"].to_list() == [2 * tiny]


async def test_what_is_too_large_for_a_typed_column_is_told_and_fits_into_text(tmp_path: Path) -> None:
    cost = CostData(cost_type="llm", amount=Decimal(1), usage_units=Decimal(10) ** 21, provider="openai")
    path = stored(tmp_path / "calls.db", [make_span("chat", SpanKind.LLM, costs=(cost,))])
    async with Store.open(path) as store:
        with pytest.raises(StoreError, match="export to JSON lines or CSV"):
            await store.costs.export(tmp_path / "costs.parquet")
        with pytest.raises(StoreError, match="export to JSON lines or CSV"):
            await store.costs.to_polars()
        await store.costs.export(tmp_path / "costs.csv")
    assert f",1{'0' * 21}," in (tmp_path / "costs.csv").read_text()


async def test_a_frame_has_what_the_filter_finds_with_types_to_compute_with(store: Store) -> None:
    which = OperationFilter(kind="llm")
    found = [operation async for operation in store.operations.iterate(which, order="oldest")]
    costs = [operation.cost for operation in found]
    of_pandas, of_polars = await store.operations.to_pandas(which), await store.operations.to_polars(which)
    assert list(of_pandas["span_id"]) == of_polars["span_id"].to_list() == [operation.span_id for operation in found]
    assert of_polars["cost"].to_list() == costs
    assert [None if pd.isna(cost) else cost for cost in of_pandas["cost"]] == costs
    assert of_polars.schema["cost"] == pl.Decimal(38, 12)
    assert of_polars.schema["start_time"] == pl.Datetime("us", "UTC")
    assert str(of_pandas["start_time"].dtype) == "datetime64[us, UTC]"
    assert of_pandas["start_time"].iloc[0].to_pydatetime() == found[0].start_time
    assert json.loads(of_polars["attributes"][0]) == found[0].attributes
    assert of_pandas["input_tokens"].dtype == "Int64"


async def test_nothing_is_an_empty_table_with_the_same_columns(store: Store, tmp_path: Path) -> None:
    nothing = CostDetailFilter(cost_type="nothing")
    await store.costs.export(tmp_path / "none.csv", nothing)
    await store.costs.export(tmp_path / "none.parquet", nothing)
    columns = (tmp_path / "none.csv").read_text().strip().split(",")
    assert parquet.read_table(tmp_path / "none.parquet").column_names == columns
    assert list((await store.costs.to_pandas(nothing)).columns) == columns
    assert (await store.costs.to_polars(nothing)).columns == columns
    assert await lines_of(store.costs, nothing) == []


async def test_payloads_can_be_left_out(store: Store) -> None:
    for line in await lines_of(store.executions, payloads=False):
        assert not line.keys() & {"input", "output", "state_before", "state_after"}
    assert "state_before" not in (await store.executions.to_polars(payloads=False)).columns


@pytest.mark.parametrize("format", FORMATS)
async def test_whatever_was_recorded_can_be_exported(tmp_path: Path, format: str) -> None:
    path = stored(tmp_path / "samples.db", sample_spans())
    async with Store.open(path, project=ALL_PROJECTS) as store:
        for name in LISTINGS:
            listing = getattr(store, name)
            written = await listing.export(tmp_path / f"{name}.{format}")
            assert written.rows == await listing.count()


async def test_a_payload_that_somebody_has_indented_stays_on_its_line(tmp_path: Path) -> None:
    span = make_span("step", SpanKind.WORKFLOW).replace(input=Payload(raw=b'{\n  "a": 1\n}'))
    async with Store.open(stored(tmp_path / "calls.db", [span])) as store:
        assert (await lines_of(store.traces))[0]["input"] == {"a": 1}


async def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text("precious")
    with pytest.raises(StoreError, match=r"traces\.jsonl is there already"):
        await store.traces.export(path)
    assert path.read_text() == "precious"
    await store.traces.export(path, overwrite=True)
    assert path.read_text().startswith("{")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("format", FORMATS)
async def test_an_export_that_fails_leaves_nothing(store: Store, tmp_path: Path, format: str) -> None:
    def full(_rows: int) -> None:
        raise OSError("disk full")

    with pytest.raises(StoreError, match="cannot be written: disk full"):
        await store.traces.export(tmp_path / f"traces.{format}", progress=full)
    assert os.listdir(tmp_path) == []


async def test_an_unknown_format_or_place_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="format='xlsx' is unknown; there are jsonl, csv, parquet"):
        await store.traces.export(tmp_path / "traces.xlsx")
    with pytest.raises(StoreError, match="cannot be written"):
        await store.traces.export(tmp_path / "nowhere" / "traces.csv")


@pytest.mark.parametrize(("package", "extra"), [("pyarrow", "parquet"), ("pandas", "pandas"), ("polars", "polars")])
async def test_a_missing_package_is_told_with_the_extra_that_brings_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    ask = {
        "pyarrow": lambda: store.traces.export(tmp_path / "traces.parquet"),
        "pandas": store.traces.to_pandas,
        "polars": store.traces.to_polars,
    }
    with pytest.raises(MissingExtraError, match=rf"pip install 'reamon\[{extra}\]'"):
        await ask[package]()
    assert os.listdir(tmp_path) == []


async def test_large_payloads_are_written_in_several_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reamon.store.exporting.parquet._GROUP_CHARACTERS", 1000)
    spans = [span for n in range(600) for span in turn(f"call-{n}", n)]
    async with Store.open(stored(tmp_path / "calls.db", spans)) as store:
        await store.traces.export(tmp_path / "traces.parquet", TraceFilter(until=datetime(2027, 1, 1, tzinfo=UTC)))
    assert parquet.ParquetFile(tmp_path / "traces.parquet").num_row_groups == 3


async def test_progress_is_told(store: Store) -> None:
    told: list[int] = []
    await store.operations.export(io.BytesIO(), format="csv", progress=told.append)
    assert told == [await store.operations.count()]
