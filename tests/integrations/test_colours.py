"""Wrappers for functions of either colour: the same for both, and unseen by who looks at them."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from reamon.integrations.colours import Answered, chosen_at_call, observed


def plain(word: str, times: int = 1) -> str:
    return word * times


async def coroutine(word: str, times: int = 1) -> str:
    return word * times


async def answer_of(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What a function of either colour answers."""
    answer = function(*args, **kwargs)
    return await answer if inspect.isawaitable(answer) else answer


@pytest.mark.parametrize("method", [plain, coroutine])
async def test_what_is_called_is_chosen_for_the_arguments_of_each_call(method: Any) -> None:
    loud = {plain: lambda word: word.upper()}.get(method) or (lambda word: coroutine(word.upper()))
    chosen = chosen_at_call(method, lambda args: loud if args[0] == "loud" else method)
    assert await answer_of(chosen, "loud") == "LOUD"
    assert await answer_of(chosen, "low", times=2) == "lowlow"
    assert inspect.iscoroutinefunction(chosen) is inspect.iscoroutinefunction(method)
    assert inspect.signature(chosen) == inspect.signature(method)


@pytest.mark.parametrize("method", [plain, coroutine])
async def test_a_call_is_observed_from_its_arguments_to_its_answer(method: Any) -> None:
    seen: list[Any] = []

    @contextmanager
    def observe(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Answered]:
        seen.append((args, kwargs))

        def answered(answer: Any) -> Any:
            seen.append(answer)
            return answer

        yield answered
        seen.append("over")

    assert await answer_of(observed(method, observe), "a", times=2) == "aa"
    assert seen == [(("a",), {"times": 2}), "aa", "over"]
