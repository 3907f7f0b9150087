"""Checks of budgets: whether it is known what was spent, and whether it stays known."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from reamon.cli._checks import Finding, bad, good, note
from reamon.errors import ReamonError
from reamon.settings import MonitoringSettings

_TOPIC: Final = "budgets"
_OPEN: Final = "every process goes by what it knows itself until it answers"
_CLOSED: Final = "nothing new begins until it answers"


def budgets(settings: MonitoringSettings) -> Iterator[Finding]:
    """What is limited, where its state is, whether that answers, and how it stands; never with a password."""
    own = settings.budgets
    if not settings.enabled or not own.is_used:
        return
    if own.state == "memory":
        yield note(_TOPIC, "state = memory: each process spends the whole of every budget; name a state they share")
        return
    try:
        yield from _look(settings)
    except ReamonError as error:
        yield bad(_TOPIC, str(error))


def _look(settings: MonitoringSettings) -> Iterator[Finding]:
    from reamon.budgets import Action  # noqa: PLC0415 - whoever limits nothing does not need it
    from reamon.budgets.ledger import LedgerUnreachableError  # noqa: PLC0415
    from reamon.cli._budgets import looked_at  # noqa: PLC0415

    with looked_at(settings) as (known, ledger):
        try:
            standing, risk = known.standing(), ledger.risk()
        except LedgerUnreachableError as error:
            then = _CLOSED if settings.budgets.on_unreachable == "closed" else _OPEN
            yield bad(_TOPIC, f"{error}: {then}")
            return
    limits = ", ".join(f"{one.name} {one.limit} USD" for one in known.budgets if one.limit is not None)
    yield good(_TOPIC, f"{limits or 'no limit, spikes alone'}; state: {_place(settings.budgets.state)}")
    for budget, decision in standing.items():
        if decision.action in (Action.DEGRADE, Action.STOP):
            yield note(f"budget {budget.name}", f"{decision.action}: {decision.reason}")
    if risk:
        yield bad(_TOPIC, risk)


def _place(state: str) -> str:
    """Where the state is: without user and password, and without options, which may hold one too."""
    if "://" not in state:
        return "the store" if state == "store" else state
    if state.startswith("postgres"):
        from reamon.store.postgres.urls import parse_url  # noqa: PLC0415 - needs the extra

        return parse_url(state).place
    address = urlsplit(state)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
