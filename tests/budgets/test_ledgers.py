"""Every ledger does the same, in memory, in SQLite, in PostgreSQL and in Redis."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from reamon.budgets.ledger import Account, Balance, Batch, BudgetLedger, Charge, Claim
from reamon.errors import ReamonError
from support.ledgers import KINDS, SHARED, ledger_at, ledger_of, place_of

SECOND = 1_000_000_000
NOW = 1_767_268_800 * SECOND
YESTERDAY = Account("day", "", NOW - 129_600 * SECOND)
TODAY = Account("day", "", NOW - 43_200 * SECOND)
TOMORROW = Account("day", "", NOW + 43_200 * SECOND)
CALL = Account("call", "call-1", 0)
LATER = NOW + 900 * SECOND


def spend(
    ledger: BudgetLedger, account: Account, amount: int, *, sequence: int, call: str | None = None, unknown: int = 0
) -> None:
    ledger.charge(Batch("writer", sequence, (Charge(account, call, amount, unknown),)), NOW)


def balance(ledger: BudgetLedger, account: Account = TODAY, now: int = NOW) -> Balance:
    return ledger.read([account], now)[0]


def test_of_an_account_that_nobody_wrote_to_there_is_nothing(ledger: BudgetLedger) -> None:
    assert ledger.read([TODAY, CALL], NOW) == [Balance(), Balance()]


def test_what_spans_cost_adds_up_by_account(ledger: BudgetLedger) -> None:
    charges = (Charge(TODAY, "call-1", 70, 0), Charge(CALL, "call-1", 70, 0), Charge(TODAY, None, 5, 2))
    ledger.charge(Batch("writer", 1, charges), NOW)
    assert ledger.read([CALL, TODAY], NOW) == [Balance(spent=70), Balance(spent=75, unknown=2)]


def test_a_batch_that_is_sent_again_counts_once(ledger: BudgetLedger) -> None:
    spend(ledger, TODAY, 70, sequence=1)
    spend(ledger, TODAY, 70, sequence=1)
    spend(ledger, TODAY, 7, sequence=2)
    ledger.charge(Batch("another", 1, (Charge(TODAY, None, 100, 0),)), NOW)
    assert balance(ledger).spent == 177


@pytest.mark.parametrize(
    "amount", [1, 9_007_199_254_740_993, 123_456_789_000_000_000_001, 9_000_000_000_000_000_000_007]
)
def test_amounts_are_exact_to_the_trillionth_of_a_dollar(ledger: BudgetLedger, amount: int) -> None:
    spend(ledger, TODAY, amount, sequence=1)
    spend(ledger, TODAY, 1, sequence=2)
    assert balance(ledger).spent == amount + 1
    granted = ledger.reserve("exact", 3, [Claim(TODAY, amount + 4, None)], LATER, NOW)
    refused = ledger.reserve("one more", 1, [Claim(TODAY, amount + 4, None)], LATER, NOW)
    assert (granted.refused_by, refused.refused_by) == (None, TODAY)


def test_a_refund_is_taken_off(ledger: BudgetLedger) -> None:
    spend(ledger, TODAY, 1_000_000, sequence=1)
    spend(ledger, TODAY, -1, sequence=2)
    assert balance(ledger).spent == 999_999
    spend(ledger, TODAY, -1_000_001, sequence=3)
    assert balance(ledger).spent == -2


def test_a_reservation_is_granted_in_all_accounts_or_in_none(ledger: BudgetLedger) -> None:
    claims = [Claim(CALL, 100, None), Claim(TODAY, 150, None)]
    assert ledger.reserve("call-1", 100, claims, LATER, NOW).refused_by is None
    answer = ledger.reserve("call-2", 60, [Claim(Account("call", "call-2", 0), 100, None), claims[1]], LATER, NOW)
    assert answer.refused_by == TODAY
    assert answer.balances == (Balance(), Balance(reserved=100))
    assert ledger.read([CALL, TODAY, Account("call", "call-2", 0)], NOW) == [
        Balance(reserved=100),
        Balance(reserved=100),
        Balance(),
    ]


def test_the_limit_itself_may_be_reached(ledger: BudgetLedger) -> None:
    assert ledger.reserve("all", 100, [Claim(TODAY, 100, None)], LATER, NOW).refused_by is None
    assert ledger.reserve("more", 1, [Claim(TODAY, 100, None)], LATER, NOW).refused_by == TODAY


def test_nothing_begins_once_the_share_is_used_at_which_it_stops(ledger: BudgetLedger) -> None:
    assert ledger.reserve("a", 95, [Claim(TODAY, 100, 95)], LATER, NOW).refused_by is None
    assert ledger.reserve("b", 1, [Claim(TODAY, 100, 95)], LATER, NOW).refused_by == TODAY


def test_one_of_the_same_id_takes_the_place_of_the_first(ledger: BudgetLedger) -> None:
    ledger.reserve("call-1", 80, [Claim(TODAY, 100, None)], LATER, NOW)
    assert ledger.reserve("call-1", 90, [Claim(TODAY, 100, None)], LATER, NOW).refused_by is None
    assert balance(ledger).reserved == 90


def test_the_spans_of_a_call_draw_its_reservation_down(ledger: BudgetLedger) -> None:
    ledger.reserve("call-1", 80, [Claim(TODAY, 100, None)], LATER, NOW)
    spend(ledger, TODAY, 30, sequence=1, call="call-1")
    assert balance(ledger) == Balance(spent=30, reserved=50)
    spend(ledger, TODAY, 60, sequence=2, call="call-1")
    assert balance(ledger) == Balance(spent=90)
    spend(ledger, TODAY, 5, sequence=3, call="call-1")
    assert balance(ledger) == Balance(spent=95)


def test_what_is_left_of_a_reservation_follows_its_call_over_midnight(ledger: BudgetLedger) -> None:
    ledger.reserve("call-1", 80, [Claim(TODAY, 100, None)], LATER, NOW)
    spend(ledger, TOMORROW, 30, sequence=1, call="call-1")
    assert ledger.read([TODAY, TOMORROW], NOW) == [Balance(), Balance(spent=30, reserved=50)]
    spend(ledger, TODAY, 10, sequence=2, call="call-1")  # a late one
    assert ledger.read([TODAY, TOMORROW], NOW) == [Balance(spent=10), Balance(spent=30, reserved=40)]


def test_a_reservation_counts_until_it_expires(ledger: BudgetLedger) -> None:
    ledger.reserve("call-1", 80, [Claim(TODAY, 100, None)], LATER, NOW)
    assert balance(ledger, now=LATER - SECOND).reserved == 80
    assert balance(ledger, now=LATER).reserved == 0
    assert ledger.reserve("call-2", 80, [Claim(TODAY, 100, None)], LATER + 900 * SECOND, LATER).refused_by is None


def test_a_call_that_is_over_lets_its_reservation_lapse(ledger: BudgetLedger) -> None:
    ledger.reserve("call-1", 80, [Claim(TODAY, 100, None), Claim(CALL, 100, None)], LATER, NOW)
    ledger.lapse("call-1", [CALL, TODAY], NOW + 10 * SECOND)
    ledger.lapse("call-1", [CALL, TODAY], NOW + 60 * SECOND)  # it never holds longer than it was told once
    spend(ledger, TODAY, 30, sequence=1, call="call-1")
    assert balance(ledger, now=NOW + 9 * SECOND) == Balance(spent=30, reserved=50)
    assert balance(ledger, now=NOW + 10 * SECOND) == Balance(spent=30)


def test_a_statement_settles_once(ledger: BudgetLedger) -> None:
    ledger.reserve("number", 80, [Claim(TODAY, 100, None)], LATER, NOW)
    for actual in (50, 50, 70):
        ledger.settle("number", [TODAY], actual, NOW)
        assert balance(ledger) == Balance(spent=50, stated=50)


def test_a_statement_counts_also_after_its_reservation_has_expired(ledger: BudgetLedger) -> None:
    ledger.reserve("number", 80, [Claim(TODAY, 100, None)], LATER, NOW)
    ledger.reserve("other", 1, [Claim(TODAY, 100, None)], LATER + 7200 * SECOND, LATER + 3600 * SECOND)
    ledger.settle("number", [TODAY], 50, LATER + 3600 * SECOND)
    ledger.settle("number", [TODAY], 50, LATER + 3600 * SECOND)
    assert balance(ledger, now=LATER + 3600 * SECOND) == Balance(spent=50, stated=50, reserved=1)


def test_a_call_that_was_released_can_be_reserved_for_again(ledger: BudgetLedger) -> None:
    ledger.reserve("call-1", 80, [Claim(TODAY, 100, None)], LATER, NOW)
    ledger.settle("call-1", [TODAY], 0, NOW)
    assert balance(ledger) == Balance()
    ledger.reserve("call-1", 60, [Claim(TODAY, 100, None)], LATER, NOW)
    spend(ledger, TODAY, 10, sequence=1, call="call-1")
    assert balance(ledger) == Balance(spent=10, reserved=50)
    ledger.settle("call-1", [TODAY], 0, NOW)
    assert balance(ledger) == Balance(spent=10)


def test_one_of_all_is_told_that_a_mark_was_passed(ledger: BudgetLedger) -> None:
    assert ledger.cross(TODAY, "0.8", NOW)
    assert not ledger.cross(TODAY, "0.8", NOW)
    assert ledger.cross(TODAY, "0.95", NOW)
    assert ledger.cross(CALL, "0.8", NOW)
    spend(ledger, TODAY, 5, sequence=1)
    assert not ledger.cross(TODAY, "0.95", NOW)


def test_history_has_the_last_periods_in_which_anything_was_spent(ledger: BudgetLedger) -> None:
    days = [Account("day", "", NOW - number * 86_400 * SECOND) for number in range(6)]
    for number, amount in enumerate([1000, 30, 0, 10, 20, 40]):
        spend(ledger, days[number], amount, sequence=number + 1)
    spend(ledger, Account("day", "another", days[1].start), 7, sequence=9)
    assert ledger.history(days[0], 3) == [30, 10, 20]
    assert ledger.history(days[0], 14) == [30, 10, 20, 40]
    assert ledger.history(days[5], 14) == []


def test_what_was_lost_is_given_back_once_by_who_knows_the_most(ledger: BudgetLedger) -> None:
    spend(ledger, TODAY, 40, sequence=1)
    ledger.restore(TODAY, Balance(spent=100, reserved=7, stated=3, unknown=2), NOW)
    ledger.restore(TODAY, Balance(spent=90, stated=1, unknown=1), NOW)
    assert balance(ledger) == Balance(spent=140, stated=3, unknown=2)
    ledger.restore(TODAY, Balance(spent=110, stated=1, unknown=1), NOW)
    assert balance(ledger) == Balance(spent=150, stated=3, unknown=2)


def test_counting_anew_keeps_what_was_stated_and_reserved(ledger: BudgetLedger) -> None:
    ledger.reserve("number", 80, [Claim(TODAY, 1000, None)], LATER, NOW)
    ledger.settle("number", [TODAY], 50, NOW)
    ledger.reserve("call-1", 20, [Claim(TODAY, 1000, None)], LATER, NOW)
    spend(ledger, TODAY, 5, sequence=1, unknown=1)
    ledger.rebuild(TODAY, 300, 4, NOW)
    assert balance(ledger) == Balance(spent=350, reserved=20, stated=50, unknown=4)


def test_what_is_old_is_forgotten_by_budget(ledger: BudgetLedger) -> None:
    spend(ledger, TODAY, 5, sequence=1)
    ledger.reserve("call-1", 20, [Claim(CALL, 1000, None)], LATER, NOW)
    assert ledger.forget({"day": NOW, "call": NOW}, NOW) == 0
    assert ledger.forget({"call": LATER + SECOND}, LATER) == 1
    assert ledger.read([CALL, TODAY], NOW) == [Balance(), Balance(spent=5)]
    assert ledger.forget({"day": LATER + SECOND}, LATER) == 1
    assert balance(ledger) == Balance()


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_reservations_that_are_long_over_are_forgotten(kind: str, tmp_path: Path) -> None:
    hour = 3_600 * SECOND
    with ledger_of(kind, tmp_path) as ledger:
        for name in ("lapsed", "settled", "open"):
            expires_at = NOW + 100 * hour if name == "open" else LATER
            ledger.reserve(name, 20, [Claim(TODAY, 1000, None)], expires_at, NOW)
        ledger.settle("settled", [TODAY], 5, NOW)
        names = []
        for now in (NOW, LATER + 2 * hour, NOW + 49 * hour):
            assert ledger.forget({"day": 0}, now) == 0
            with ledger._reading() as books:  # type: ignore[attr-defined]
                names.append([name for name in ("lapsed", "settled", "open") if books.hold(name, TODAY)])
        assert names == [["lapsed", "settled", "open"], ["settled", "open"], ["open"]]
        assert balance(ledger) == Balance(spent=5, reserved=20, stated=5)


def test_names_may_be_anything(ledger: BudgetLedger) -> None:
    odd = Account("bud:get \u00fc", "call/1 'x\" \U0001f4de", TODAY.start)
    ledger.reserve("id \u00fc '", 20, [Claim(odd, 1000, None)], LATER, NOW)
    ledger.charge(Batch("w\u00fc", 1, (Charge(odd, "id \u00fc '", 5, 0),)), NOW)
    assert balance(ledger, odd) == Balance(spent=5, reserved=15)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_never_reserve_more_than_there_is(kind: str, tmp_path: Path) -> None:
    with ledger_of(kind, tmp_path) as ledger:
        granted: list[str] = []

        def work(worker: int) -> None:
            for number in range(12):
                name = f"{worker}-{number}"
                if ledger.reserve(name, 7, [Claim(TODAY, 100, None)], LATER, NOW).refused_by is None:
                    granted.append(name)

        in_threads(work, 6)
        assert len(granted) == 14
        assert balance(ledger).reserved == 98


@pytest.mark.parametrize("kind", SHARED)
def test_two_ledgers_at_one_place_are_one(kind: str, tmp_path: Path) -> None:
    with place_of(kind, tmp_path) as place:
        one, other = ledger_at(kind, place), ledger_at(kind, place)
        spend(one, TODAY, 30, sequence=1)
        assert other.reserve("call-1", 80, [Claim(TODAY, 100, None)], LATER, NOW).refused_by == TODAY
        assert balance(other).spent == 30
        one.close()
        other.close()


def in_threads(work: Callable[[int], object], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# -- against a simple model -------------------------------------------------------------------------------------------

ACCOUNTS = (CALL, TODAY, TOMORROW)
CALLS = ("call-1", "call-2", "call-3")
AMOUNTS = st.integers(0, 2_000_000_000_000) | st.integers(9_007_199_254_740_000, 9_007_199_254_750_000)
LIMIT = 10_000_000_000_000


class Model:
    """What the contract says, in the plainest words."""

    def __init__(self) -> None:
        self.spent: dict[Account, int] = dict.fromkeys(ACCOUNTS, 0)
        self.stated: dict[Account, int] = dict.fromkeys(ACCOUNTS, 0)
        self.holds: dict[tuple[str, str, str], list[Any]] = {}
        self.settled: set[str] = set()

    def reserved(self, account: Account, now: int, but: str | None = None) -> int:
        return sum(
            amount
            for (name, *place), (amount, start, expires) in self.holds.items()
            if tuple(place) == account[:2] and start == account.start and expires > now and name != but
        )


class LedgerMachine(RuleBasedStateMachine):
    """Reserves, spends, settles and lets time pass, in any order."""

    ledger: BudgetLedger

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now = NOW
        self.sequence = 0
        self.last: Batch | None = None
        self.names = 0
        self.tag = f"{id(self):x}-{next(_machines)}"
        self.accounts = {one: one._replace(budget=f"{one.budget}-{self.tag}") for one in ACCOUNTS}
        self.open: list[str] = []

    def call(self, name: str) -> str:
        return f"{name}-{self.tag}"

    @rule(account=st.sampled_from(ACCOUNTS), call=st.sampled_from((None, *CALLS)), amount=AMOUNTS)
    def spends(self, account: Account, call: str | None, amount: int) -> None:
        self.sequence += 1
        name = None if call is None else self.call(call)
        self.last = Batch(self.tag, self.sequence, (Charge(self.accounts[account], name, amount, 0),))
        self.ledger.charge(self.last, self.now)
        self.model.spent[account] += amount
        hold = self.model.holds.get((call or "", *account[:2]))
        if hold is not None and hold[0] > 0 and amount > 0:
            hold[0] = max(hold[0] - amount, 0)
            hold[1] = max(hold[1], account.start)

    @precondition(lambda self: self.last is not None)
    @rule()
    def sends_the_last_batch_again(self) -> None:
        assert self.last is not None
        self.ledger.charge(self.last, self.now)

    @rule(
        accounts=st.lists(st.sampled_from(ACCOUNTS[:2]), min_size=1, unique=True),
        call=st.sampled_from((None, *CALLS)),
        amount=AMOUNTS.filter(bool),
    )
    def reserves(self, accounts: list[Account], call: str | None, amount: int) -> None:
        if call is None:
            self.names += 1
        name = call or f"statement-{self.names}"
        claims = [Claim(self.accounts[account], LIMIT, LIMIT * 9 // 10) for account in accounts]
        expires = self.now + 100 * SECOND
        answer = self.ledger.reserve(self.call(name), amount, claims, expires, self.now)
        used = [self.model.spent[one] + self.model.reserved(one, self.now, but=name) for one in accounts]
        fits = all(each + amount <= LIMIT and each < LIMIT * 9 // 10 for each in used)
        assert (answer.refused_by is None) == fits
        assert [one.spent + one.reserved for one in answer.balances] == used
        if fits:
            for one in accounts:
                self.model.holds[(name, *one[:2])] = [amount, one.start, expires]
            if call is None:
                self.open.append(name)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), actual=AMOUNTS)
    def settles(self, data: st.DataObject, actual: int) -> None:
        name = data.draw(st.sampled_from(self.open))
        accounts = [one for one in ACCOUNTS[:2] if (name, *one[:2]) in self.model.holds]
        self.ledger.settle(self.call(name), [self.accounts[one] for one in accounts], actual, self.now)
        if name not in self.model.settled:
            self.model.settled.add(name)
            for one in accounts:
                self.model.holds[(name, *one[:2])][0] = 0
                self.model.spent[one] += actual
                self.model.stated[one] += actual

    @rule(call=st.sampled_from(CALLS), seconds=st.integers(0, 50))
    def lapses(self, call: str, seconds: int) -> None:
        accounts = [one for one in ACCOUNTS[:2] if (call, *one[:2]) in self.model.holds]
        at = self.now + seconds * SECOND
        if accounts:
            self.ledger.lapse(self.call(call), [self.accounts[one] for one in accounts], at)
        for one in accounts:
            hold = self.model.holds[(call, *one[:2])]
            hold[2] = min(hold[2], at)

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @invariant()
    def the_balances_are_those_of_the_model(self) -> None:
        found = self.ledger.read([self.accounts[one] for one in ACCOUNTS], self.now)
        for one, balance in zip(ACCOUNTS, found, strict=True):
            expected = (self.model.spent[one], self.model.reserved(one, self.now), self.model.stated[one])
            assert balance[:3] == expected


_machines = iter(range(10**9))


@pytest.mark.parametrize(
    ("kind", "examples"),
    [("memory", 60), ("sqlite", 15), ("redis", 15), ("postgres", 4)],
    ids=("memory", "sqlite", "redis", "postgres"),
)
def test_any_order_of_events_leaves_what_a_simple_model_says(kind: str, examples: int, tmp_path: Path) -> None:
    with ledger_of(kind, tmp_path) as made:

        class Machine(LedgerMachine):
            ledger = made

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"])
def test_a_server_that_does_not_answer_is_told_as_such(url: str) -> None:
    from reamon.budgets.ledger import LedgerUnreachableError
    from reamon.budgets.ledgers.redis import RedisLedger

    with pytest.raises(LedgerUnreachableError, match="cannot be reached") as caught:
        RedisLedger(url, timeout=0.5).read([TODAY], NOW)
    assert isinstance(caught.value, ReamonError)
