"""The budget: how much may be spent on what, and what is to happen on the way there."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from reamon.budgets.actions import Action
from reamon.budgets.money import MOST, Amount, trillionths, usd
from reamon.budgets.periods import PERS, Per, zone_of
from reamon.errors import ConfigurationError
from reamon.model.cost import exact

EACH: Final = "*"
"""As a budget's project: every project has a budget of its own."""

_FINAL: Final = ("warn", "degrade", "stop")


class Budget(msgspec.Struct, frozen=True):
    """How much may be spent in a call, an hour, a day, ..., and from which share of it on what is to happen.

    Attributes:
        name: What it is called in decisions, events and the state; unique.
        limit: USD. A float counts digit for digit as it is written. None: nothing is limited, spikes are looked for.
        per: "call", "hour", "day", "week", "month", or "total" for all time.
        project: Only what is spent on this project counts; "*": each project has such a budget of its own; None: all
            that is spent counts.
        timezone: In which days, weeks and months begin: where the business is.
        warn_at: The shares of the limit at which a notice goes out, 0 to 1; one, several or none.
        degrade_at: The share from which on the application should do with something cheaper.
        stop_at: The share from which on nothing new is to begin.
        on_exceeded: What to do once the limit is reached: "warn", "degrade" or "stop". Only a budget that stops refuses
            reservations.
        spike: How many times the usual a period's spending may be before a notice goes out; None: that is not looked
            at. The usual is the median of the last `spike_history` earlier periods in which anything was spent.
        spike_history: How many periods that is.
        spike_least: With fewer earlier periods than this, nothing is usual yet.

    Raises:
        ConfigurationError: A value cannot be used; the message names the budget and the value.

    Example:
        >>> Budget("calls", "0.10", "call", warn_at=("0.7",), degrade_at="0.85", stop_at="0.95").limit
        Decimal('0.10')
        >>> Budget("day", 50, timezone="America/New_York").warn_at
        (Decimal('0.8'),)
    """

    name: str
    limit: Amount | None
    per: Per = "day"
    project: str | None = None
    timezone: str = "UTC"
    warn_at: Amount | tuple[Amount, ...] | None = "0.8"
    degrade_at: Amount | None = None
    stop_at: Amount | None = None
    on_exceeded: str = "stop"
    spike: Amount | None = None
    spike_history: int = 14
    spike_least: int = 5

    def __post_init__(self) -> None:
        self._check_names()
        self._set("limit", self._number("limit", self.limit))
        if self.limit is not None and exact(self.limit) > usd(MOST):
            raise self._wrong("limit", f"it is {usd(MOST):,.0f} USD at most; for no limit, leave the budget out")
        if self.limit is not None and trillionths(self.limit) <= 0:
            raise self._wrong("limit", "it has to be more than 0; to spend nothing, do not call")
        self._check_shares()
        self._check_spike()

    @property
    def marks(self) -> "tuple[Mark, ...]":
        """What happens at which share of the limit, in rising order; nothing without a limit."""
        if self.limit is None:
            return ()
        marks = [Mark(share, Action.WARN) for share in _shares(self.warn_at)]
        if self.degrade_at is not None:
            marks.append(Mark(exact(self.degrade_at), Action.DEGRADE))
        if self.stop_at is not None:
            marks.append(Mark(exact(self.stop_at), Action.STOP))
        marks.append(Mark(Decimal(1), Action(self.on_exceeded)))
        by_share: dict[Decimal, Action] = {}
        for mark in marks:
            by_share[mark.share] = Action.worst(mark.action, by_share.get(mark.share, Action.OK))
        return tuple(Mark(share, by_share[share]) for share in sorted(by_share))

    def _check_names(self) -> None:
        if not _is_name(self.name):
            raise ConfigurationError(f"Budget(name={self.name!r}): a budget has a name, as a non-empty string")
        if self.per not in PERS:
            raise self._wrong("per", f"it is one of {', '.join(PERS)}")
        if self.on_exceeded not in _FINAL:
            raise self._wrong("on_exceeded", f"it is one of {', '.join(_FINAL)}")
        if self.project is not None and not _is_name(self.project):
            raise self._wrong("project", "it is a project's name, '*' for each project its own, or None for all")
        try:
            zone_of(self.timezone)
        except ConfigurationError as error:
            raise self._wrong("timezone", str(error)) from None

    def _check_shares(self) -> None:
        warn_at = (self._share("warn_at", share) for share in _given(self.warn_at))
        self._set("warn_at", tuple(sorted(share for share in warn_at if share is not None)))
        self._set("degrade_at", self._share("degrade_at", self.degrade_at))
        self._set("stop_at", self._share("stop_at", self.stop_at))
        gravest = Action.OK
        for mark in self.marks:
            if mark.action.severity < gravest.severity:
                raise self._wrong(
                    "on_exceeded" if mark.share == 1 else "warn_at",
                    f"at {mark.share:f} of the limit it would {mark.action}, but before that it would {gravest}",
                )
            gravest = mark.action

    def _check_spike(self) -> None:
        self._set("spike", self._number("spike", self.spike))
        if self.spike is None:
            if self.limit is None:
                raise self._wrong("limit", "a budget without a limit is of use with `spike` only")
            return
        if exact(self.spike) <= 1:
            raise self._wrong("spike", "it has to be more than 1, times the usual")
        if self.per in ("call", "total"):
            raise self._wrong("spike", f"nothing is usual per {self.per}; give it to a budget per hour, day, ...")
        if not 1 <= self.spike_least <= self.spike_history:
            raise self._wrong("spike_least", f"it has to be from 1 to spike_history, which is {self.spike_history}")

    def _share(self, field: str, value: Any) -> Decimal | None:
        share = self._number(field, value)
        if share is not None and not 0 < share <= 1:
            raise self._wrong(field, "a share of the limit is more than 0 and at most 1 (0.8 is 80 %)")
        return share

    def _number(self, field: str, value: Any) -> Decimal | None:
        if value is None:
            return None
        try:
            return exact(value)
        except ValueError as error:
            raise self._wrong(field, str(error)) from None

    def _set(self, field: str, value: Any) -> None:
        msgspec.structs.force_setattr(self, field, value)

    def _wrong(self, field: str, why: str) -> ConfigurationError:
        return ConfigurationError(f"Budget({self.name!r}, {field}={getattr(self, field)!r}): {why}")


class Mark(msgspec.Struct, frozen=True):
    """What is to happen from some share of the limit on.

    Attributes:
        share: The share of the limit, 0 to 1.
        action: What is to happen.
    """

    share: Decimal
    action: Action


def limit_of(budget: Budget) -> Decimal | None:
    """The limit at the precision in which money is kept."""
    return None if budget.limit is None else usd(trillionths(budget.limit))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _given(shares: Any) -> tuple[Any, ...]:
    if shares is None:
        return ()
    if isinstance(shares, Iterable) and not isinstance(shares, str):
        return tuple(shares)
    return (shares,)


def _shares(shares: Any) -> tuple[Decimal, ...]:
    return tuple(exact(share) for share in _given(shares))
