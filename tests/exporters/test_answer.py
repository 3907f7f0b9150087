"""What every exporter over HTTP asks of an answer: words for people, and when to come back."""

import pytest

from reamon.exporters._answer import Answer

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z


def answer(status: int = 503, body: bytes = b"", **headers: str) -> Answer:
    """An answer with these headers."""
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("30", 30.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("9999999", 3600.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("", 0.0),
    ],
)
def test_when_to_come_back_is_read_as_seconds_or_as_a_date_and_bounded(said: str, seconds: float) -> None:
    assert answer(retry_after=said).retry_after(lambda: NOON) == seconds


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (answer(503), "503 Service Unavailable"),
        (answer(503, b"busy\n  now\x1b"), "503 Service Unavailable: busy now"),
        (answer(799, b"\xff\xfe"), "799"),
    ],
)
def test_the_reason_is_one_printable_line(given: Answer, reason: str) -> None:
    assert given.reason == reason


def test_a_body_is_json_or_not() -> None:
    assert answer(200, b'{"a": 1}').json == {"a": 1}
    assert answer(200, b"<html>").json is None


def test_what_the_body_is_said_to_be_goes_without_its_parameters() -> None:
    assert answer(content_type="Application/JSON; charset=utf-8").form == "application/json"
