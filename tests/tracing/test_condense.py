"""Registered captures: how an application says what stands for its own objects."""

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from reamon.tracing import _condense, register_capture, snapshot


@pytest.fixture(autouse=True)
def registrations() -> Iterator[None]:
    """What a test registers is gone afterwards."""
    before = dict(_condense._registered)
    yield
    _condense._registered.clear()
    _condense._registered.update(before)
    _condense._handlers.clear()


class Lead:
    def __init__(self, name: str) -> None:
        self.name = name


class VipLead(Lead):
    """A subclass."""


def captured(value: Any) -> Any:
    return json.loads(snapshot(value))


def test_an_unknown_object_is_its_types_name_until_its_type_is_registered() -> None:
    assert captured(Lead("Ada")) == {"__type__": f"{__name__}.Lead"}
    register_capture(Lead, lambda lead: {"name": lead.name})
    assert captured([Lead("Ada"), VipLead("Eve")]) == [{"name": "Ada"}, {"name": "Eve"}]


def test_a_subclass_may_have_a_capture_of_its_own() -> None:
    register_capture(Lead, lambda lead: lead.name)
    register_capture(VipLead, lambda lead: f"vip {lead.name}")
    assert captured([Lead("Ada"), VipLead("Eve")]) == ["Ada", "vip Eve"]


def test_a_capture_may_be_registered_again() -> None:
    register_capture(Lead, lambda lead: "before")
    assert captured(Lead("Ada")) == "before"
    register_capture(Lead, lambda lead: "after")
    assert captured(Lead("Ada")) == "after"


def test_a_registered_capture_wins_over_the_shape() -> None:
    @dataclasses.dataclass
    class Card:
        number: str

    register_capture(Card, lambda card: f"…{card.number[-4:]}")
    assert captured({"card": Card("4111111111111234")}) == {"card": "…1234"}


def test_what_a_capture_gives_is_captured_like_anything() -> None:
    register_capture(Lead, lambda lead: {"score": math.nan, "raw": b"12", "lead": VipLead})
    assert captured(Lead("Ada"))["score"] == "NaN"


def test_a_capture_that_raises_is_contained_and_noted() -> None:
    register_capture(Lead, lambda lead: 1 / 0)
    shown = captured({"lead": Lead("Ada"), "kept": 1})
    assert shown == {
        "lead": {"__type__": f"{__name__}.Lead", "error": "not captured: ZeroDivisionError"},
        "kept": 1,
    }


@pytest.mark.parametrize("endless", [lambda lead: lead, lambda lead: [lead], lambda lead: Lead("again")])
def test_a_capture_that_never_comes_to_an_end_is_stopped(endless: Any) -> None:
    register_capture(Lead, endless)
    assert captured({"lead": Lead("Ada"), "kept": 1})["kept"] == 1


@pytest.mark.parametrize(("kind", "capture"), [("Lead", str), (Lead, "str"), (Lead(""), str)])
def test_a_wrong_registration_is_refused(kind: Any, capture: Any) -> None:
    with pytest.raises(TypeError, match="a class and a callable"):
        register_capture(kind, capture)


def test_classes_without_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_condense, "_TYPES_KEPT", 20)
    for number in range(100):
        captured(type(f"Made{number}", (), {})())
    assert len(_condense._handlers) <= 20
