"""Budgets as an application meets them: asked before money is spent, and told what was."""

import asyncio
import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reamon.guard
from reamon.budgets import Action, Budget, BudgetEvent, Budgets, LedgerUnreachableError, current
from reamon.budgets.ledger import Account, Answer, Balance, Batch, Claim
from reamon.budgets.ledgers.memory import MemoryLedger
from reamon.budgets.money import trillionths, usd
from reamon.errors import ConfigurationError

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
NOON = 1_767_268_800 * SECOND
"""2026-01-01T12:00:00Z."""

CAMPAIGN = (
    Budget("day", 50, warn_at="0.7", degrade_at="0.85", stop_at="0.95"),
    Budget("call", "0.10", "call", warn_at="0.7", degrade_at="0.85", stop_at="0.95"),
)


class Wall:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


class Away(MemoryLedger):
    """A ledger that can be taken away, as a server that is restarted is."""

    is_away = False
    generations = 0

    def _see(self) -> None:
        if self.is_away:
            raise LedgerUnreachableError("the budgets in nowhere cannot be reached: connection refused")

    def read(self, accounts: Sequence[Account], now: int) -> list[Balance]:
        self._see()
        return super().read(accounts, now)

    def charge(self, batch: Batch, now: int) -> None:
        self._see()
        super().charge(batch, now)

    def reserve(self, reservation_id: str, amount: int, claims: Sequence[Claim], expires_at: int, now: int) -> Answer:
        self._see()
        return super().reserve(reservation_id, amount, claims, expires_at, now)

    def settle(self, reservation_id: str, accounts: Sequence[Account], actual: int, now: int) -> None:
        self._see()
        super().settle(reservation_id, accounts, actual, now)

    def lapse(self, reservation_id: str, accounts: Sequence[Account], at: int) -> None:
        self._see()
        super().lapse(reservation_id, accounts, at)

    def forget(self, before: Any, now: int) -> int:
        self._see()
        return super().forget(before, now)

    def generation(self) -> str:
        return str(self.generations)

    def lose_all(self) -> None:
        self.generations += 1
        super().__init__()


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def ledger() -> Away:
    return Away()


@pytest.fixture
def budgets(wall: Wall, ledger: Away) -> Iterator[Budgets]:
    made = Budgets(CAMPAIGN, ledger, wall_ns=wall)
    yield made
    ledger.is_away = False
    made.close()


def spend(budgets: Budgets, amount: str, call_id: str | None = "call-1", **about: Any) -> None:
    budgets.spend(trillionths(amount), about.get("unknown", 0), call_id, about.get("project"), about.get("at", NOON))


def told(budgets: Budgets) -> list[BudgetEvent]:
    events: list[BudgetEvent] = []
    budgets.on_crossing(events.append)
    return events


# -- asking -----------------------------------------------------------------------------------------------------------


def test_with_nothing_spent_a_call_may_begin(budgets: Budgets) -> None:
    decision = budgets.check(call_id="call-1", estimate="0.08")
    assert (decision.action, decision.allowed, decision.is_local) == ("ok", True, False)


def test_what_is_not_written_yet_counts_at_once(budgets: Budgets) -> None:
    spend(budgets, "48")
    decision = budgets.check(estimate="0.01")
    assert (decision.action, decision.budget, decision.spent) == ("stop", "day", 48)
    assert decision.remaining == 2


@pytest.mark.parametrize(
    ("spent", "action"),
    [("0.069", "ok"), ("0.07", "warn"), ("0.0849", "warn"), ("0.085", "degrade"), ("0.095", "stop"), ("0.2", "stop")],
)
def test_the_middle_of_a_call_knows_what_to_do(budgets: Budgets, spent: str, action: str) -> None:
    spend(budgets, spent)
    assert budgets.action("call-1") == action
    assert budgets.action("call-2") == "ok"


