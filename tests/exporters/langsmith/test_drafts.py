import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.exporters.langsmith._lineage import lineage_of
from reamon.exporters.langsmith.drafts import Draft, Place
from reamon.exporters.langsmith.runs import Run, RunOptions
from reamon.model import Usage
from reamon.model.ids import start_of
from reamon.testing import make_span

START = 1_700_000_000_123_456_000
SHOW_ALL = RunOptions(project="calls")
HIDE_ALL = RunOptions(project="calls", hide_inputs=True, hide_outputs=True, hide_metadata=True)
moments = st.integers(1_000_000, 4_000_000_000_000_000).map(lambda micros: micros * 1000)


def root(start_ns: int = START, **fields: Any) -> Place:
    return Place.root(start_ns, **{"project": "calls", "call_id": None, "metadata": {}, **fields})


def fields(run: Run) -> Any:
    return json.loads(run.fields)


def metadata(run: Run) -> Any:
    return {} if run.extra is None else json.loads(run.extra, parse_float=Decimal)["metadata"]


def test_a_root_is_its_own_trace() -> None:
    place = root()
    assert place.trace_id == place.run_id
    assert place.parent_id is None
    assert place.dotted_order == f"20231114T221320123456Z{place.run_id}"


@given(moments)
def test_the_start_is_kept_to_the_microsecond_by_place_and_id(start_ns: int) -> None:
    place = root(start_ns)
    assert place.start_ns == start_ns
    assert Place.root_of(place.run_id, project="calls").dotted_order == place.dotted_order
    assert 0 <= start_of(place.run_id) - start_ns < 1000


@given(moments)
def test_an_exporter_would_say_the_same_of_its_place(start_ns: int) -> None:
    above = root(start_ns)
    below = above.below(start_ns)
    span = make_span(span_id=below.run_id, trace_id=above.run_id, ancestors=(above.run_id,), start_ns=start_ns)
    assert lineage_of(span).dotted_order == below.dotted_order


@given(moments, moments)
def test_nothing_begins_before_its_parent(above: int, below: int) -> None:
    child = root(above).below(below)
    assert child.start_ns == max(above, below)


def test_a_step_stands_below_its_parent_in_the_same_project_and_call() -> None:
    parent = root(call_id="call-1", metadata={"only": "the root's"})
    child = parent.below(START)
    grandchild = child.below(START)
    assert (child.parent_id, grandchild.parent_id) == (parent.run_id, child.run_id)
    assert grandchild.trace_id == parent.run_id
    assert (child.project, child.call_id, child.metadata) == ("calls", "call-1", {})


def test_two_runs_of_the_same_moment_have_different_ids() -> None:
    assert root().run_id != root().run_id


def test_a_new_run_says_all_that_langsmith_needs() -> None:
    place = root().below(START)
    run = Draft(name="score", run_type="chain", end_ns=START + 5000, tags=["a"]).as_new(place, SHOW_ALL)
    assert fields(run) == {
        "id": place.run_id,
        "trace_id": place.trace_id,
        "parent_run_id": place.parent_id,
        "dotted_order": place.dotted_order,
        "name": "score",
        "run_type": "chain",
        "start_time": "2023-11-14T22:13:20.123456Z",
        "end_time": "2023-11-14T22:13:20.123461Z",
        "session_name": "calls",
        "tags": ["a"],
    }


def test_an_end_before_the_start_is_the_start() -> None:
    run = Draft(name="odd", run_type="chain", end_ns=START - 1).as_new(root(), SHOW_ALL)
    assert fields(run)["end_time"] == fields(run)["start_time"]


@pytest.mark.parametrize(
    ("value", "shown"), [({"a": 1}, {"a": 1}), ([1], {"input": [1]}), (None, {}), ("x", {"input": "x"})]
)
def test_inputs_are_an_object(value: Any, shown: Any) -> None:
    run = Draft(name="step", run_type="chain", inputs=value).as_new(root(), SHOW_ALL)
    assert run.inputs is not None
    assert json.loads(run.inputs) == shown


def test_what_cannot_be_json_is_sent_as_far_as_it_can() -> None:
    broken = {"nan": float("nan"), "s": "\ud800", "\ud800": object()}
    run = Draft(name="\ud800", run_type="chain", outputs=broken, metadata=broken).as_new(root(), SHOW_ALL)
    assert run.outputs is not None
    assert run.extra is not None
    json.loads(run.extra.decode(), parse_constant=pytest.fail)
    json.loads(run.fields.decode())
    json.loads(run.outputs.decode(), parse_constant=pytest.fail)


def test_usage_and_cost_are_written_to_the_digit() -> None:
    usage = Usage(provider="openai", model="gpt-5", input_tokens=7, output_tokens=3, cached_input_tokens=2)
    run = Draft(name="chat", run_type="llm", usage=usage, cost=Decimal("0.100000000001")).as_new(root(), SHOW_ALL)
    assert metadata(run) == {
        "ls_provider": "openai",
        "ls_model_name": "gpt-5",
        "usage_metadata": {
            "input_tokens": 7,
            "output_tokens": 3,
            "total_tokens": 10,
            "input_token_details": {"cache_read": 2},
            "total_cost": Decimal("0.100000000001"),
        },
    }


def test_the_call_is_the_thread_of_every_run() -> None:
    place = root(call_id="call-1")
    assert metadata(Draft(name="turn", run_type="chain").as_new(place, SHOW_ALL))["thread_id"] == "call-1"
    assert metadata(Draft(name="step", run_type="chain").as_new(place.below(START), SHOW_ALL))["thread_id"] == "call-1"


def test_an_update_repeats_the_metadata_and_says_nothing_about_the_rest() -> None:
    place = root(call_id="call-1", metadata={"lead": 5, "stage": "new"})
    run = Draft(outputs={"ok": True}, metadata={"stage": "won"}).as_update(place, SHOW_ALL)
    assert metadata(run) == {"lead": 5, "stage": "won", "thread_id": "call-1"}
    assert fields(run).keys() == {"id", "trace_id", "dotted_order"}
    assert run.inputs is None


def test_what_is_to_stay_hidden_is_not_sent() -> None:
    draft = Draft(name="turn", run_type="chain", inputs={"a": 1}, outputs={"b": 2}, metadata={"c": 3}, cost=Decimal(1))
    run = draft.as_new(root(call_id="call-1"), HIDE_ALL)
    assert (run.inputs, run.outputs) == (b"{}", b"{}")
    assert metadata(run) == {"usage_metadata": {"total_cost": 1}}
