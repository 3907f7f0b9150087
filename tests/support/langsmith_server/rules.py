"""What a run must look like to be taken."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from .ingest import Write

RUN_TYPES = ("tool", "chain", "llm", "retriever", "embedding", "prompt", "parser")
MAX_DISTANCE = timedelta(hours=24)
"""How far from now a run may have started, before or after."""

Problem = tuple[str, str]
"""A field and what is wrong with it."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_STAMP = "%Y%m%dT%H%M%S%fZ"
_STAMP_LENGTH = len("20250101T000000000000Z")
_ALWAYS = ("id", "trace_id", "dotted_order")
_IN_A_POST = ("name", "run_type", "start_time")
_TYPES = {
    "name": str,
    "session_name": str,
    "inputs": dict,
    "outputs": dict,
    "extra": dict,
    "serialized": dict,
    "error": str,
    "tags": list,
    "events": list,
}
_NAMES = {str: "a string", dict: "an object", list: "a list"}


def problems(write: Write, now: datetime) -> Iterator[Problem]:
    """All that is wrong with a post or a patch."""
    run = write.run
    missing = [field for field in _required(write) if run.get(field) in (None, "")]
    yield from ((field, "is missing") for field in missing)
    if write.kind == "post" and not (run.get("session_name") or run.get("session_id")):
        yield "session_name", "is missing, and so is session_id"
    yield from _type_problems(run)
    yield from _id_problems(run)
    yield from _time_problems(run, now)
    if not missing and isinstance(run["dotted_order"], str):
        yield from _order_problems(write)


def is_uuid(value: object) -> bool:
    """Whether it is the text of a UUID."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def is_uuid7(value: str) -> bool:
    """Whether a UUID is of version 7, whose order is that of time."""
    return value[14] == "7"


def moment(value: object) -> datetime | None:
    """A time as LangSmith reads it: ISO 8601, in UTC unless told otherwise. None: it is none."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _required(write: Write) -> tuple[str, ...]:
    return _ALWAYS + _IN_A_POST if write.kind == "post" else _ALWAYS


def _type_problems(run: dict[str, Any]) -> Iterator[Problem]:
    for field, kind in _TYPES.items():
        value = run.get(field)
        if value is not None and not isinstance(value, kind):
            yield field, f"is not {_NAMES[kind]}"
    if run.get("run_type") not in (None, *RUN_TYPES):
        yield "run_type", f"{run['run_type']!r} is none of {', '.join(RUN_TYPES)}"
    if isinstance(tags := run.get("tags"), list) and not all(isinstance(tag, str) for tag in tags):
        yield "tags", "is not a list of strings"
    if isinstance(events := run.get("events"), list) and not all(_is_event(event) for event in events):
        yield "events", "is not a list of objects with a name and a time"
    if isinstance(extra := run.get("extra"), dict) and not isinstance(extra.get("metadata", {}), dict | None):
        yield "extra.metadata", "is not an object"


def _is_event(event: object) -> bool:
    return isinstance(event, dict) and ("time" not in event or moment(event["time"]) is not None)


def _id_problems(run: dict[str, Any]) -> Iterator[Problem]:
    for field in ("id", "trace_id", "parent_run_id", "session_id", "reference_example_id"):
        value = run.get(field)
        if value is not None and not is_uuid(value):
            yield field, f"{value!r} is no UUID"


def _time_problems(run: dict[str, Any], now: datetime) -> Iterator[Problem]:
    started, ended = moment(run.get("start_time")), moment(run.get("end_time"))
    for field, time in (("start_time", started), ("end_time", ended)):
        if run.get(field) is not None and time is None:
            yield field, f"{run[field]!r} is no time in ISO 8601"
    if started is not None and abs(now - started) > MAX_DISTANCE:
        yield "start_time", f"{run['start_time']} is more than 24 hours from now"
    if started is not None and ended is not None and ended < started:
        yield "end_time", f"{run['end_time']} is before start_time, {run['start_time']}"


def _order_problems(write: Write) -> Iterator[Problem]:
    run = write.run
    segments = run["dotted_order"].split(".")
    wrong = [segment for segment in segments if _stamp(segment) is None]
    if wrong:
        yield "dotted_order", f"{wrong[0]!r} is no %Y%m%dT%H%M%S%fZ followed by a UUID"
        return
    stamps = [segment[:_STAMP_LENGTH] for segment in segments]
    ids = [segment[_STAMP_LENGTH:] for segment in segments]
    if ids[0] != run["trace_id"]:
        yield "dotted_order", f"starts with {ids[0]}, which is not the trace_id"
    if ids[-1] != run["id"]:
        yield "dotted_order", f"ends with {ids[-1]}, which is not the id"
    if stamps != sorted(stamps):
        yield "dotted_order", "a child starts before its parent"
    yield from _parent_problems(write, ids)
    started = moment(run.get("start_time"))
    if started is not None and _stamp(segments[-1]) != started:
        yield "dotted_order", f"ends with the time {stamps[-1]}, which is not start_time, {run['start_time']}"


def _parent_problems(write: Write, ids: list[str]) -> Iterator[Problem]:
    told, expected = write.run.get("parent_run_id"), ids[-2] if len(ids) > 1 else None
    if told != expected and not (write.kind == "patch" and told is None):
        yield "parent_run_id", f"is {told}, by dotted_order it is {expected}"


@lru_cache(maxsize=4096)
def _stamp(segment: str) -> datetime | None:
    """When a segment of a dotted order says that its run started; None: it is no segment."""
    stamp, run_id = segment[:_STAMP_LENGTH], segment[_STAMP_LENGTH:]
    if len(stamp) != _STAMP_LENGTH or not is_uuid(run_id):
        return None
    try:
        time = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return time if time.strftime(_STAMP) == stamp else None  # strptime takes digits of any script
