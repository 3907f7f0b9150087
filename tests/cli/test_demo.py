"""`reamon demo`, as far as the command line goes; what it does is tested with the demo."""

import sys

import pytest

from reamon.cli import main


def test_without_its_packages_the_demo_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "langgraph", None)
    assert main(["demo"]) == 2
    assert "pip install 'reamon[demo]'" in capsys.readouterr().err
