"""Usage: only what applies is set."""

from reamon.model import Usage
from reamon.model.usage import AMOUNTS, COUNTS


def test_absent_is_unknown_and_never_zero() -> None:
    usage = Usage(provider="openai", input_tokens=0)
    assert usage.input_tokens == 0
    assert usage.output_tokens is None


def test_every_field_is_a_count_an_amount_or_a_name() -> None:
    assert {*COUNTS, *AMOUNTS, "provider", "model"} == set(Usage.__struct_fields__)
