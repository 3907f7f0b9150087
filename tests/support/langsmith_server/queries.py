"""What a question about runs asks for: bounds, filters, a page."""

import base64
import binascii
import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .filters import Predicate, parsed
from .rules import is_uuid, moment
from .views import Run

LARGEST_FIRST_PAGE = 100
LARGEST_SECOND_PAGE = 1000
LOOKS_BACK = timedelta(days=1)
"""How far the second generation looks unless told."""

_FIRST_SELECTS = """
    id name run_type start_time end_time status error extra events inputs inputs_preview outputs outputs_preview
    parent_run_id parent_run_ids child_run_ids session_id trace_id thread_id dotted_order tags serialized manifest_id
    reference_example_id reference_dataset_id total_tokens prompt_tokens completion_tokens prompt_token_details
    completion_token_details total_cost prompt_cost completion_cost prompt_cost_details completion_cost_details
    price_model_id first_token_time last_queued_at feedback_stats in_dataset app_path share_token s3_urls
"""
_SECOND_SELECTS = """
    ID NAME RUN_TYPE STATUS START_TIME END_TIME LATENCY_SECONDS FIRST_TOKEN_TIME ERROR ERROR_PREVIEW EXTRA METADATA
    EVENTS INPUTS INPUTS_PREVIEW OUTPUTS OUTPUTS_PREVIEW MANIFEST PARENT_RUN_IDS PROJECT_ID TRACE_ID THREAD_ID
    DOTTED_ORDER IS_ROOT REFERENCE_EXAMPLE_ID REFERENCE_DATASET_ID TOTAL_TOKENS PROMPT_TOKENS COMPLETION_TOKENS
    TOTAL_COST PROMPT_COST COMPLETION_COST PROMPT_TOKEN_DETAILS COMPLETION_TOKEN_DETAILS PROMPT_COST_DETAILS
    COMPLETION_COST_DETAILS PRICE_MODEL_ID TAGS APP_PATH ATTACHMENTS THREAD_EVALUATION_TIME IS_IN_DATASET
    LAST_QUEUED_AT SHARE_URL FEEDBACK_STATS LS_USER_ID
"""
_FIRST_KEYS = """
    session run_type reference_example query filter trace_filter tree_filter is_root parent_run start_time end_time
    error id trace select limit cursor order skip_pagination
"""
_SECOND_KEYS = """
    project_ids ids is_root has_error run_type trace_id filter trace_filter tree_filter min_start_time max_start_time
    selects page_size cursor include_subtree_usage
"""

FIRST_SELECTS = frozenset(_FIRST_SELECTS.split())
"""What the first generation can be asked to show."""

SECOND_SELECTS = frozenset(_SECOND_SELECTS.split())
"""What the second can be asked to show."""


class BadQuestionError(ValueError):
    """A question that is refused."""


@dataclasses.dataclass(frozen=True)
class Query:
    """A question, the same for both generations."""

    project_ids: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    trace_id: str | None = None
    parent_id: str | None = None
    run_type: str | None = None
    is_root: bool | None = None
    has_error: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    ended_before: datetime | None = None
    filters: tuple[Predicate, ...] = ()
    trace_filters: tuple[Predicate, ...] = ()
    tree_filters: tuple[Predicate, ...] = ()
    selects: tuple[str, ...] = ()
    subtree_usage: bool = False
    newest_first: bool = True
    size: int = LARGEST_FIRST_PAGE
    cursor: str | None = None

    def page(self, candidates: Iterable[tuple[Run, Run]]) -> tuple[list[Run], str | None]:
        """The runs asked for, and the cursor of the next page, if there is one.

        Args:
            candidates: All runs, as they are stored and as filters see them.
        """
        pairs = list(candidates)
        traces = self._traces([shown for _, shown in pairs])
        found = [run for run, shown in pairs if self._matches(shown) and (traces is None or run["trace_id"] in traces)]
        found.sort(key=lambda run: (moment(run["start_time"]), run["dotted_order"]), reverse=self.newest_first)
        start = _offset(self.cursor)
        end = start + self.size
        return found[start:end], _cursor(end) if end < len(found) else None

    def _matches(self, run: Run) -> bool:
        started, ended = moment(run["start_time"]), moment(run["end_time"])
        assert started is not None
        return (
            (not self.project_ids or run["session_id"] in self.project_ids)
            and (not self.ids or run["id"] in self.ids)
            and self.trace_id in (None, run["trace_id"])
            and self.parent_id in (None, run["parent_run_id"])
            and self.run_type in (None, run["run_type"])
            and self.is_root in (None, run["is_root"])
            and self.has_error in (None, bool(run["error"]))
            and (self.since is None or started >= self.since)
            and (self.until is None or started <= self.until)
            and (self.ended_before is None or (ended is not None and ended <= self.ended_before))
            and all(holds(run) for holds in self.filters)
        )

    def _traces(self, runs: list[Run]) -> set[str] | None:
        """The traces that are asked for; None: any."""
        if not self.trace_filters and not self.tree_filters:
            return None
        by_root = {
            run["trace_id"] for run in runs if run["is_root"] and all(holds(run) for holds in self.trace_filters)
        }
        by_any = {run["trace_id"] for run in runs if all(holds(run) for holds in self.tree_filters)}
        return by_root & by_any