def test_an_estimate_that_does_not_fit_is_stopped(budgets: Budgets) -> None:
    spend(budgets, "0.05")
    decision = budgets.check(call_id="call-1", estimate="0.06")
    assert decision.action == "stop"
    assert decision.reason == "budget 'call' of 'call-1': 0.05 spent of 0.10 USD, 0.06 more do not fit"
    assert budgets.check(call_id="call-1", estimate="0.05").allowed


def test_a_call_that_has_no_id_yet_is_measured_by_its_estimate(budgets: Budgets) -> None:
    assert budgets.check(estimate="0.11").budget == "call"
    assert budgets.check(estimate="0.09").allowed


def test_what_is_reserved_without_a_call_is_no_calls(budgets: Budgets) -> None:
    with budgets.reserve(5) as number:
        assert number.allowed
    assert budgets.check(estimate="0.09").allowed


def test_budgets_that_only_warn_or_degrade_refuse_nothing(wall: Wall) -> None:
    limits = [Budget("day", 1, on_exceeded="degrade"), Budget("week", 1, "week", on_exceeded="warn")]
    with Budgets(limits, wall_ns=wall) as lenient, lenient.reserve(5, call_id="call-1") as call:
        assert (call.allowed, call.decision.action) == (True, "degrade")


def test_projects_are_limited_apart(wall: Wall) -> None:
    limits = [
        Budget("sales", 1, project="sales"),
        Budget("each", 2, project="*"),
        Budget("all", 10),
    ]
    with Budgets(limits, project="sales", wall_ns=wall) as several:
        spend(several, "1.5", project="sales")
        spend(several, "0.5", project="support")
        assert [several.check(project=one).budget for one in ("sales", "support")] == ["sales", "each"]
        assert several.check().budget == "sales"
        found = several.check(project="support")
        assert (found.scope, found.spent, found.action) == ("support", Decimal("0.5"), "ok")
        assert several.check(project="other").budget == "all"
        assert standing(several) == {"sales": 0, "each": 0, "all": 0}  # nothing of it is written yet
        assert several.flush()
        assert standing(several) == {"sales": Decimal("1.5"), "each": Decimal("1.5"), "all": 2}


def test_processes_with_other_limits_share_what_was_spent(ledger: Away, wall: Wall) -> None:
    ten, twenty = ([Budget("day", limit)] for limit in (10, 20))
    with Budgets(ten, ledger, wall_ns=wall) as one, Budgets(twenty, ledger, project="other", wall_ns=wall) as other:
        spend(one, "12")
        assert one.flush()
        assert (one.check().action, other.check().action) == ("stop", "ok")
        assert (other.check().spent, other.check().remaining) == (12, 8)


def test_in_another_time_zone_the_period_is_another_one(ledger: Away, wall: Wall) -> None:
    with Budgets([Budget("day", 10)], ledger, wall_ns=wall) as here:
        spend(here, "12")
    with Budgets([Budget("day", 10, timezone="America/New_York")], ledger, wall_ns=wall) as there:
        assert there.check().spent == 0


def standing(budgets: Budgets) -> dict[str, Decimal]:
    return {budget.name: decision.spent for budget, decision in budgets.standing().items()}


def test_what_is_no_amount_is_contained(budgets: Budgets) -> None:
    with reamon.guard.guard.relaxed():
        assert budgets.check(call_id="call-1", estimate="a lot").action == "ok"
        assert budgets.check(call_id="call-1", estimate=-1).action == "ok"
        assert budgets.reserve("a lot", call_id="call-1").allowed
    assert reamon.guard.guard.errors == 3


@pytest.mark.parametrize("call_id", [7, uuid.UUID(int=1)])
def test_a_call_is_known_by_whatever_stands_for_it(budgets: Budgets, call_id: Any) -> None:
    budgets.spend(trillionths("0.09"), 0, str(call_id), None, NOON)
    assert budgets.check(call_id=call_id, estimate="0.02").action == "stop"
    assert budgets.action(call_id) == "degrade"


