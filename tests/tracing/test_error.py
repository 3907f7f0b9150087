"""Exceptions as records."""

import asyncio
import subprocess
import sys

import pytest

from reamon.tracing._error import describe_error, is_cancellation


class UnprintableError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_builtin_is_named_plainly_and_others_with_their_module() -> None:
    assert describe_error(ValueError("x")).type == "ValueError"
    assert describe_error(UnprintableError()).type == f"{__name__}.UnprintableError"
    assert describe_error(subprocess.TimeoutExpired("ls", 1)).type == "subprocess.TimeoutExpired"


def test_message_and_stack_are_text() -> None:
    error = describe_error(raised(ValueError("no budget")))
    assert error.message == "no budget"
    assert error.stack.startswith("Traceback")
    assert "raise error" in error.stack


def test_an_exception_without_a_text_is_recorded_all_the_same() -> None:
    error = describe_error(raised(UnprintableError()))
    assert "RuntimeError" in error.message
    assert "UnprintableError" in error.stack


def test_a_stack_that_cannot_be_formatted_costs_the_stack_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> list[str]:
        raise RecursionError

    monkeypatch.setattr("traceback.format_exception", refuse)
    error = describe_error(ValueError("x"))
    assert (error.message, error.stack) == ("x", "<its traceback could not be formatted: RecursionError>")


def test_what_is_no_exception_at_all_is_described_as_well_as_it_can_be() -> None:
    error = describe_error("broken")  # type: ignore[arg-type]
    assert (error.type, error.message) == ("str", "broken")
    assert "TypeError" in error.stack


def test_causes_and_groups_are_in_the_stack() -> None:
    error = ExceptionGroup("several", [ValueError("first"), KeyError("second")])
    error.__cause__ = TimeoutError("the cause")
    stack = describe_error(error).stack
    for word in ("first", "second", "the cause"):
        assert word in stack


def test_lone_surrogates_are_spelled_out() -> None:
    error = describe_error(raised(ValueError("\ud800")))
    assert error.message == "\\ud800"
    error.stack.encode()


def test_long_texts_are_cut_from_the_front() -> None:
    error = describe_error(raised(ValueError("x" * 1_000_000 + " the end")))
    assert error.message.endswith("the end")
    assert error.message.startswith("[reamon] 983624 characters cut")
    assert len(error.message) < 17_000
    assert len(error.stack) < 17_000


def test_a_deep_recursion_is_cut_to_its_last_frames() -> None:
    def down(depth: int) -> None:
        if not depth:
            raise ValueError("bottom")
        down(depth - 1)

    try:
        down(500)
    except ValueError as caught:
        error = describe_error(caught)
    assert "bottom" in error.stack
    assert error.stack.count("down(depth - 1)") < 50


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt(), SystemExit()])
def test_what_stops_the_work_from_outside_is_a_cancellation(error: BaseException) -> None:
    assert is_cancellation(error)


@pytest.mark.parametrize("error", [TimeoutError(), ValueError(), StopIteration()])
def test_what_fails_is_none(error: BaseException) -> None:
    assert not is_cancellation(error)


def test_asyncio_is_not_imported_to_find_out() -> None:
    code = (
        "import sys; from reamon.tracing._error import is_cancellation; "
        "assert not is_cancellation(ValueError()); assert 'asyncio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
