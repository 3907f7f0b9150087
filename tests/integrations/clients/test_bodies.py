"""Bodies are read right however the bytes are cut, and never raise."""

import gzip
import itertools
import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.integrations.clients.answers import AnswerReader
from reamon.integrations.clients.bodies import Body
from reamon.integrations.model_call import ModelAnswer

EVENTS = b"""\
: a comment\r
event: a\r
data: {"n": 1}\r
\r
data: {"n":
data: 2}

id: 3\rdata: {"n": 3}\r\rdata: [DONE]

"""
LINES = b'{"n": 1}\n{"n": 2}\r\n\n{"n": 3}'


class Collecting(AnswerReader):
    """Keeps the documents."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: list[Mapping[str, Any]] = []

    def whole(self, document: Mapping[str, Any]) -> None:
        self.documents.append(document)

    def piece(self, document: Mapping[str, Any]) -> bool:
        self.documents.append(document)
        return True

    def answer(self) -> ModelAnswer | None:
        return None


def read(raw: bytes, content_type: str, cuts: list[int], encoding: str = "") -> Collecting:
    """What comes of `raw`, sent in pieces that end at `cuts`."""
    reader = Collecting()
    body = Body(reader, content_type, encoding, lambda encoded: encoded)
    places = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    for start, end in itertools.pairwise(places):
        body.feed(raw[start:end])
    body.finish()
    return reader


@given(st.lists(st.integers(0, 200), max_size=12))
def test_events_and_lines_are_whole_however_they_are_cut(cuts: list[int]) -> None:
    events = read(EVENTS, "text/event-stream; charset=utf-8", cuts)
    assert events.documents == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert events.is_complete
    assert read(LINES, "application/x-ndjson", cuts).documents == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert read(b'{"n": 1}', "application/json", cuts).documents == [{"n": 1}]


@given(st.lists(st.integers(0, 200), max_size=12))
def test_compressed_bodies_are_read_while_they_come(cuts: list[int]) -> None:
    assert read(gzip.compress(EVENTS), "text/event-stream", cuts, "gzip").is_complete
    assert read(zlib.compress(LINES), "application/x-ndjson", cuts, "deflate").documents[-1] == {"n": 3}


def test_other_encodings_are_read_at_the_end() -> None:
    assert read(EVENTS, "text/event-stream", [5, 9], "br").documents == [{"n": 1}, {"n": 2}, {"n": 3}]


@given(st.binary(), st.sampled_from(["text/event-stream", "application/x-ndjson", "application/json", "", "text/html"]))
def test_what_cannot_be_read_is_passed_over(raw: bytes, content_type: str) -> None:
    for encoding in ("", "gzip"):
        read(b"data: " + raw, content_type, [1, 3], encoding)
        read(raw, content_type, [], encoding)


@pytest.mark.parametrize("raw", [b"[1, 2]", b"null", b"{" * 100_000, b"\xff\xfe", b'{"a": "\\ud800"}'])
def test_documents_that_are_none_are_passed_over(raw: bytes) -> None:
    assert read(raw, "application/json", []).documents == []


def test_a_long_document_is_read_without_what_makes_it_long() -> None:
    vectors = [{"embedding": [0.5] * 1000} for _ in range(300)]
    raw = json.dumps({"data": vectors, "usage": {"prompt_tokens": 5}, "model": "m"}).encode()
    assert len(raw) > 1024 * 1024
    assert read(raw, "application/json", []).documents == [{"usage": {"prompt_tokens": 5}, "model": "m"}]
