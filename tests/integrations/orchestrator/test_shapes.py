"""Shapes: what is taken for an orchestrator and for an agent, and what is not."""

from enum import Enum
from typing import Any
from unittest.mock import MagicMock

import pytest

from reamon.integrations.orchestrator.shapes import agent_type_of, agents_in, is_agent, is_orchestrator, state_parameter


class Orchestrator:
    """One by its shape."""

    async def process_input(self, call_id: str, user_input: str) -> str: ...  # type: ignore[empty-body]


class Base:
    """A base class that leaves the type to others."""

    async def execute_with_timeout(self, context: Any) -> None: ...
    async def process(self, context: Any) -> None: ...


class Greeter:
    """One that says its type on its objects."""

    def __init__(self) -> None:
        self.agent_type = "greeter"

    def process(self, state: Any) -> None: ...


class Payment:
    """Something else that processes."""

    def process(self, order: Any) -> None: ...


def test_an_orchestrator_answers_turns_of_calls() -> None:
    assert is_orchestrator(Orchestrator)
    assert is_orchestrator(Orchestrator())
    assert not is_orchestrator(type("Other", (), {"process_input": lambda self, text: text}))


def test_an_agent_has_both_methods_or_says_its_type() -> None:
    assert is_agent(Base)
    assert is_agent(Greeter())
    assert is_agent(Greeter), "its __init__ says the type"
    assert not is_agent(Payment)
    assert not is_agent("text")


@pytest.mark.parametrize(
    ("said", "expected"),
    [("booker", "booker"), (Enum("Kind", {"BOOKER": "booker"}).BOOKER, "booker"), (None, "Agent")],  # type: ignore[attr-defined]
)
def test_an_agents_type_is_text(said: object, expected: str) -> None:
    assert agent_type_of(type("Agent", (), {"agent_type": said})()) == expected


def test_the_agents_of_an_orchestrator_are_found_where_it_holds_them() -> None:
    orchestrator = Orchestrator()
    one, two, three = Greeter(), Greeter(), Greeter()
    orchestrator.first = one  # type: ignore[attr-defined]
    orchestrator.others = {"two": two, "three": [three], "no": 3}  # type: ignore[attr-defined]
    orchestrator.more = (three,)  # type: ignore[attr-defined]
    assert list(agents_in(orchestrator)) == [one, two, three]


def test_looking_for_agents_runs_no_code_of_theirs() -> None:
    orchestrator = Orchestrator()
    orchestrator.mock = mock = MagicMock()  # type: ignore[attr-defined]
    assert list(agents_in(orchestrator)) == []
    assert mock.mock_calls == []


def test_the_state_is_the_parameter_that_is_called_so() -> None:
    assert state_parameter(Greeter.process) == "state"
    assert state_parameter(Payment.process) is None
