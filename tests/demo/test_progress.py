import io
import re

import pytest

from reamon.demo.progress import progress_of


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_many_calls_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal()
    with progress_of(3, terminal) as call_ended:
        call_ended()
        call_ended()

    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "0/3 calls" in shown
    assert "2/3 calls" in shown
    assert re.search(r"[\d,]+ spans recorded, [\d,]+ stored", shown)


def test_a_pipe_gets_no_progress() -> None:
    pipe = io.StringIO()
    with progress_of(3, pipe) as call_ended:
        call_ended()

    assert pipe.getvalue().strip() == ""