def test_an_amount_beyond_all_measure_does_not_fit(budgets: Budgets) -> None:
    assert budgets.check(call_id="call-1", estimate="1e400").action == "stop"
    assert not budgets.reserve(10**40, call_id="call-1").allowed


def test_a_cost_beyond_all_measure_is_unknown(budgets: Budgets) -> None:
    with reamon.guard.guard.relaxed():
        spend(budgets, "1e20")
    found = budgets.check()
    assert (found.spent, found.unknown) == (0, 1)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -5, "soon", 10**12])
def test_a_reservation_that_lasts_no_time_lasts_as_long_as_any(budgets: Budgets, wall: Wall, seconds: Any) -> None:
    with reamon.guard.guard.relaxed():
        assert budgets.reserve("0.08", call_id="call-1", expires_in=seconds).allowed
    wall.now += 899 * SECOND
    assert budgets.check().reserved == Decimal("0.08")
    wall.now += SECOND
    assert budgets.check().reserved == 0


@pytest.mark.parametrize("argument", ["timeout", "interval", "refresh", "reservation_ttl", "settle_grace"])
@pytest.mark.parametrize("seconds", [-1, float("nan"), "soon", True])
def test_seconds_that_are_none_are_refused_by_name(argument: str, seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"Budgets\({argument}={seconds!r}\): it is a number of seconds"):
        Budgets([Budget("day", 1)], **{argument: seconds})


async def test_coroutines_ask_without_blocking_their_loop(budgets: Budgets) -> None:
    decisions = await asyncio.gather(*(budgets.acheck(call_id=f"c{n}", estimate="0.01") for n in range(20)))
    assert {decision.action for decision in decisions} == {Action.OK}
    async with await budgets.areserve("0.08", call_id="call-1") as call:
        assert call.allowed
        assert budgets.check().reserved == Decimal("0.08")


def test_without_any_budgets_nothing_is_limited() -> None:
    assert current().check(call_id="call-1", estimate=10**9).reason == "no budget applies"


def test_two_budgets_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two of them are called 'day'"):
        Budgets([Budget("day", 1), Budget("day", 2)])


@pytest.mark.parametrize("state", ["mysql://x", 7])
def test_a_state_that_there_is_not_is_refused(state: Any) -> None:
    with pytest.raises(ConfigurationError, match="redis"):
        Budgets([Budget("day", 1)], "mysql://x")


# -- reserving --------------------------------------------------------------------------------------------------------


def test_reserved_money_is_not_there_for_others(budgets: Budgets) -> None:
    held = [budgets.reserve("0.09", call_id=f"call-{number}") for number in range(600)]
    granted = [one for one in held if one.allowed]
    assert len(granted) == 528  # the 528th begins below 95 % of 50 USD, the next one would not
    assert held[-1].decision.budget == "day"
    granted[0].release()
    assert budgets.reserve("0.09", call_id="another").allowed


def test_a_calls_spending_comes_out_of_its_reservation(budgets: Budgets, wall: Wall) -> None:
    with budgets.reserve("0.08", call_id="call-1"):
        spend(budgets, "0.05")
        budgets.flush()
        day = budgets.check()
        assert (day.spent, day.reserved) == (Decimal("0.05"), Decimal("0.03"))
    wall.now += 9 * SECOND
    spend(budgets, "0.01")  # a late span, after the end of the call
    budgets.flush()
    day = budgets.check()
    assert (day.spent, day.reserved) == (Decimal("0.06"), Decimal("0.02"))
    wall.now += SECOND
    day = budgets.check()
    assert (day.spent, day.reserved) == (Decimal("0.06"), 0)


def test_a_statement_counts_what_it_says_and_once(budgets: Budgets) -> None:
    reservation = budgets.reserve("0.08")
    reservation.settle("0.03")
    reservation.settle("0.07")
    reservation.release()
    day = budgets.check()
    assert (day.spent, day.reserved) == (Decimal("0.03"), 0)


