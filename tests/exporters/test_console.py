"""The console exporter: a line for people."""

import io
import os
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from reamon.errors import Rejected
from reamon.exporters import ConsoleExporter
from reamon.model import CostData, Span, SpanError, Usage
from reamon.testing import check_exporter, make_span

START = 1_767_225_600_250_000_000  # 2026-01-01T00:00:00.250Z


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def line_of(span: Span) -> str:
    stream = io.StringIO()
    ConsoleExporter(stream).export([span])
    return stream.getvalue().removesuffix("\n")


def test_it_keeps_the_contract() -> None:
    check_exporter(lambda: ConsoleExporter(io.StringIO()))


def test_it_keeps_the_contract_on_a_stream_that_speaks_ascii_only() -> None:
    check_exporter(lambda: ConsoleExporter(io.TextIOWrapper(io.BytesIO(), encoding="ascii")))


def test_a_line_tells_when_how_what_how_long_and_at_what_cost() -> None:
    turn = make_span("turn", "workflow", call_id="call-17", start_ns=START, end_ns=START + 1_412_300_000)
    reply = make_span(
        "reply",
        "llm",
        parent=turn,
        start_ns=START,
        end_ns=START + 312_300_000,
        usage=(Usage(input_tokens=312, output_tokens=45), Usage(input_tokens=8)),
        costs=(CostData(cost_type="llm", amount=Decimal("0.0012")),),
    )
    stream = io.StringIO()
    ConsoleExporter(stream).export([reply, turn])
    assert stream.getvalue() == (
        "00:00:00.562  ok             llm reply                     312.3 ms"
        "  320 in, 45 out tokens  $0.001200  call-17\n"
        "00:00:01.662  ok           workflow turn                     1.41 s  call-17\n"
    )


def test_times_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-5:30")
    time.tzset()
    assert line_of(make_span(start_ns=START, end_ns=START)).startswith("05:30:00.250  ok")


def test_an_error_is_named_on_the_same_line() -> None:
    line = line_of(make_span(status="error", error=SpanError("ValueError", "bad\nnumber " + "x" * 200)))
    assert "  error        " in line
    assert line.endswith("ValueError: bad\\nnumber " + "x" * 77 + "…")


def test_without_an_error_the_reason_is_given() -> None:
    assert line_of(make_span(status="degraded", status_reason="model too slow")).endswith("  model too slow")


@pytest.mark.parametrize(
    ("amounts", "text"),
    [((None,), "cost unknown"), (("0.5", None), "$0.500000 and more, unknown"), (("0.25", "0.5"), "$0.750000")],
)
def test_an_unknown_cost_is_never_shown_as_nothing(amounts: tuple[str | None, ...], text: str) -> None:
    costs = tuple(CostData(cost_type="llm", amount=None if amount is None else Decimal(amount)) for amount in amounts)
    assert line_of(make_span(costs=costs)).endswith(f"  {text}")


def test_unknown_tokens_are_left_out() -> None:
    assert line_of(make_span(usage=(Usage(output_tokens=4),))).endswith("  4 out tokens")
    assert "tokens" not in line_of(make_span(usage=(Usage(characters=4),)))


def test_a_span_without_an_end_has_no_duration() -> None:
    assert line_of(make_span(status="interrupted", start_ns=START, end_ns=None)).endswith("  -")


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "step \\x1b[31mred\\n" in line_of(make_span("\x1b[31mred\n"))


def test_a_terminal_gets_colours_unless_it_does_not_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    ConsoleExporter(terminal).export([make_span(status="error")])
    assert "\x1b[31merror" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    ConsoleExporter(plain).export([make_span(status="error")])
    assert "\x1b" not in plain.getvalue()


def test_it_writes_to_stderr_and_never_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleExporter().export([make_span("reply")])
    captured = capsys.readouterr()
    assert "reply" in captured.err
    assert captured.out == ""


def test_a_closed_stream_refuses_for_good() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(Rejected, match="closed"):
        ConsoleExporter(stream).export([make_span()])


def test_a_pipe_that_nobody_reads_refuses_for_good() -> None:
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    with pytest.raises(Rejected, match="nobody reads"):
        ConsoleExporter(stream).export([make_span()])
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_it_shows_its_name() -> None:
    assert repr(ConsoleExporter(name="screen")) == "ConsoleExporter(name='screen')"
