"""Baggage: as LangSmith's own SDK writes and reads it."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langsmith.run_trees import RunTree, _Baggage

from reamon.tracing._baggage import Baggage, baggage, read_baggage

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
tags = st.lists(texts.filter(lambda text: "," not in text), max_size=3).map(tuple)
said = st.builds(Baggage, st.none() | texts, st.none() | texts, tags)


@given(said)
def test_what_we_write_we_read(everything: Baggage) -> None:
    assert read_baggage(baggage(everything)) == everything


@given(said)
def test_what_we_write_the_sdk_reads(everything: Baggage) -> None:
    read = _Baggage.from_header(baggage(everything, "other=1"))
    assert read.metadata == ({} if everything.call_id is None else {"thread_id": everything.call_id})
    assert (tuple(read.tags), read.project_name) == (everything.tags, everything.project)


@given(said)
def test_what_the_sdk_writes_we_read(everything: Baggage) -> None:
    metadata = {"thread_id": everything.call_id, "more": {"nested": [1]}}
    theirs = _Baggage(metadata=metadata, tags=list(everything.tags), project_name=everything.project)
    assert read_baggage(theirs.to_header()) == everything


def test_a_run_of_the_sdk_says_its_thread_and_project() -> None:
    run = RunTree(name="caller", id=uuid.uuid4(), project_name="calls", extra={"metadata": {"session_id": "c-1"}})
    assert read_baggage(run.to_headers()["baggage"]) == Baggage("c-1", "calls")


def test_members_of_others_follow_and_old_ones_of_langsmith_go() -> None:
    text = baggage(Baggage(project="p"), "a=1;secret, langsmith-project=old ,b=2")
    assert text == "langsmith-project=p,a=1;secret,b=2"


def test_nothing_to_say_is_no_header() -> None:
    assert baggage(Baggage()) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",,=,",
        "nonsense",
        "langsmith-metadata=nonsense",
        "langsmith-metadata=%5B1%5D",
        "langsmith-metadata=%FF%00",
        "langsmith-metadata=%7B%22thread_id%22%3Anull%7D",
        "langsmith-tags=,langsmith-project=",
    ],
)
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert read_baggage(text) == Baggage()


def test_a_text_that_no_encoding_knows_is_written_as_far_as_it_goes() -> None:
    assert read_baggage(baggage(Baggage("\ud800", "p\ud800", ("t\ud800",)))).project == "p?"