@pytest.mark.parametrize("actual", ["-1", "NaN", float("nan"), "much", object()])
def test_a_statement_that_is_no_amount_counts_as_all_that_was_reserved(budgets: Budgets, actual: Any) -> None:
    with reamon.guard.guard.relaxed():
        budgets.reserve("0.08").settle(actual)
    assert budgets.check().spent == Decimal("0.08")


def test_a_statement_may_come_late_and_say_more_than_was_reserved(budgets: Budgets, wall: Wall) -> None:
    reservation = budgets.reserve("0.08", expires_in=60)
    wall.now += HOUR
    reservation.settle("0.30")
    day = budgets.check()
    assert (day.spent, day.reserved) == (Decimal("0.30"), 0)


def test_what_a_statement_says_counts_on_the_day_of_its_reservation(budgets: Budgets, wall: Wall) -> None:
    reservation = budgets.reserve("0.08")
    wall.now += 24 * HOUR
    reservation.settle("0.05")
    assert budgets.check().spent == 0


def test_what_comes_late_for_a_call_that_is_over_counts_on_its_own_day(budgets: Budgets, wall: Wall) -> None:
    budgets.reserve("0.08", call_id="call-1").settle()
    wall.now += 24 * HOUR
    spend(budgets, "0.09", at=NOON)
    assert budgets.flush()
    assert budgets.check().spent == 0
    assert budgets.check(call_id="call-1", estimate="0.02").action == "stop"


def test_where_nothing_is_recorded_budgets_answer_all_the_same(budgets: Budgets) -> None:
    with reamon.suppress():
        spend(budgets, "0.09")
        assert budgets.check(call_id="call-1", estimate="0.02").action == "stop"
        assert budgets.action("call-1") == "degrade"
        assert not budgets.reserve("0.20", call_id="call-2").allowed


def test_one_that_ends_without_a_word_counts_in_full(budgets: Budgets) -> None:
    with budgets.reserve("0.08"):
        pass
    assert budgets.check().spent == Decimal("0.08")


def test_one_of_a_process_that_died_counts_until_it_expires(budgets: Budgets, wall: Wall) -> None:
    budgets.reserve("0.08", call_id="call-1", expires_in=60)
    wall.now += 59 * SECOND
    assert budgets.check().reserved == Decimal("0.08")
    wall.now += SECOND
    assert budgets.check().reserved == 0


@given(
    calls=st.lists(
        st.tuples(
            st.integers(1, 10**13),
            st.lists(st.integers(0, 10**13), max_size=4),
            st.sampled_from(["settle", "release", "leave"]),
            st.booleans(),
        ),
        max_size=6,
    ),
    statements=st.lists(st.tuples(st.integers(1, 10**13), st.integers(0, 10**13)), max_size=4),
)
def test_money_never_counts_twice(
    calls: list[tuple[int, list[int], str, bool]], statements: list[tuple[int, int]]
) -> None:
    with Budgets([Budget("day", 10**6), Budget("call", 10**6, "call")], wall_ns=Wall()) as budgets:
        for number, (amount, spans, end, is_flushed) in enumerate(calls):
            reservation = budgets.reserve(usd(amount), call_id=f"call-{number}")
            for cost in spans[:2]:
                budgets.spend(cost, 0, f"call-{number}", None, NOON)
            if is_flushed:
                budgets.flush()
            if end != "leave":
                reservation.settle() if end == "settle" else reservation.release()
            for cost in spans[2:]:
                budgets.spend(cost, 0, f"call-{number}", None, NOON)
        for reserved, actual in statements:
            budgets.reserve(usd(reserved)).settle(usd(actual))
        assert budgets.flush()
        expected = sum(sum(spans) for _, spans, _, _ in calls) + sum(actual for _, actual in statements)
        assert budgets.check().spent == usd(expected)
        for number, (_, spans, _, _) in enumerate(calls):
            assert budgets.action(f"call-{number}") == "ok"
            assert budgets._knowledge.spent(Account("call", f"call-{number}", 0)) == sum(spans)


