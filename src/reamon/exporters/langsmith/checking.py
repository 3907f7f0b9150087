"""Checking: whether LangSmith can be reached, and what somebody has to do if not."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from reamon.errors import ReamonError
from reamon.exporters.langsmith.connection import Answer, NoAnswer
from reamon.exporters.langsmith.service import Service, understood
from reamon.guard import describe
from reamon.model.times import NANOS_PER_SECOND, from_datetime

_HOSTED: Final = "https://api.smith.langchain.com"
_CLOCK_MAY_DIFFER: Final = timedelta(minutes=5)
_RUNS_MAY_DIFFER: Final = timedelta(hours=24)
_SECOND_API: Final = (0, 16)


class ConnectionCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an attempt to reach LangSmith.

    Attributes:
        ok: Whether runs would be taken.
        message: What was found, and what to do about it; for people.
        endpoint: Who was asked.
        project: Where runs would go.
        version: The server's version; None where it does not say.
        workspace: The id of the workspace; None where it has no project yet by which to tell.
        latency_ms: How long a small request took, once connected.
    """

    ok: bool
    message: str
    endpoint: str
    project: str
    version: str | None = None
    workspace: str | None = None
    latency_ms: float | None = None


class _Info(msgspec.Struct, frozen=True):
    version: str | None = None


class _Project(msgspec.Struct, frozen=True):
    tenant_id: str | None = None


def check(service: Service, now: Callable[[], int] = time.time_ns) -> ConnectionCheck:
    """Try to reach LangSmith with the service's endpoint, key and workspace. Never raises.

    Args:
        service: Whom to ask.
        now: Gives nanoseconds since 1970: what LangSmith's clock is compared with.
    """
    settings = service.settings
    found = ConnectionCheck(ok=False, message="", endpoint=settings.endpoint, project=settings.project)
    if settings.api_key is None and settings.endpoint == _HOSTED:
        return _because(found, "There is no API key: set LANGSMITH_API_KEY.")
    try:
        return _attempt(service, found, now)
    except NoAnswer as error:
        return _because(found, f"{service.unreachable(error)}.")
    except ReamonError as error:
        return _because(found, f"{error}.")
    except Exception as error:
        return _because(found, f"The check itself failed, which is a mistake in reamon: {describe(error)}.")


def _attempt(service: Service, found: ConnectionCheck, now: Callable[[], int]) -> ConnectionCheck:
    # The first request connects, and imports the SDK, so it is not the one to be timed. It needs no key.
    info = service.connection.request("GET", "/info")
    if info.status != 404 and (refusal := service.refusal(info)):
        raise refusal
    version = understood(info.body, _Info).version if info.status == 200 else None
    begun = time.perf_counter()
    answer = service.connection.request("GET", "/sessions?limit=1")
    latency = (time.perf_counter() - begun) * 1000
    if refusal := service.refusal(answer):
        raise refusal
    projects = understood(answer.body, list[_Project])
    found = msgspec.structs.replace(
        found,
        version=version,
        workspace=service.settings.workspace_id or next((project.tenant_id for project in projects), None),
        latency_ms=round(latency, 1),
    )
    off = _clock_difference(answer, now)
    if abs(off) > _RUNS_MAY_DIFFER:
        return _because(
            found, f"This machine's clock is {_spell(off)} LangSmith's, which refuses all runs: set the clock."
        )
    notes = " ".join(("LangSmith takes runs with this key.", *_notes(version, off)))
    return msgspec.structs.replace(found, ok=True, message=notes)


def _notes(version: str | None, off: timedelta) -> Iterator[str]:
    if abs(off) > _CLOCK_MAY_DIFFER:
        yield (
            f"But this machine's clock is {_spell(off)} LangSmith's: set the clock, since traces appear at the wrong "
            "time, and not at all from 24 hours on."
        )
    if version is None:
        yield "The server does not say which version it is, so it is treated as an old one."
    elif _number(version) < _SECOND_API:
        yield f"The server is old ({version}), so traces are read with the API that it has."


def _clock_difference(answer: Answer, now: Callable[[], int]) -> timedelta:
    """By how much this machine's clock is ahead; nothing, where the answer does not tell the time."""
    try:
        theirs = from_datetime(parsedate_to_datetime(answer.headers.get("date", "")))
    except ValueError:
        return timedelta()
    return timedelta(seconds=(now() - theirs) // NANOS_PER_SECOND)


def _spell(off: timedelta) -> str:
    minutes = abs(off) // timedelta(minutes=1)
    amount = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
    return f"{amount} {'ahead of' if off > timedelta() else 'behind'}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _because(found: ConnectionCheck, message: str) -> ConnectionCheck:
    return msgspec.structs.replace(found, message=message)
