"""Names and seconds that the application gives become what every ledger takes."""

import uuid

import pytest

import reamon.guard
from reamon.budgets.given import duration, duration_of, name_of
from reamon.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("call-1", "call-1"),
        ("a\0b", "a\ufffdb"),
        ("\ud800", "\\ud800"),
        ("m\u00fcnchen", "m\u00fcnchen"),
        (7, "7"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (None, None),
    ],
)
def test_a_name_is_text_that_can_be_kept(given: object, name: str | None) -> None:
    assert name_of(given) == name


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", True, 10**9])
def test_what_is_no_duration_is_refused_by_name(seconds: object) -> None:
    with pytest.raises(ConfigurationError, match=r"Budgets\(timeout="):
        duration("timeout", seconds)
    with reamon.guard.guard.relaxed():
        assert duration_of("timeout", seconds, 5) == 5
