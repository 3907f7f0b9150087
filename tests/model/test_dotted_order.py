"""Dotted orders: as LangSmith's own SDK writes and reads them."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langsmith.run_trees import RunTree

from reamon.exporters.langsmith._lineage import lineage_of
from reamon.model import SpanLink
from reamon.model.dotted_order import dotted_order, ids_in
from reamon.model.ids import start_of, uuid7
from reamon.testing import make_span

CALLER = "20200101T000000000000Z6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
LATE_CALLER = CALLER.replace("2020", "2024")
ROOT = "018bcfe5-6800-7800-8000-000000000001"

ids = st.builds(uuid7, st.integers(1_600_000_000_000_000_000, 4_000_000_000_000_000_000), st.integers(0, 2**62 - 1))
lineages = st.lists(ids, min_size=1, max_size=6, unique=True)


@given(lineages)
def test_the_sdk_reads_the_same_ids(lineage: list[str]) -> None:
    run = RunTree.from_headers({"langsmith-trace": dotted_order(lineage)})
    assert run is not None
    assert (run.trace_id, run.id) == (UUID(lineage[0]), UUID(lineage[-1]))
    assert run.parent_run_id == (UUID(lineage[-2]) if len(lineage) > 1 else None)


@given(lineages)
def test_we_read_the_same_ids(lineage: list[str]) -> None:
    assert ids_in(dotted_order(lineage)) == tuple(lineage)


@given(lineages)
def test_no_stamp_is_earlier_than_its_parents(lineage: list[str]) -> None:
    stamps = [segment[:22] for segment in dotted_order(lineage, LATE_CALLER).split(".")]
    assert stamps == sorted(stamps)


@given(lineages, st.sampled_from([None, CALLER]))
def test_the_exporter_files_the_span_under_the_same_text(lineage: list[str], caller: str | None) -> None:
    links = () if caller is None else (SpanLink("", "", "langsmith_parent", caller),)
    span = make_span(
        span_id=lineage[-1],
        trace_id=lineage[0],
        ancestors=tuple(lineage[:-1]),
        start_ns=start_of(lineage[-1]),
        links=links,
    )
    assert lineage_of(span).dotted_order == dotted_order(lineage, caller)


def test_ids_below_a_run_of_another_system_follow_it() -> None:
    assert dotted_order([ROOT], CALLER) == f"{CALLER}.20231114T221320000500Z{ROOT}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        ROOT,
        f"20231114T221320000500Z{ROOT}.",
        f"20231314T221320000500Z{ROOT}",
        f"20231114T221320000500Z{ROOT[:-1]}g",
        f"20231114T221320000500Z{ROOT}\n",
        f"20231114T221320000500Z{ROOT}.20231114T221320000499Z{ROOT}",
        f"\u0662\u0660231114T221320000500Z{ROOT}",
    ],
)
def test_what_is_no_dotted_order_has_no_ids(text: str) -> None:
    assert ids_in(text) == ()


def test_a_run_that_claims_to_begin_in_the_future_is_not_believed() -> None:
    text = dotted_order([ROOT])
    assert ids_in(text, latest_ns=start_of(ROOT)) == (ROOT,)
    assert ids_in(text, latest_ns=start_of(ROOT) - 1_000) == ()