# -- being told -------------------------------------------------------------------------------------------------------


def test_each_mark_is_told_once_a_period(budgets: Budgets, wall: Wall) -> None:
    events = told(budgets)
    for amount in ("34", "2", "1", "10", "5"):
        spend(budgets, amount, call_id=None)
        budgets.flush()
    assert [(event.budget, str(event.threshold), event.action) for event in events] == [
        ("day", "0.7", "warn"),
        ("day", "0.85", "degrade"),
        ("day", "0.95", "stop"),
        ("day", "1", "stop"),
    ]
    assert events[0].message == "budget 'day' is past 70 %: 36.00 of 50.00 USD"
    assert events[0].period_start is not None
    assert (events[0].kind, events[0].per, f"{events[0].period_start:%Y-%m-%d %H:%M}") == (
        "crossed",
        "day",
        "2026-01-01 00:00",
    )
    wall.now += 24 * HOUR
    spend(budgets, "36", call_id=None, at=wall.now)
    budgets.flush()
    assert [str(event.threshold) for event in events[4:]] == ["0.7"]


def test_of_two_processes_one_tells(ledger: Away, wall: Wall) -> None:
    with Budgets(CAMPAIGN, ledger, wall_ns=wall) as one, Budgets(CAMPAIGN, ledger, wall_ns=wall) as other:
        events = told(one), told(other)
        spend(one, "20", call_id=None)
        spend(other, "20", call_id=None)
        for each in (one, other, one):
            each.flush()
        assert len(events[0]) + len(events[1]) == 1
        assert one.action() == other.action() == "warn"


def test_unknown_costs_are_counted_and_said(budgets: Budgets) -> None:
    events = told(budgets)
    spend(budgets, "36", call_id=None, unknown=3)
    budgets.flush()
    assert (events[0].unknown, events[0].message.endswith("3 costs are unknown")) == (3, True)
    decision = budgets.check()
    assert (decision.unknown, decision.reason.endswith("3 costs are unknown")) == (3, True)


def test_a_spike_is_a_multiple_of_the_usual(wall: Wall, ledger: Away) -> None:
    with Budgets([Budget("day", None, spike=2, spike_least=3)], ledger, wall_ns=wall) as budgets:
        events = told(budgets)
        for amount in ("10", "30", "20"):
            spend(budgets, amount, at=wall.now)
            budgets.flush()
            wall.now += 24 * HOUR
        wall.now += 48 * HOUR  # a weekend, on which nothing is spent, makes no difference
        spend(budgets, "39.99", at=wall.now)
        budgets.flush()
        assert events == []
        spend(budgets, "0.01", at=wall.now)
        spend(budgets, "5", at=wall.now)
        budgets.flush()
        budgets.flush()
        assert [(event.kind, event.usual, event.threshold) for event in events] == [("spike", 20, 2)]
        assert "at least 2 times the usual 20.00" in events[0].message


def test_with_too_little_history_nothing_is_unusual(wall: Wall, ledger: Away) -> None:
    with Budgets([Budget("day", None, spike=2, spike_least=3)], ledger, wall_ns=wall) as budgets:
        events = told(budgets)
        for amount in ("1", "1", "1000"):
            spend(budgets, amount, at=wall.now)
            budgets.flush()
            wall.now += 24 * HOUR
        assert events == []


class Pager:
    name = "pager"

    def __init__(self) -> None:
        self.notices: list[Any] = []

    async def send(self, notice: Any) -> None:
        await asyncio.sleep(0)
        self.notices.append(notice)


class Broken:
    name = "broken"

    def send(self, notice: Any) -> None:
        raise ConnectionError("no line")


