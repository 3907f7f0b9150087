from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.exporters.langsmith.remote import RemoteTrace, RunRecord, tree
from reamon.model import Usage
from reamon.model.ids import uuid7
from reamon.model.times import iso

START = 1_700_000_000_000_000_000


def identity(number: int) -> str:
    return uuid7(START + number * 1_000_000, number)


def segment(number: int) -> str:
    return iso(START + number * 1_000_000).translate(str.maketrans("", "", "-:.")) + identity(number)


def record(*path: int, **fields: Any) -> RunRecord:
    """The run whose ancestors and itself have these numbers."""
    order = ".".join(segment(number) for number in path)
    return RunRecord(
        id=identity(path[-1]), trace_id=identity(path[0]), name=str(path[-1]), dotted_order=order, **fields
    )


def names(records: list[RunRecord]) -> list[Any]:
    """The tree as nested lists of names."""
    root = tree(records, identity(0))
    assert root is not None

    def nested(run: Any) -> list[Any]:
        return [run.name, *(nested(child) for child in run.children)]

    return nested(root)


def test_each_run_is_inside_its_parent_and_siblings_are_in_order() -> None:
    records = [record(0, 3), record(0, 1, 2), record(0), record(0, 1)]
    assert names(records) == ["0", ["1", ["2"]], ["3"]]


def test_a_run_whose_parent_is_not_there_is_inside_the_closest_that_is() -> None:
    assert names([record(0), record(0, 1), record(0, 1, 2, 3), record(0, 4, 5)]) == ["0", ["1", ["3"]], ["5"]]


def test_without_its_root_there_is_no_tree() -> None:
    assert tree([record(0, 1)], identity(0)) is None
    assert tree([], identity(0)) is None


def test_a_run_that_came_twice_is_there_once() -> None:
    assert names([record(0), record(0, 1), record(0, 1)]) == ["0", ["1"]]


def test_a_very_deep_trace_is_no_problem() -> None:
    root = tree([record(*range(depth + 1)) for depth in range(1_200)], identity(0))
    assert root is not None
    assert len(list(root.walk())) == 1_200


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.randoms())
def test_every_run_is_in_the_tree_once_below_its_parent(choices: list[int], random: Any) -> None:
    paths: list[tuple[int, ...]] = [(0,)]
    for number, choice in enumerate(choices, start=1):
        paths.append((*paths[choice % len(paths)], number))
    records = [record(*path) for path in paths]
    random.shuffle(records)
    root = tree(records, identity(0))
    assert root is not None
    found = {run.name: [child.name for child in run.children] for run in root.walk()}
    assert found == {
        str(path[-1]): [str(other[-1]) for other in paths if other[:-1] == path and other != path] for path in paths
    }


def test_the_parent_is_named_even_where_it_is_not_there() -> None:
    run = record(0, 1, 2).to_run()
    assert run.parent_id == identity(1)
    assert record(0).to_run().parent_id is None


def test_the_newer_api_speaks_in_capitals() -> None:
    run = record(0, run_type="LLM", status="SUCCESS").to_run()
    assert (run.run_type, run.status) == ("llm", "success")


def test_times_are_in_utc_even_where_the_older_api_does_not_say_so() -> None:
    naive = record(0, start_time=datetime(2026, 1, 1, 12)).to_run()
    assert naive.start == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert naive.end is None


@pytest.mark.parametrize("spelling", ["0.000000000123", '"0.000000000123"'])
def test_costs_are_exact_however_they_are_written(spelling: str) -> None:
    answer = f'{{"id": "a", "trace_id": "a", "total_cost": {spelling}}}'
    assert msgspec.json.decode(answer, type=RunRecord).to_run().cost == Decimal("0.000000000123")


def test_usage_knows_tokens_and_model() -> None:
    metadata = {"ls_provider": "openai", "ls_model_name": "gpt-5"}
    run = record(0, prompt_tokens=7, completion_tokens=3, extra={"metadata": metadata}).to_run()
    assert run.usage == Usage(provider="openai", model="gpt-5", input_tokens=7, output_tokens=3)


def test_a_run_that_counts_no_tokens_has_no_usage() -> None:
    assert record(0, prompt_tokens=0, completion_tokens=0, extra=None).to_run().usage is None


def test_a_trace_knows_its_call_and_all_its_runs() -> None:
    root = tree([record(0, extra={"metadata": {"thread_id": "call-1"}}), record(0, 1)], identity(0))
    assert root is not None
    trace = RemoteTrace(root=root, project="calls")
    assert (trace.trace_id, trace.call_id) == (identity(0), "call-1")
    assert [run.name for run in trace.runs] == ["0", "1"]
