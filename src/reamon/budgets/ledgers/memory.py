"""The ledger in memory: for one process, and for tests."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from reamon.budgets.ledger import Account
from reamon.budgets.ledgers.books import BookLedger, Books, Hold, Page


class MemoryLedger(BookLedger):
    """Keeps accounts in this process. They end with it, and a forked child goes on with a copy of its own.

    Example:
        >>> from reamon.budgets.ledger import Batch, Charge
        >>> ledger, today = MemoryLedger(), Account("day", "", 0)
        >>> ledger.charge(Batch("me", 1, (Charge(today, None, 5, 0),)), now=0)
        >>> ledger.charge(Batch("me", 1, (Charge(today, None, 5, 0),)), now=0)
        >>> ledger.read([today], now=0)[0].spent
        5
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._books = _Dictionaries()

    def close(self) -> None:
        """Nothing is held; what was kept stays readable."""

    def after_fork(self) -> None:
        """The lock may have been held by a thread of the parent."""
        self._lock = threading.Lock()

    @contextmanager
    def _writing(self) -> Iterator[Books]:
        with self._lock:
            yield self._books

    _reading = _writing


class _Dictionaries(Books):
    """Books in dictionaries. Nothing in them fails half way, so nothing has to be undone."""

    def __init__(self) -> None:
        self._pages: dict[Account, Page] = {}
        self._touched: dict[Account, int] = {}
        self._holds: dict[tuple[str, str], dict[str, Hold]] = {}
        self._sequences: dict[str, tuple[int, int]] = {}

    def open(self, accounts: Sequence[Account], now: int) -> dict[Account, Page]:
        return {account: self._pages.get(account) or Page() for account in accounts}

    def look(self, accounts: Sequence[Account]) -> dict[Account, Page]:
        return {account: self._pages[account] for account in accounts if account in self._pages}

    def write(self, account: Account, page: Page, now: int) -> None:
        self._pages[account] = page
        self._touched[account] = now

    def held(self, account: Account, now: int, but: str | None) -> int:
        return sum(
            hold.amount
            for reservation_id, hold in self._holds.get(account[:2], {}).items()
            if hold.start == account.start and hold.expires_at > now and reservation_id != but
        )

    def hold(self, reservation_id: str, account: Account) -> Hold | None:
        return self._holds.get(account[:2], {}).get(reservation_id)

    def write_hold(self, reservation_id: str, account: Account, amount: int, expires_at: int) -> None:
        if account not in self._pages:
            self.write(account, Page(), expires_at)
        self._holds.setdefault(account[:2], {})[reservation_id] = Hold(amount, account.start, expires_at)

    def sequence(self, writer: str) -> int:
        return self._sequences.get(writer, (0, 0))[0]

    def write_sequence(self, writer: str, sequence: int, now: int) -> None:
        self._sequences[writer] = (sequence, now)

    def earlier(self, account: Account, count: int) -> list[int]:
        found = [
            (other.start, page.spent)
            for other, page in self._pages.items()
            if other[:2] == account[:2] and other.start < account.start and page.spent > 0
        ]
        return [spent for _, spent in sorted(found, reverse=True)[:count]]

    def forget(self, budget: str, before: int) -> int:
        old = [account for account, touched in self._touched.items() if account.budget == budget and touched < before]
        for account in old:
            del self._pages[account], self._touched[account]
        gone = frozenset(old)
        for place in {account[:2] for account in old}:
            self._keep_holds(place, lambda account, _: account not in gone)
        return len(old)

    def forget_holds(self, budget: str, expired: int, settled: int) -> None:
        for place in [place for place in self._holds if place[0] == budget]:
            self._keep_holds(place, lambda _, hold: hold.expires_at >= (expired if hold.amount else settled))

    def _keep_holds(self, place: tuple[str, str], is_kept: Callable[[Account, Hold], bool]) -> None:
        holds = self._holds.pop(place, {})
        kept = {name: hold for name, hold in holds.items() if is_kept(Account(*place, hold.start), hold)}
        if kept:
            self._holds[place] = kept

    def forget_writers(self, before: int) -> None:
        self._sequences = {name: note for name, note in self._sequences.items() if note[1] >= before}
