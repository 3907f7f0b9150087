"""What a process knows: no money is missing from it, and none is in it twice, whatever is under way."""

from hypothesis import given
from hypothesis import strategies as st

from reamon.budgets.knowledge import Knowledge, LocalHold
from reamon.budgets.ledger import Account, Balance
from reamon.budgets.ledgers.memory import MemoryLedger

DAY = Account("day", "", 1_000)
STEPS = st.lists(st.one_of(st.integers(1, 100), st.sampled_from(["send", "arrive", "answer", "others", "ask"])))


@given(steps=STEPS)
def test_what_was_spent_counts_once_while_batches_come_and_go(steps: list[int | str]) -> None:
    knowledge, ledger = Knowledge("me"), MemoryLedger()
    mine = others = others_seen = sequence = 0
    has_arrived = False
    for step in steps:
        if isinstance(step, int):
            knowledge.add(DAY, None, step, 0)
            mine += step
        elif step == "others":
            sequence += 1
            knowledge_of_others = Knowledge("others")
            knowledge_of_others._sequence = sequence - 1
            knowledge_of_others.add(DAY, None, 7, 0)
            batch = knowledge_of_others.next_batch()
            assert batch is not None
            ledger.charge(batch, 0)
            others += 7
        elif step == "send":
            has_arrived = has_arrived and knowledge.next_batch() is not None
            knowledge.next_batch()
        elif step == "arrive" and knowledge._sent is not None:
            ledger.charge(knowledge._sent, 0)
            has_arrived = True
        elif step == "answer" and has_arrived and knowledge._sent is not None:
            knowledge.acknowledge(knowledge._sent, {DAY: ledger.read([DAY], 0)[0]})
            others_seen, has_arrived = others, False
        elif step == "ask":
            fresh = ledger.read([DAY], 0)[0]
            assert mine + others_seen <= knowledge.completed(DAY, fresh, 0).spent <= mine + others
        assert knowledge.spent(DAY) == mine + others_seen


def test_a_batch_is_sent_again_until_it_is_acknowledged() -> None:
    knowledge = Knowledge("me")
    knowledge.add(DAY, "call-1", 5, 1)
    first = knowledge.next_batch()
    knowledge.add(DAY, "call-1", 7, 0)
    assert first is not None
    assert knowledge.next_batch() is first
    knowledge.acknowledge(first, {DAY: Balance(spent=5, unknown=1)})
    second = knowledge.next_batch()
    assert second is not None
    assert (second.sequence, second.charges[0].amount) == (2, 7)
    assert knowledge.known(DAY, 0) == Balance(spent=12, unknown=1)


def test_a_long_outage_with_many_calls_takes_bounded_memory_and_loses_no_money() -> None:
    knowledge = Knowledge("me")
    for number in range(60_000):
        call = f"call-{number}"
        knowledge.add(DAY, call, 1, 0)
        knowledge.add(Account("call", call, 0), call, 1, 0)
    assert len(knowledge._waiting) <= 100_001
    assert knowledge.spent(DAY) == 60_000


def test_what_was_reserved_in_a_long_outage_and_is_over_is_let_go() -> None:
    knowledge = Knowledge("me")
    for number in range(5_000):
        knowledge.hold(f"call-{number}", LocalHold({DAY: 1}, expires_at=number + 50), now=number)
    assert len(knowledge.holds) <= 1_000
    assert knowledge.known(DAY, 4_999).reserved == 50


def test_what_a_call_has_spent_comes_out_of_its_reservation_wherever_the_charge_is() -> None:
    knowledge = Knowledge("me")
    knowledge.hold("call-1", LocalHold({DAY: 80}, expires_at=100), now=0)
    knowledge.add(DAY, "call-1", 30, 0)
    assert knowledge.known(DAY, 0) == Balance(spent=30, reserved=50)
    batch = knowledge.next_batch()
    assert batch is not None
    knowledge.add(DAY, "call-1", 5, 0)
    assert knowledge.known(DAY, 0) == Balance(spent=35, reserved=45)
    knowledge.acknowledge(batch, {DAY: Balance(spent=30)})
    assert knowledge.known(DAY, 0) == Balance(spent=35, reserved=45)


def test_a_reservation_that_took_the_place_of_another_stays() -> None:
    knowledge = Knowledge("me")
    first, second = LocalHold({DAY: 80}, expires_at=100), LocalHold({DAY: 90}, expires_at=100)
    knowledge.hold("call-1", first, now=0)
    knowledge.hold("call-1", second, now=0)
    knowledge.let_go("call-1", first)
    assert knowledge.known(DAY, 0).reserved == 90
    knowledge.let_go("call-1")
    knowledge.let_go("call-1")
    assert knowledge.known(DAY, 0).reserved == 0
