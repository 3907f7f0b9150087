"""Mending: what can be stored already stays as it is."""

from hypothesis import given

from reamon.model import Payload, Span, SpanError
from reamon.store.mending import mended
from reamon.testing import make_span
from support.spans import spans


@given(spans())
def test_a_sound_span_stays_as_it_is(span: Span) -> None:
    assert mended(span) == span


def test_text_is_mended_wherever_it_stands() -> None:
    odd = make_span("\ud800", error=SpanError("E", "\udfff!"), tags=("\ud800",), input=Payload(b'"\xff"'))
    span = mended(odd)
    assert (span.name, span.error, span.tags) == ("?", SpanError("E", "?!"), ("?",))
    assert span.input == Payload('"\ufffd"'.encode())


def test_integers_of_more_than_64_bits_become_text() -> None:
    sound = {"largest": 2**63 - 1, "least": -(2**63), "yes": True}
    span = mended(make_span(attributes={**sound, "larger": 2**63, "deep": [{"less": -(2**63) - 1}]}))
    assert span.attributes == {**sound, "larger": "9223372036854775808", "deep": [{"less": "-9223372036854775809"}]}


def test_an_integer_too_large_to_be_written_out_is_named_by_its_size() -> None:
    span = mended(make_span(attributes={"absurd": 10**5000, "large": 10**4000}))
    assert span.attributes == {"absurd": "an integer of 16610 bits", "large": str(10**4000)}