def first_query(asked: Mapping[str, Any]) -> Query:
    """What a question in the first generation asks for.

    Raises:
        BadQuestionError: It is none.
    """
    _known(asked, _FIRST_KEYS)
    if not any(asked.get(key) for key in ("session", "id", "parent_run", "trace", "reference_example")):
        raise BadQuestionError("at least one of session, id, parent_run, trace or reference_example is needed")
    return Query(
        project_ids=_ids(asked, "session"),
        ids=_ids(asked, "id"),
        trace_id=asked.get("trace"),
        parent_id=asked.get("parent_run"),
        run_type=asked.get("run_type"),
        is_root=asked.get("is_root"),
        has_error=asked.get("error"),
        since=_time(asked, "start_time"),
        ended_before=_time(asked, "end_time"),
        selects=_selects(asked.get("select") or [], FIRST_SELECTS),
        newest_first=asked.get("order", "desc") != "asc",
        size=min(asked.get("limit") or LARGEST_FIRST_PAGE, LARGEST_FIRST_PAGE),
        cursor=asked.get("cursor"),
        **_filters(asked),
    )


def second_query(asked: Mapping[str, Any], now: datetime) -> Query:
    """What a question in the second generation asks for.

    Raises:
        BadQuestionError: It is none.
    """
    _known(asked, _SECOND_KEYS)
    if not asked.get("project_ids"):
        raise BadQuestionError("project_ids is needed")
    size = asked.get("page_size", 100)
    if not isinstance(size, int) or not 1 <= size <= LARGEST_SECOND_PAGE:
        raise BadQuestionError(f"page_size is {size}, must be 1 to {LARGEST_SECOND_PAGE}")
    run_type = asked.get("run_type")
    return Query(
        project_ids=_ids(asked, "project_ids"),
        ids=_ids(asked, "ids"),
        trace_id=asked.get("trace_id"),
        run_type=run_type and run_type.lower(),
        is_root=asked.get("is_root"),
        has_error=asked.get("has_error"),
        since=_time(asked, "min_start_time") or now - LOOKS_BACK,
        until=_time(asked, "max_start_time") or now,
        selects=_selects(asked.get("selects") or [], SECOND_SELECTS),
        subtree_usage=bool(asked.get("include_subtree_usage")),
        size=size,
        cursor=asked.get("cursor"),
        **_filters(asked),
    )


def trace_query(trace_id: str, asked: Mapping[str, list[str]], now: datetime) -> Query:
    """What a question for the runs of one trace asks for; its parameters are in the address.

    Raises:
        BadQuestionError: It is none.
    """
    given = {name.removesuffix("[]"): values for name, values in asked.items()}
    single = {name: values[0] for name, values in given.items()}
    if not is_uuid(single.get("project_id")):
        raise BadQuestionError("project_id is needed")
    if ("min_start_time" in single) != ("max_start_time" in single):
        raise BadQuestionError("min_start_time and max_start_time are needed together")
    return Query(
        project_ids=(single["project_id"],),
        trace_id=trace_id or None,
        since=_time(single, "min_start_time") or now - LOOKS_BACK,
        until=_time(single, "max_start_time") or now,
        selects=_selects([field for value in given.get("selects", []) for field in value.split(",")], SECOND_SELECTS),
        size=100_000,
        **_filters(single),
    )


def _known(asked: Mapping[str, Any], keys: str) -> None:
    unknown = sorted(set(asked) - set(keys.split()))
    if unknown:
        raise BadQuestionError(f"cannot be asked for by {', '.join(unknown)}")


def _ids(asked: Mapping[str, Any], key: str) -> tuple[str, ...]:
    ids = asked.get(key) or []
    if not isinstance(ids, list) or not all(is_uuid(each) for each in ids):
        raise BadQuestionError(f"{key} is no list of UUIDs")
    return tuple(ids)


def _time(asked: Mapping[str, Any], key: str) -> datetime | None:
    if asked.get(key) is None:
        return None
    time = moment(asked[key])
    if time is None:
        raise BadQuestionError(f"{key} is no time in ISO 8601: {asked[key]!r}")
    return time.astimezone(UTC)


def _selects(fields: list[str], known: frozenset[str]) -> tuple[str, ...]:
    unknown = sorted(set(fields) - known)
    if unknown:
        raise BadQuestionError(f"cannot select {', '.join(unknown)}")
    return tuple(fields)


def _filters(asked: Mapping[str, Any]) -> dict[str, Any]:
    keys = {"filter": "filters", "trace_filter": "trace_filters", "tree_filter": "tree_filters"}
    return {into: (parsed(asked[key]),) for key, into in keys.items() if asked.get(key)}


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"after:{offset}".encode()).decode()


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        kind, _, offset = base64.urlsafe_b64decode(cursor).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        kind, offset = "", ""
    if kind != "after" or not offset.isdecimal():
        raise BadQuestionError("the cursor is not one of ours")
    return int(offset)
