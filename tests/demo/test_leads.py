from hypothesis import given
from hypothesis import strategies as st

from reamon.demo.leads import Temper, make_lead, make_leads

SEEDS = st.integers(min_value=0, max_value=10_000)


@given(seed=SEEDS, count=st.integers(min_value=0, max_value=60))
def test_the_same_seed_gives_the_same_leads(seed: int, count: int) -> None:
    assert make_leads(count, seed) == make_leads(count, seed)


@given(seed=SEEDS)
def test_a_longer_campaign_begins_like_a_shorter_one(seed: int) -> None:
    assert make_leads(45, seed)[:12] == make_leads(12, seed)


@given(seed=SEEDS)
def test_twenty_leads_are_of_every_temper(seed: int) -> None:
    assert {lead.temper for lead in make_leads(20, seed)} == set(Temper)


@given(seed=SEEDS, number=st.integers(min_value=1, max_value=500), temper=st.sampled_from(Temper))
def test_everybody_but_the_absent_speaks_in_finished_sentences(seed: int, number: int, temper: Temper) -> None:
    lines = make_lead(number, seed, temper).lines

    assert bool(lines) is (temper is not Temper.ABSENT)
    assert all(line.endswith((".", "?", "!")) and "{" not in line for line in lines)


def test_another_seed_gives_other_leads() -> None:
    assert make_leads(20, seed=7) != make_leads(20, seed=8)


def test_each_lead_has_a_call_id_of_its_own() -> None:
    leads = make_leads(200, seed=7)

    assert len({lead.call_id for lead in leads}) == 200
    assert leads[0].call_id == "call-7-0001"


def test_two_hundred_leads_have_enough_to_say_for_six_hundred_turns() -> None:
    assert sum(max(1, len(lead.lines)) for lead in make_leads(200, seed=7)) >= 600
