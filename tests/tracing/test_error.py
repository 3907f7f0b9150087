"""Exceptions as records."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

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


def noted(notes: list[str]) -> BaseException:
    error = raised(ValueError("x"))
    error.__notes__ = notes
    return error


def chained(length: int) -> BaseException:
    error: BaseException = ValueError("first")
    for number in range(length):
        following = ValueError(f"number {number}")
        following.__cause__ = error
        error = raised(following)
    return error


LARGE: dict[str, Callable[[int], BaseException]] = {
    "a long text": lambda size: raised(ValueError("x" * size * 100)),
    "a long key": lambda size: raised(KeyError("x" * size * 100)),
    "an argument": lambda size: raised(ValueError(list(range(size)))),
    "several arguments": lambda size: raised(ValueError("bad state", {"leads": dict.fromkeys(range(size))})),
    "bytes": lambda size: raised(ValueError(bytes(size * 100))),
    "a syntax error": lambda size: SyntaxError("bad", ("file.py", 1, 1, "x" * size * 100)),
    "causes": lambda size: chained(size // 50),
    "a group": lambda size: ExceptionGroup("all", [raised(ValueError(number)) for number in range(size // 50)]),
    "notes": lambda size: noted(["a note"] * size),
    "a long note": lambda size: noted(["x" * size * 100]),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_what_is_twenty_times_as_large_takes_no_longer_to_describe(make: Callable[[int], BaseException]) -> None:
    def seconds(error: BaseException) -> float:
        begun = time.thread_time()
        described = describe_error(error)
        assert len(described.message) + len(described.stack) < 40_000
        return time.thread_time() - begun

    small, large = make(10_000), make(200_000)
    assert min(seconds(large) for _ in range(5)) < 5 * min(seconds(small) for _ in range(5)) + 0.001


def test_of_a_long_chain_the_newest_are_told_and_the_last_is_last() -> None:
    stack = describe_error(chained(1_000)).stack
    assert stack.rstrip().endswith("ValueError: number 999")
    assert "number 990" in stack
    assert "The above exception was the direct cause of the following exception" in stack
    assert "first" not in stack


def test_of_a_large_group_some_are_told_and_the_rest_is_counted() -> None:
    stack = describe_error(ExceptionGroup("all", [raised(ValueError(number)) for number in range(1_000)])).stack
    assert "ValueError: 3" in stack
    assert stack.rstrip().endswith("exceptions cut")


def test_groups_in_groups_in_groups_come_to_an_end() -> None:
    group: Exception = ValueError("leaf")
    for _ in range(100):
        group = ExceptionGroup("all", [group] * 20)
    assert len(describe_error(group).stack) < 17_000


def test_notes_are_told() -> None:
    assert "while calling Ada\n" in describe_error(noted(["while calling Ada"])).stack


def test_large_arguments_are_shown_as_a_payload_is() -> None:
    assert describe_error(ValueError("bad", {"leads": ["Ada"] * 10_000})).message.startswith('["bad",{"leads":["Ada",')
    assert describe_error(ValueError("bad", {"leads": ["Ada"]})).message == "('bad', {'leads': ['Ada']})"
    assert describe_error(KeyError("lead")).message == "'lead'"


def test_what_an_object_has_is_not_read_through_for_a_name_like_the_one_it_lacks() -> None:
    class Lazy:
        def __dir__(self) -> list[str]:
            raise SystemExit("this asks the database")

    with pytest.raises(AttributeError) as caught:
        Lazy().lead  # type: ignore[attr-defined]  # noqa: B018
    assert "'Lazy' object has no attribute 'lead'" in describe_error(caught.value).stack


class Nameless(type):
    """Answers nothing about its classes."""

    def __getattribute__(cls, name: str) -> Any:
        if name in ("__module__", "__qualname__"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


class NamelessError(Exception, metaclass=Nameless):
    """Of a class without a name."""


class ClasslessError(Exception):
    """Does not say what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no class")


@pytest.mark.parametrize("kind", [NamelessError, ClasslessError])
def test_an_exception_that_does_not_say_what_it_is(kind: type[Exception]) -> None:
    error = kind("x")
    assert not is_cancellation(error)
    assert describe_error(error).message == "x"
