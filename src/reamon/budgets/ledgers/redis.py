"""The ledger in Redis: for all processes of all machines."""

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reamon import processes
from reamon.budgets.ledger import Account, Answer, Balance, Batch, Claim, LedgerUnreachableError
from reamon.errors import ConfigurationError, MissingExtraError
from reamon.guard import log

_SCRIPT: Final = Path(__file__).with_name("redis.lua")
_MILLION: Final = 1_000_000
_MILLI: Final = 1_000_000  # nanoseconds
_KEEP: Final = 2 * 86_400_000  # milliseconds for which a batch or a settled reservation is remembered
_PREFIX: Final = "{reamon}:budgets:"
"""In braces is what a Redis cluster chooses the node by: all budgets are on one, since they change together."""


class RedisLedger:
    """Keeps accounts in Redis, by a script that Redis runs without interruption.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as redis-py takes it.
        timeout: Seconds to wait for a connection, and for an answer; then it is unreachable.
        prefix: What the keys begin with.

    Raises:
        MissingExtraError: redis-py is not installed.
        ConfigurationError: The address cannot be used.
    """

    def __init__(self, url: str, *, timeout: float = 2.0, prefix: str = _PREFIX) -> None:
        self._url = url
        self._timeout = timeout
        self._prefix = prefix
        self._generation = ""
        self._has_looked = False
        self._connect()

    def read(self, accounts: Sequence[Account], now: int) -> list[Balance]:
        """See `BudgetLedger.read`."""
        return _balances(self._run("read", "", accounts, now))

    def charge(self, batch: Batch, now: int) -> None:
        """See `BudgetLedger.charge`."""
        accounts = sorted({charge.account for charge in batch.charges})
        places = {account: place for place, account in enumerate(accounts, 1)}
        charges = [
            {
                "account": places[charge.account],
                "call": charge.call_id or False,
                "amount": _pair(charge.amount),
                "unknown": charge.unknown,
            }
            for charge in batch.charges
        ]
        self._run("charge", f"w:{batch.writer}", accounts, now, sequence=batch.sequence, charges=charges, keep=_KEEP)

    def reserve(self, reservation_id: str, amount: int, claims: Sequence[Claim], expires_at: int, now: int) -> Answer:
        """See `BudgetLedger.reserve`."""
        accounts = [claim.account for claim in claims]
        bounds = [{"limit": _pair_or_no(claim.limit), "stop": _pair_or_no(claim.stop)} for claim in claims]
        refused, balances = self._run(
            "reserve",
            f"d:{reservation_id}",
            accounts,
            now,
            bounds,
            id=reservation_id,
            amount=_pair(amount),
            expires=expires_at // _MILLI,
        )
        return Answer(accounts[refused - 1] if refused else None, tuple(_balances(balances)))

    def settle(self, reservation_id: str, accounts: Sequence[Account], actual: int, now: int) -> None:
        """See `BudgetLedger.settle`."""
        note = f"d:{reservation_id}"
        self._run("settle", note, accounts, now, id=reservation_id, actual=_pair(actual), keep=_KEEP)

    def lapse(self, reservation_id: str, accounts: Sequence[Account], at: int) -> None:
        """See `BudgetLedger.lapse`."""
        self._run("lapse", "", accounts, at, id=reservation_id, at=at // _MILLI)

    def cross(self, account: Account, mark: str, now: int) -> bool:
        """See `BudgetLedger.cross`."""
        return bool(self._run("cross", "", [account], now, mark=mark))

    def history(self, account: Account, count: int) -> list[int]:
        """See `BudgetLedger.history`."""
        return [_whole(pair) for pair in self._run("history", "", [account], 0, count=count)]

    def restore(self, account: Account, balance: Balance, now: int) -> None:
        """See `BudgetLedger.restore`."""
        known = {"spent": _pair(balance.spent), "stated": _pair(balance.stated), "unknown": balance.unknown}
        self._run("restore", "", [account], now, balance=known)

    def rebuild(self, account: Account, spent: int, unknown: int, now: int) -> None:
        """See `BudgetLedger.rebuild`."""
        self._run("rebuild", "", [account], now, spent=_pair(spent), unknown=unknown)

    def forget(self, before: Mapping[str, int], now: int) -> int:
        """See `BudgetLedger.forget`; reservations that are over go when somebody looks at the account."""
        self._warn_of_risk()
        indexes = [self._key("i", budget) for budget in before]
        moments = [moment // _MILLI for moment in before.values()]
        return int(self._call("forget", "", indexes, {"before": moments}))

    def risk(self) -> str | None:
        """A Redis that is a cache throws away what was spent, and nobody could tell."""
        try:
            memory = self._client.info("memory")
        except self._refused:
            return None  # not every user of a Redis may ask
        except (self._error, OSError) as error:
            raise _unreachable(error) from error
        policy = str(memory.get("maxmemory_policy", ""))
        if not policy.startswith("allkeys") or not memory.get("maxmemory"):
            return None
        return f"its maxmemory-policy {policy} may throw away what was spent: set it to noeviction"

    def generation(self) -> str:
        """See `BudgetLedger.generation`."""
        return self._generation

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def after_fork(self) -> None:
        """Leave the parent's connections alone."""
        processes.abandon(self._client)
        self._connect()

    def _warn_of_risk(self) -> None:
        if self._has_looked:
            return
        try:
            risk = self.risk()
        except LedgerUnreachableError:
            return  # which the next question tells
        self._has_looked = True
        if risk:
            log("reamon.budgets", logging.WARNING, "state_may_be_evicted", risk=risk)

    def _connect(self) -> None:
        try:
            import redis  # noqa: PLC0415 - an extra
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("budgets in Redis", "redis", error.name) from error
        once_more: Any = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))  # type: ignore[no-untyped-call,unused-ignore]
        try:
            self._client: Any = redis.Redis.from_url(
                self._url,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=once_more,
                decode_responses=True,
            )
        except ValueError as error:
            raise ConfigurationError(f"budgets: the address of Redis cannot be used: {error}") from None
        self._error = redis.RedisError
        self._refused = redis.ResponseError
        self._script = self._client.register_script(_SCRIPT.read_text("utf-8"))

    def _run(
        self,
        operation: str,
        note: str,
        accounts: Sequence[Account],
        now: int,
        bounds: Sequence[Mapping[str, Any]] | None = None,
        **request: Any,
    ) -> Any:
        keys = [key for account in accounts for key in self._keys_of(account)]
        described: list[dict[str, Any]] = [{"start": account.start // _MILLI} for account in accounts]
        for one, bound in zip(described, bounds or (), strict=False):
            one.update(bound)
        return self._call(operation, note, keys, {"now": now // _MILLI, "accounts": described, **request})

    def _call(self, operation: str, note: str, keys: Sequence[str], request: dict[str, Any]) -> Any:
        request = {"generation": uuid.uuid4().hex, "accounts": [], "now": 0, **request}
        every_key = [f"{self._prefix}generation", f"{self._prefix}{note}", *keys]
        try:
            answer = self._script(keys=every_key, args=[operation, json.dumps(request)])
        except (self._error, OSError) as error:
            raise _unreachable(error) from error
        self._generation, result = json.loads(answer)
        return result

    def _keys_of(self, account: Account) -> tuple[str, str, str, str]:
        budget, scope, start = account
        return (
            self._key("p", budget, scope, start // _MILLI),
            self._key("r", budget, scope),
            self._key("h", budget, scope),
            self._key("i", budget),
        )

    def _key(self, kind: str, *parts: str | int) -> str:
        return f"{self._prefix}{kind}:{json.dumps(parts)}"


def _unreachable(error: Exception) -> LedgerUnreachableError:
    return LedgerUnreachableError(f"the budgets in Redis cannot be reached: {error}")


def _pair(amount: int) -> tuple[int, int]:
    """An amount as Lua counts it: whole millionths of a dollar, and the rest in trillionths."""
    return divmod(amount, _MILLION)


def _pair_or_no(amount: int | None) -> tuple[int, int] | bool:
    return False if amount is None else _pair(amount)


def _whole(pair: Sequence[str]) -> int:
    return int(pair[0]) * _MILLION + int(pair[1])


def _balances(lists: Sequence[Any]) -> list[Balance]:
    return [
        Balance(_whole(spent), _whole(reserved), _whole(stated), int(unknown))
        for spent, reserved, stated, unknown in lists
    ]
