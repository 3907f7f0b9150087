"""Stored runs as the read API shows them."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from .rules import moment
from .state import TENANT_ID

Run = dict[str, Any]

_USAGE = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "total_tokens": "total_tokens",
    "input_cost": "prompt_cost",
    "output_cost": "completion_cost",
    "total_cost": "total_cost",
}
_DETAILS = {
    "input_token_details": "prompt_token_details",
    "output_token_details": "completion_token_details",
    "input_cost_details": "prompt_cost_details",
    "output_cost_details": "completion_cost_details",
}
_COPIED = """
    id name run_type start_time end_time error events inputs outputs extra tags trace_id dotted_order parent_run_id
    session_id serialized reference_example_id
"""
_THREAD_KEYS = ("thread_id", "session_id", "conversation_id")


def view(run: Run, subtree: Iterable[Run] = ()) -> Run:
    """A run with all that LangSmith derives from it, keys as in the first API.

    Args:
        run: As stored.
        subtree: The runs below it; what they used is added to what it used itself.
    """
    shown = {field: run.get(field) for field in _COPIED.split()}
    order = run["dotted_order"].split(".")
    metadata = (run.get("extra") or {}).get("metadata") or {}
    started, ended = moment(run["start_time"]), moment(run.get("end_time"))
    return {
        **shown,
        "inputs": run.get("inputs") or {},
        "extra": run.get("extra") or {},
        "metadata": metadata,
        "parent_run_ids": [segment[-36:] for segment in order[:-1]],
        "is_root": len(order) == 1,
        "status": "error" if run.get("error") else "success" if ended else "pending",
        "latency": (ended - started).total_seconds() if started and ended else None,
        "first_token_time": _first_token_time(run),
        "thread_id": next((metadata[key] for key in _THREAD_KEYS if metadata.get(key)), None),
        "app_path": f"/o/{TENANT_ID}/projects/p/{run['session_id']}/r/{run['id']}",
        **_usage([run, *subtree]),
        **_details(run),
    }


def view_v2(run: Run, selects: Sequence[str], subtree: Iterable[Run] = ()) -> Run:
    """A run with the selected fields, keys as in the second API; without any selected, its id only."""
    shown = view(run, subtree)
    shown |= {
        "run_type": shown["run_type"].upper(),
        "status": shown["status"].upper(),
        "project_id": shown["session_id"],
        "latency_seconds": shown["latency"],
        "error_preview": (shown["error"] or "")[:100] or None,
        "manifest": shown["serialized"],
        "feedback_stats": {},
        "is_in_dataset": False,
        **{field: {"raw": shown[field]} for field in _DETAILS.values() if field in shown},
    }
    fields = [field.lower() for field in selects] or ["id"]
    return {field: shown[field] for field in fields if shown.get(field) is not None}


def _first_token_time(run: Run) -> str | None:
    tokens = [event for event in run.get("events") or [] if event.get("name") == "new_token"]
    return min((event["time"] for event in tokens if "time" in event), default=None)


def _told_usage(run: Run) -> Mapping[str, Any]:
    metadata = (run.get("extra") or {}).get("metadata") or {}
    return metadata.get("usage_metadata") or (run.get("outputs") or {}).get("usage_metadata") or {}


def _usage(runs: Sequence[Run]) -> Run:
    usages = [_told_usage(run) for run in runs]
    totals: Run = {}
    for told, shown in _USAGE.items():
        amounts = [Decimal(str(usage[told])) for usage in usages if usage.get(told) is not None]
        if amounts:
            totals[shown] = int(sum(amounts)) if told.endswith("tokens") else float(sum(amounts))
    return totals


def _details(run: Run) -> Run:
    usage = _told_usage(run)
    return {shown: usage[told] for told, shown in _DETAILS.items() if usage.get(told)}
