"""The subject: one person in all spellings, and nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.erasure import Subject
from reamon.erasure.phone import digits_of
from reamon.errors import ReamonError

NUMBER = "+1 (555) 010-2030"
SPELLINGS = [
    "+15550102030",
    "+1 (555) 010-2030",
    "+1-555-010-2030",
    "0015550102030",
    "011 1 555 010 2030",
    "15550102030",
    "1 555 010 2030",
    "(555) 010-2030",
    "555.010.2030",
    "555 010 2030",
    "555\u00a0010\u20112030",
    "tel:+15550102030",
    "sip:15550102030@voice.example",
    "15550102030.0",
]


@pytest.mark.parametrize("given_number", [NUMBER, "0015550102030", "011-1-555-010-2030"])
@pytest.mark.parametrize("written", SPELLINGS)
def test_a_number_is_found_in_every_spelling(given_number: str, written: str) -> None:
    subject = Subject("phone", given_number)
    for text in (written, f'{{"said":"call me at {written}, please"}}', f'["4155550199","{written}"]'):
        assert subject.is_mentioned_in([text]), text


@pytest.mark.parametrize("written", SPELLINGS)
def test_a_number_without_its_country_code_is_found_as_well(written: str) -> None:
    assert Subject("phone", "555 010 2030").is_mentioned_in([f"call {written} now"])


@pytest.mark.parametrize(
    "other",
    [
        "+1 555 010 2031",
        "155501020301",
        "9915550102030",
        "+44 5550102030",
        "010-2030",
        "0.15550102030",
        "15550102030123456",
        "1555010203",
        "5550102030999",
    ],
)
def test_another_number_is_not_found(other: str) -> None:
    assert not Subject("phone", NUMBER).is_mentioned_in([f"call {other} now"])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("+44 20 7946 0958", "020 7946 0958"),
        ("+44 20 7946 0958", "+44 (0)20 7946 0958"[:3] + " 20 7946 0958"),
        ("+49 151 23456789", "0151 23456789"),
        ("020 7946 0958", "+44 20 7946 0958"),
        ("+65 6123 4567", "6561234567"),
        ("15550102030", "(555) 010-2030"),
        ("13800138000", "+8613800138000"),
    ],
)
def test_national_forms_are_found(number: str, text: str) -> None:
    assert Subject("phone", number).is_mentioned_in([text])


def test_a_short_national_form_is_not_since_it_is_part_of_too_many_numbers() -> None:
    assert not Subject("phone", "+65 6123 4567").is_mentioned_in(["6123 4567"])


@pytest.mark.parametrize("number", ["", "12345", "555-0102", "+1 555", "call me", "1" * 20])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ReamonError, match=r"empty|digits"):
        Subject("phone", number)


@given(st.integers(10**9, 10**14 - 1), st.data())
def test_separators_between_digits_do_not_matter_and_more_digits_do(number: int, data: st.DataObject) -> None:
    digits = str(number)
    written = "".join(digit + data.draw(st.sampled_from(["", "", " ", "-", ".", ") "])) for digit in digits)
    subject = Subject("phone", f"+{digits}")
    assert subject.is_mentioned_in([f"x {written} y"])
    assert not subject.is_mentioned_in([f"x {digits}0 y"])


@pytest.mark.parametrize(
    "text",
    [
        '{"lead_id":"L-7"}',
        '{"leadId":"L-7"}',
        '{"lead.id":"L-7"}',
        '{"lead":{"id":"L-7","name":"Ada"}}',
        '{"lead_data":{"id":"L-7"}}',
        '{"crm":{"lead_id":"L-7"}}',
        '{"leads":[{"lead_id":"L-1"},{"lead_id":"L-7"}]}',
        '["vip","lead:L-7"]',
        '{"prompt":"the lead is {\\"lead_id\\": \\"L-7\\"}"}',
        "{\"prompt\":\"lead_data={'id': 'L-7'}\"}",
        "no lead with lead_id=L-7",
    ],
)
def test_a_lead_is_found_wherever_its_id_is_called_so(text: str) -> None:
    assert Subject("lead", "L-7").is_mentioned_in([text])


@pytest.mark.parametrize(
    "text",
    [
        '{"lead_id":"L-77"}',
        '{"lead_id":"XL-7"}',
        '{"id":"L-7"}',
        '{"agent":{"id":"L-7"}}',
        '{"note":"L-7"}',
        "lead: L-7-b",
    ],
)
def test_another_lead_or_another_thing_of_that_id_is_not(text: str) -> None:
    assert not Subject("lead", "L-7").is_mentioned_in([text])


def test_ids_that_are_numbers_are_found_as_numbers() -> None:
    lead = Subject("lead", "1042")
    assert lead.is_mentioned_in(['{"lead_id":1042}'])
    assert lead.is_mentioned_in(['{"lead_id":1042.0}'])
    assert not lead.is_mentioned_in(['{"lead_id":10421}'])
    assert not lead.is_mentioned_in(['{"lead_id":true}'])


def test_a_call_is_found_by_its_id_and_where_payloads_call_it_so() -> None:
    call = Subject("call", "CA-12345")
    assert call.covers("t", "CA-12345")
    assert not call.covers("t", "CA-123456")
    assert call.is_mentioned_in(['{"gen_ai.conversation.id":"CA-12345"}'])
    assert call.is_mentioned_in(['{"CallSid":"CA-12345"}'])
    assert not call.is_mentioned_in(['{"other":"CA-12345"}'])


def test_a_digest_is_the_same_for_every_spelling_and_another_with_another_salt() -> None:
    one, other = Subject("phone", NUMBER), Subject("phone", "0015550102030")
    assert one.digest("a") == other.digest("a") != one.digest("b")
    assert digits_of(NUMBER) not in one.digest("a")
