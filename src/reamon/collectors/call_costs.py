"""Call costs: what each call has cost so far, in memory that is bounded."""

import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from reamon.collectors.recent import Recent
from reamon.model.cost import EXACT, summed

_ZERO: Final = Decimal(0)
_LEFT_KEPT: Final = 20_000


class CallCosts(msgspec.Struct):
    """What one call has cost.

    Attributes:
        by_category: USD by what it was paid for.
        touched: When something was added last, in seconds of the ledger's clock.
        is_final: Whether the call is over.
    """

    by_category: dict[str, Decimal]
    touched: float
    is_final: bool = False

    @property
    def total(self) -> Decimal:
        """USD in all."""
        return summed(self.by_category.values())


class Totals(msgspec.Struct, frozen=True):
    """What calls have cost together.

    Attributes:
        active: How many calls go on.
        active_cost: What they have cost so far, in USD.
        final: How many are over, those no longer remembered included.
        final_cost: What they cost, in USD.
    """

    active: int
    active_cost: Decimal
    final: int
    final_cost: Decimal


class Ledger:
    """The costs of calls, used by any thread.

    Calls leave when something was last added too long ago, and when there are too many: finished ones first, then
    those of which nothing was heard for longest; these then count as over. Their costs stay in the totals.

    Args:
        categories: What calls pay for.
        max_calls: How many calls are remembered.
        max_age: Seconds after which a call of which nothing is heard leaves.
        now: The clock, in seconds.
    """

    def __init__(
        self,
        categories: tuple[str, ...],
        *,
        max_calls: int,
        max_age: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._categories = categories
        self._max_calls = max_calls
        self._max_age = max_age
        self._now = now
        self._calls: OrderedDict[str, CallCosts] = OrderedDict()
        self._final: OrderedDict[str, CallCosts] = OrderedDict()
        self._finished = 0
        self._finished_cost = _ZERO
        self._left = Recent(_LEFT_KEPT)
        self._lock = threading.Lock()
        begin_anew = weakref.WeakMethod(self._begin_anew)
        os.register_at_fork(after_in_child=lambda: (method := begin_anew()) and method())

    def open(self, call_id: str) -> bool:
        """Begin a call. Returns whether it is new; one that has left is not."""
        with self._lock:
            if self._found(call_id) is not None:
                return False
            now = self._now()
            self._make_room(now)
            self._calls[call_id] = CallCosts(dict.fromkeys(self._categories, _ZERO), now)
            if call_id not in self._left:
                return True
            self._finished -= 1  # it goes on, and is counted when it is over once more
            return False

    def add(self, call_id: str, category: str, amount: Decimal) -> None:
        """Add to a call that was opened; one that is over takes late costs as well."""
        with self._lock:
            call = self._found(call_id)
            if call is None:  # it left a moment ago, because there are too many
                self._finished_cost = EXACT.add(self._finished_cost, amount)
                return
            call.by_category[category] = EXACT.add(call.by_category[category], amount)
            call.touched = self._now()
            if call.is_final:
                self._finished_cost = EXACT.add(self._finished_cost, amount)
            else:
                self._calls.move_to_end(call_id)

    def of(self, call_id: str) -> dict[str, Decimal] | None:
        """USD by category, and "total"; None for a call that nobody knows (any more)."""
        with self._lock:
            call = self._found(call_id)
            return None if call is None else {**call.by_category, "total": call.total}

    def finish(self, call_id: str) -> None:
        """A call is over."""
        with self._lock:
            call = self._calls.pop(call_id, None)
            if call is not None:
                self._final[call_id] = call
                self._count_as_over(call)

    def forget(self, older_than: float) -> int:
        """Let finished calls go that nothing was added to for so many seconds. Returns how many."""
        with self._lock:
            before = self._now() - older_than
            old = [call_id for call_id, call in self._final.items() if call.touched < before]
            for call_id in old:
                del self._final[call_id]
                self._left.add(call_id)
            return len(old)

    def totals(self) -> Totals:
        """What all calls have cost."""
        with self._lock:
            active = summed(call.total for call in self._calls.values())
            return Totals(len(self._calls), active, self._finished, self._finished_cost)

    def __len__(self) -> int:
        return len(self._calls) + len(self._final)

    def _found(self, call_id: str) -> CallCosts | None:
        return self._calls.get(call_id) or self._final.get(call_id)

    def _make_room(self, now: float) -> None:
        for calls in (self._final, self._calls):
            while calls and now - next(iter(calls.values())).touched > self._max_age:
                self._let_go(calls)
        while len(self) >= self._max_calls:
            self._let_go(self._final or self._calls)

    def _let_go(self, calls: OrderedDict[str, CallCosts]) -> None:
        call_id, call = calls.popitem(last=False)
        self._left.add(call_id)
        if not call.is_final:
            self._count_as_over(call)

    def _count_as_over(self, call: CallCosts) -> None:
        call.is_final = True
        self._finished += 1
        self._finished_cost = EXACT.add(self._finished_cost, call.total)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
