"""Where documents are shown: in colour on a terminal that can and may, plain elsewhere."""

import io
import sys

import pytest

from reamon.terminal.document import Column, Node, Note, Style, Table, Text, Tree
from reamon.terminal.screen import ASCII, ColourScreen, PlainScreen, open_screen

DOCUMENT = [Note(Text.of("done", Style.GOOD))]
ESCAPE = "\x1b["


class FakeTerminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def shown_on(stream: io.StringIO, environment: dict[str, str]) -> str:
    open_screen(stream, environment).show(DOCUMENT)
    return stream.getvalue()


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = open_screen(stream := FakeTerminal(), {"TERM": "xterm-256color"})
    screen.show(DOCUMENT)
    assert isinstance(screen, ColourScreen)
    assert ESCAPE in stream.getvalue()


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colour_gets_none(environment: dict[str, str]) -> None:
    assert shown_on(FakeTerminal(), environment) == "done\n"


def test_a_pipe_gets_plain_text() -> None:
    assert shown_on(io.StringIO(), {"TERM": "xterm-256color"}) == "done\n"


def test_without_rich_a_terminal_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert shown_on(FakeTerminal(), {"TERM": "xterm-256color"}) == "done\n"


def test_a_long_line_is_not_cut_in_a_pipe() -> None:
    stream = io.StringIO()
    PlainScreen(stream).show([Note(Text.of("x" * 500))])
    assert stream.getvalue() == "x" * 500 + "\n"


def test_a_stream_that_cannot_encode_our_drawings_gets_stand_ins() -> None:
    octets = io.BytesIO()
    with io.TextIOWrapper(octets, encoding="ascii", newline="\n") as stream:
        tree = Tree([Column("")], [Node([Text.of("✓ root")], children=[Node([Text.of("日本")])])])
        PlainScreen(stream).show([tree])
        assert octets.getvalue().decode("ascii") == "+ root\n`- ??\n"


def test_stand_ins_are_as_wide_as_what_they_stand_for() -> None:
    assert all(len(chr(stand_in)) == 1 and stand_in < 128 for stand_in in ASCII.values())


def test_a_table_is_the_same_in_colour_and_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    table = Table([Column("name"), Column("n")], [[Text.of("[bold]a", Style.BAD), Text.of(1)]])
    plain, painted = io.StringIO(), io.StringIO()
    PlainScreen(plain).show([table])
    ColourScreen(Console(file=painted, width=80, color_system=None)).show([table])
    assert painted.getvalue() == plain.getvalue()