def test_channels_get_what_callbacks_get_and_one_that_fails_stops_no_other(
    wall: Wall, caplog: pytest.LogCaptureFixture
) -> None:
    pager = Pager()
    with Budgets(CAMPAIGN, channels=[Broken(), pager], wall_ns=wall) as budgets, reamon.guard.guard.relaxed():
        caplog.set_level(logging.WARNING, "reamon.budgets")
        events = told(budgets)
        stop = budgets.on_crossing(lambda event: 1 / 0)
        spend(budgets, "36", call_id=None)
        assert budgets.flush()
        stop()
    assert pager.notices == events
    assert len(events) == 1
    assert "budget_crossed" in caplog.text


def test_a_callback_may_be_a_coroutine_function(budgets: Budgets) -> None:
    events = []

    async def page(event: BudgetEvent) -> None:
        await asyncio.sleep(0)
        events.append(event.threshold)

    budgets.on_crossing(page)
    spend(budgets, "36", call_id=None)
    assert budgets.flush()
    assert events == [Decimal("0.7")]


def test_a_callback_may_ask_for_the_budgets_itself(budgets: Budgets) -> None:
    answers = []
    budgets.on_crossing(lambda event: answers.append((budgets.check().action, budgets.action())))
    spend(budgets, "36", call_id=None)
    assert budgets.flush()
    assert answers == [("warn", "warn")]


def test_what_there_is_to_tell_is_told_where_no_thread_can_be_started(
    budgets: Budgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = told(budgets)
    spend(budgets, "1", call_id=None)
    assert budgets.flush()
    start = threading.Thread.start

    def starts(thread: threading.Thread) -> None:
        if thread.name == "reamon-budget-notices":
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starts)
    spend(budgets, "36", call_id=None)
    assert budgets.flush()
    assert [event.threshold for event in events] == [Decimal("0.7")]


def test_a_callback_that_hangs_holds_up_nothing(budgets: Budgets) -> None:
    release = threading.Event()
    budgets.on_crossing(lambda event: release.wait(30))
    spend(budgets, "36", call_id=None)
    assert not budgets.flush(timeout=0.2)
    spend(budgets, "1", call_id=None)
    assert budgets.check().spent == 37
    release.set()
    assert budgets.flush()


# -- when the state is away -------------------------------------------------------------------------------------------


def test_while_the_state_is_away_it_goes_by_what_it_knows(budgets: Budgets, ledger: Away) -> None:
    events = told(budgets)
    spend(budgets, "40", call_id=None)
    budgets.flush()
    ledger.is_away = True
    decision = budgets.check()
    assert (decision.action, decision.spent, decision.is_local) == ("warn", 40, True)
    spend(budgets, "8", call_id=None)
    assert budgets.check().action == "stop"
    assert budgets.action() == "stop"
    assert not budgets.flush(timeout=0.1)
    assert [event.kind for event in events[1:]] == ["unreachable"]
    assert "connection refused; this process goes by what it knows itself" in events[1].message
    ledger.is_away = False
    assert budgets.flush()
    assert usd(ledger.read([Account("day", "", NOON - 12 * HOUR)], NOON)[0].spent) == 48
    assert "reachable" in [event.kind for event in events]


def test_closed_means_that_nothing_begins_without_the_state(ledger: Away, wall: Wall) -> None:
    with Budgets(CAMPAIGN, ledger, on_unreachable="closed", wall_ns=wall) as budgets:
        ledger.is_away = True
        decision = budgets.check(estimate="0.01")
        assert (decision.action, decision.is_local) == ("stop", True)
        assert "on_unreachable is 'closed'" in decision.reason
        assert not budgets.reserve("0.01", call_id="call-1").allowed
        ledger.is_away = False


