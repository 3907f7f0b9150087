"""Methods: traced by name, in classes and objects, as the kinds that were asked for."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import reamon
from reamon.testing import Captured
from support.trees import tree


class Calendar:
    """Something of an application's."""

    @classmethod
    def default(cls) -> "Calendar":
        return cls()

    @staticmethod
    def parse(text: str) -> str:
        return text.title()

    def book(self, slot: str) -> str:
        return f"booked {self.parse(slot)}"

    async def search(self, day: str) -> list[str]:
        return [day]

    async def slots(self) -> AsyncIterator[str]:
        yield "ten"
        yield "eleven"


async def test_methods_of_every_sort_are_traced_as_the_kinds_that_were_asked_for(captured: Captured) -> None:
    methods = {"book": "tool", "search": "retrieval", "parse": "step", "default": "step", "slots": "step"}
    with reamon.instrument(Calendar, methods=methods):
        calendar = Calendar.default()
        assert calendar.book("monday") == "booked Monday"
        assert await calendar.search("monday") == ["monday"]
        assert [slot async for slot in calendar.slots()] == ["ten", "eleven"]
    assert tree(captured.spans) == "step default\ntool book\n  step parse\nretrieval search\nstep slots"
    assert next(span for span in captured.spans if span.name == "book").input.value == {"slot": "monday"}  # type: ignore[union-attr]


def test_names_alone_are_steps_and_options_are_those_of_the_decorators(captured: Captured) -> None:
    with reamon.instrument(Calendar, methods=("book",), ignore=("slot",)):
        Calendar().book("monday")
    (span,) = captured.spans
    assert (span.kind, span.input and span.input.value) == ("step", {})


def test_only_the_object_that_was_given_is_traced(captured: Captured) -> None:
    one, other = Calendar(), Calendar()
    with reamon.instrument(one, methods=("book",)):
        assert (one.book("monday"), other.book("monday")) == ("booked Monday", "booked Monday")
    assert tree(captured.spans) == "step book"
    assert vars(one) == {}


def test_what_a_subclass_overrides_is_traced_and_what_it_inherits_once(captured: Captured) -> None:
    class Office(Calendar):
        def book(self, slot: str) -> str:
            return super().book(slot)

    with reamon.instrument(Calendar, methods={"book": "tool", "parse": "step"}):
        Office().book("monday")
    assert tree(captured.spans) == "tool book\n  tool book\n    step parse"


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (("boook",), r"instrument\(Calendar, methods=...\): it has no method 'boook'"),
        ("book", "give names, or kinds by name"),
        ((), "name at least one method"),
        ({"book": "gadget"}, "the kinds are workflow, agent, llm"),
    ],
)
def test_mistakes_are_refused_by_name(methods: Any, message: str) -> None:
    with pytest.raises(reamon.ConfigurationError, match=message):
        reamon.instrument(Calendar, methods=methods)


def test_a_class_of_no_known_shape_is_refused_with_what_to_do() -> None:
    with pytest.raises(reamon.ConfigurationError, match=r'say which of its methods to trace: methods=\("default",\)'):
        reamon.instrument(Calendar)