def test_reservations_of_an_outage_are_told_to_the_state_afterwards(budgets: Budgets, ledger: Away) -> None:
    ledger.is_away = True
    call = budgets.reserve("0.08", call_id="call-1")
    other = budgets.reserve("0.08", call_id="call-2")
    refused = budgets.reserve("0.08", call_id="call-1000", expires_in=60)
    statement = budgets.reserve("0.05")
    assert (call.allowed, other.allowed, refused.allowed) == (True, True, True)
    assert budgets.check().reserved == Decimal("0.29")
    spend(budgets, "0.03", call_id="call-1")
    other.release()
    statement.settle("0.04")
    assert budgets.check().reserved == Decimal("0.13")
    ledger.is_away = False
    assert budgets.flush()
    found = ledger.read([Account("day", "", NOON - 12 * HOUR)], NOON)[0]
    assert (usd(found.spent), usd(found.reserved), usd(found.stated)) == (
        Decimal("0.07"),
        Decimal("0.13"),
        Decimal("0.04"),
    )


def test_a_state_that_was_lost_is_brought_up_to_what_is_known(budgets: Budgets, ledger: Away) -> None:
    spend(budgets, "40", call_id=None)
    budgets.flush()
    ledger.lose_all()
    spend(budgets, "1", call_id=None)
    budgets.flush()
    assert budgets.check().spent == 41


def test_the_end_writes_what_there_is(ledger: Away, wall: Wall) -> None:
    budgets = Budgets(CAMPAIGN, ledger, interval=60, wall_ns=wall)
    spend(budgets, "40", call_id=None)
    assert budgets.close()
    assert usd(ledger.read([Account("day", "", NOON - 12 * HOUR)], NOON)[0].spent) == 40


def test_the_end_is_bounded(ledger: Away, wall: Wall) -> None:
    budgets = Budgets(CAMPAIGN, ledger, wall_ns=wall)
    ledger.is_away = True
    spend(budgets, "40", call_id=None)
    assert not budgets.close(timeout=0.2)


def test_what_others_have_spent_is_known_in_the_middle_of_a_call(ledger: Away, wall: Wall) -> None:
    limits = [Budget("total", 100, "total")]
    with Budgets(limits, ledger, wall_ns=wall) as one, Budgets(limits, ledger, wall_ns=wall) as other:
        assert one.check().action == "ok"
        spend(other, "100")
        other.flush()
        one.flush()
        assert one.action("call-1") == "stop"


def test_a_process_that_only_asks_in_the_middle_of_calls_knows_what_others_have_spent(ledger: Away, wall: Wall) -> None:
    with Budgets(CAMPAIGN, ledger, wall_ns=wall) as one, Budgets(CAMPAIGN, ledger, wall_ns=wall) as other:
        spend(other, "0.09")
        assert other.flush()
        assert one.action("call-1") == "ok"  # it has never heard of this call
        assert one.flush()
        assert one.action("call-1") == "degrade"
        spend(other, "48", call_id=None)
        assert other.flush()
        assert one.flush()
        assert one.action() == "stop"


# -- time -------------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_does_not_open_yesterday_again(budgets: Budgets, wall: Wall) -> None:
    wall.now = NOON + 12 * HOUR + 60 * SECOND
    spend(budgets, "48", call_id=None, at=wall.now)
    assert budgets.check().action == "stop"
    wall.now -= 2 * 60 * SECOND
    assert budgets.check().action == "stop"
    spend(budgets, "1", call_id=None, at=wall.now)
    assert budgets.check().spent == 49


def test_a_new_day_begins_at_the_business_midnight(wall: Wall) -> None:
    with Budgets([Budget("day", 50, timezone="America/New_York")], wall_ns=wall) as budgets:
        spend(budgets, "49", at=NOON)
        wall.now = NOON + 17 * HOUR - SECOND  # 23:59:59 in New York
        assert budgets.check(estimate=5).action == "stop"
        wall.now += SECOND
        assert budgets.check(estimate=5).action == "ok"
