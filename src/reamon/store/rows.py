"""Rows: spans as tuples for SQLite, in the order of the tables' columns.

This runs once for every span that is recorded, so it is plain: no dictionaries, no reflection, payloads spliced as the
text that they are already, and an enum's text looked up: Python 3.11 takes five times as long for its `value`, and
`sqlite3` for the enum itself, which it offers to its adapters. A test holds the columns against the tables.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from reamon.model import Payload, Span, SpanKind, SpanStatus, Usage
from reamon.model.cost import rounded, summed
from reamon.model.ids import row_id, row_id_at
from reamon.model.times import iso, iso_pair

Row = tuple[str | int | float, ...]

NULL: Final = float("nan")
"""What stands for NULL in a row: SQLite stores a NaN as NULL, and `sqlite3` binds a float in a tenth of the time that
it takes for None, which it offers to every registered adapter first. Two thirds of a row's columns are NULL."""

OPERATION_COLUMNS: Final = (
    "id", "span_id", "trace_id", "parent_id", "kind", "name", "provider", "model", "start_time", "end_time",
    "duration_ms", "queue_wait_ms", "first_token_ms", "status", "status_reason", "input_tokens", "output_tokens",
    "cached_input_tokens", "cost", "error_type", "error_message", "usage", "attributes", "events", "links", "extra",
    "error_stack", "input_data", "output_data",
)  # fmt: skip
PLAIN_COLUMNS: Final = (
    "id", "span_id", "trace_id", "parent_id", "kind", "name", "start_time", "end_time", "duration_ms", "status",
    "input_data", "output_data",
)  # fmt: skip
AGENT_COLUMNS: Final = (
    "id", "span_id", "trace_id", "parent_id", "agent_type", "agent_name", "agent_version", "execution_order",
    "start_time", "end_time", "duration_ms", "queue_wait_ms", "first_token_ms", "status", "status_reason", "success",
    "next_agent", "confidence", "cost", "error_type", "error_message", "decision", "usage", "attributes", "events",
    "links", "extra", "error_stack", "input_data", "output_data", "state_before", "state_after",
)  # fmt: skip
WORKFLOW_COLUMNS: Final = (
    "id", "trace_id", "call_id", "workflow_name", "workflow_version", "project", "kind", "status", "status_reason",
    "start_time", "end_time", "duration_ms", "queue_wait_ms", "first_token_ms", "total_cost", "cost_status",
    "process_id", "outcome", "error_type", "error_message", "tags", "metadata", "usage", "attributes", "events",
    "links", "extra", "error_stack", "input_data", "output_data",
)  # fmt: skip
COST_COLUMNS: Final = (
    "span_id", "cost_type", "price_version", "item", "trace_id", "agent_id", "call_id", "provider", "model",
    "usage_units", "unit", "unit_cost", "cost_amount", "price_source", "effective_date", "timestamp", "project",
    "estimated",
)  # fmt: skip

_NANOS_PER_MILLI: Final = 1e6
_TOO_LARGE: Final = 1 << 63
_KIND: Final = {kind: kind.value for kind in SpanKind}
_STATUS: Final = {status: status.value for status in SpanStatus}
_WORKFLOW_STATUS: Final = _STATUS | {SpanStatus.OK: "completed", SpanStatus.ERROR: "failed"}
_AGENT: Final = SpanKind.AGENT  # looked up once: Python 3.11 finds a member of an enum by way of a descriptor
_NOTHING_USED: Final = Usage()
_encode = msgspec.json.Encoder(decimal_format="string").encode


class TraceCost(NamedTuple):
    """What a trace has cost so far, as its row says it."""

    total: str | float = NULL
    status: str = "unknown"


NO_COST: Final = TraceCost()


def is_plain(span: Span) -> bool:
    """Whether `plain_operation_row` says all there is to say about an operation."""
    return not (
        span.usage
        or span.attributes
        or span.error
        or span.costs
        or span.events
        or span.decision
        or span.state_before
        or span.state_after
        or span.links
        or span.outcome
        or span.version
        or span.metadata
        or span.status_reason
        or span.parent_id is None
        or span.end_ns is None
        or span.first_token_ns is not None
        or span.queue_wait_ns is not None
    )


def plain_operation_row(span: Span) -> Row:
    """The row in `operations` of one that merely ran, with the columns that such a row has.

    Many steps and tools are of this kind, and binding twelve values takes half the time of binding twenty-nine.
    """
    span_id, start, end = span.span_id, span.start_ns, span.end_ns or 0
    begun, ended = iso_pair(start, end)
    return (
        row_id_at(start, span_id),
        span_id,
        span.trace_id,
        span.parent_id or NULL,
        _KIND[span.kind],
        span.name,
        begun,
        ended,
        (end - start) / _NANOS_PER_MILLI,
        _STATUS[span.status],
        span.input.raw.decode() if span.input else NULL,
        span.output.raw.decode() if span.output else NULL,
    )


def operation_row(span: Span) -> Row:
    """The row in `operations` of a span that is neither an agent nor the workflow at the root."""
    start, end, usage, error = span.start_ns, span.end_ns, span.usage, span.error
    attributes = span.attributes
    used = _used(usage)
    provider, model = used.provider, used.model
    begun, ended = _times(start, end)
    return (
        row_id_at(start, span.span_id),
        span.span_id,
        span.trace_id,
        span.parent_id or NULL,
        _KIND[span.kind],
        span.name,
        _text_in(attributes, "gen_ai.provider.name") if provider is None else provider,
        _text_in(attributes, "gen_ai.request.model") if model is None else model,
        begun,
        ended,
        NULL if end is None else (end - start) / _NANOS_PER_MILLI,
        NULL if span.queue_wait_ns is None else span.queue_wait_ns / _NANOS_PER_MILLI,
        NULL if span.first_token_ns is None else span.first_token_ns / _NANOS_PER_MILLI,
        _STATUS[span.status],
        span.status_reason or NULL,
        NULL if used.input_tokens is None else used.input_tokens,
        NULL if used.output_tokens is None else used.output_tokens,
        NULL if used.cached_input_tokens is None else used.cached_input_tokens,
        _own_cost(span) if span.costs else NULL,
        error.type if error else NULL,
        error.message if error else NULL,
        _json(usage) if usage else NULL,
        _json(attributes) if attributes else NULL,
        _events(span) if span.events else NULL,
        _json(span.links) if span.links else NULL,
        _extra(span),
        error.stack if error else NULL,
        span.input.raw.decode() if span.input else NULL,
        span.output.raw.decode() if span.output else NULL,
    )


def agent_row(span: Span, cost: str | float = NULL) -> Row:
    """The row in `agent_executions` of an agent.

    Args:
        span: The agent's span.
        cost: What it cost, with the operations that it is the nearest agent of.
    """
    decision, error, start, end, status = span.decision, span.error, span.start_ns, span.end_ns, _STATUS[span.status]
    begun, ended = _times(start, end)
    return (
        row_id(span.span_id),
        span.span_id,
        span.trace_id,
        span.parent_id or NULL,
        span.agent_type or span.name,
        span.name,
        span.version or NULL,
        NULL if span.execution_order is None else span.execution_order,
        begun,
        ended,
        NULL if end is None else (end - start) / _NANOS_PER_MILLI,
        NULL if span.queue_wait_ns is None else span.queue_wait_ns / _NANOS_PER_MILLI,
        NULL if span.first_token_ns is None else span.first_token_ns / _NANOS_PER_MILLI,
        status,
        span.status_reason or NULL,
        1 if status == "ok" else 0,
        decision.next_agent or NULL if decision else NULL,
        NULL if decision is None or decision.confidence is None else decision.confidence,
        cost,
        error.type if error else NULL,
        error.message if error else NULL,
        _json(decision) if decision else NULL,
        _json(span.usage) if span.usage else NULL,
        _json(span.attributes) if span.attributes else NULL,
        _events(span) if span.events else NULL,
        _json(span.links) if span.links else NULL,
        _extra(span),
        error.stack if error else NULL,
        span.input.raw.decode() if span.input else NULL,
        span.output.raw.decode() if span.output else NULL,
        span.state_before.raw.decode() if span.state_before else NULL,
        span.state_after.raw.decode() if span.state_after else NULL,
    )


def workflow_row(span: Span, cost: TraceCost = NO_COST) -> Row:
    """The row in `workflow_traces` of a trace's root, of whatever kind; one that runs is a workflow that has begun."""
    error, start, end = span.error, span.start_ns, span.end_ns
    begun, ended = _times(start, end)
    return (
        row_id(span.trace_id),
        span.trace_id,
        span.call_id or NULL,
        span.name,
        span.version or NULL,
        span.project or NULL,
        _KIND[span.kind],
        _WORKFLOW_STATUS[span.status],
        span.status_reason or NULL,
        begun,
        ended,
        NULL if end is None else (end - start) / _NANOS_PER_MILLI,
        NULL if span.queue_wait_ns is None else span.queue_wait_ns / _NANOS_PER_MILLI,
        NULL if span.first_token_ns is None else span.first_token_ns / _NANOS_PER_MILLI,
        cost.total,
        cost.status,
        span.process_id or NULL,
        span.outcome or NULL,
        error.type if error else NULL,
        error.message if error else NULL,
        _json(span.tags) if span.tags else NULL,
        span.metadata.raw.decode() if span.metadata else NULL,
        _json(span.usage) if span.usage else NULL,
        _json(span.attributes) if span.attributes else NULL,
        _events(span) if span.events else NULL,
        _json(span.links) if span.links else NULL,
        _extra(span),
        error.stack if error else NULL,
        span.input.raw.decode() if span.input else NULL,
        span.output.raw.decode() if span.output else NULL,
    )


def cost_rows(span: Span) -> list[Row]:
    """The rows in `cost_details` of a span."""
    items: dict[tuple[str, str], int] = {}
    rows: list[Row] = []
    for detail in span.costs:
        key = (detail.cost_type, detail.price_version)
        item = items[key] = items.get(key, -1) + 1
        rows.append(
            (
                span.span_id,
                detail.cost_type,
                detail.price_version,
                item,
                span.trace_id,
                span.agent_id or NULL,
                span.call_id or NULL,
                detail.provider or NULL,
                detail.model or NULL,
                _digits(detail.usage_units),
                detail.unit or NULL,
                _digits(detail.unit_cost),
                _money(detail.amount),
                detail.price_source,
                detail.effective_date or NULL,
                iso(span.start_ns if span.end_ns is None else span.end_ns),
                span.project or NULL,
                1 if detail.estimated else 0,
            )
        )
    return rows


def _times(start: int, end: int | None) -> tuple[str, str | float]:
    return (iso(start), NULL) if end is None else iso_pair(start, end)


def _digits(number: Decimal | None) -> str | float:
    return NULL if number is None else format(number, "f")


def _money(amount: Decimal | None) -> str | float:
    return NULL if amount is None else format(rounded(amount), "f")


def _json(value: Any) -> str:
    return _encode(value).decode()


def _text_in(attributes: dict[str, Any], name: str) -> str | float:
    value = attributes.get(name)
    return value if isinstance(value, str) else NULL


def _used(usage: tuple[Usage, ...]) -> Usage:
    """What all entries say together: who was used first, and the sums of what was counted."""
    if not usage:
        return _NOTHING_USED
    if len(usage) == 1:
        return usage[0]
    return Usage(
        provider=next((entry.provider for entry in usage if entry.provider is not None), None),
        model=next((entry.model for entry in usage if entry.model is not None), None),
        input_tokens=_total(entry.input_tokens for entry in usage),
        output_tokens=_total(entry.output_tokens for entry in usage),
        cached_input_tokens=_total(entry.cached_input_tokens for entry in usage),
    )


def _total(counts: Iterable[int | None]) -> int | None:
    """The sum of the known counts; unknown where none is, and where no column is wide enough for it."""
    known = [count for count in counts if count is not None]
    total = sum(known)
    return total if known and total < _TOO_LARGE else None


def _own_cost(span: Span) -> str | float:
    """The sum of the span's known costs."""
    if len(span.costs) == 1:
        return _money(span.costs[0].amount)
    amounts = [rounded(detail.amount) for detail in span.costs if detail.amount is not None]
    return _digits(summed(amounts)) if amounts else NULL


def _events(span: Span) -> str:
    return _json(
        [{"name": event.name, "time": iso(event.time_ns), "attributes": event.attributes} for event in span.events]
    )


def _extra(span: Span) -> str | float:
    """What was recorded on a span of a kind that has no column for it; on most spans nothing."""
    is_agent, is_root = span.kind is _AGENT, span.parent_id is None
    of_an_agent = span.decision or span.state_before or span.state_after or span.version
    if (is_agent or not of_an_agent) and (is_root or not (span.outcome or span.metadata)):
        return NULL
    extra: dict[str, Any] = {}
    if not is_agent:
        extra |= {"decision": span.decision, "state_before": span.state_before, "state_after": span.state_after}
    if not is_root:
        extra |= {"outcome": span.outcome, "metadata": span.metadata}
        if not is_agent:
            extra["version"] = span.version
    kept = {key: _spliced(value) for key, value in extra.items() if value is not None}
    return _json(kept) if kept else NULL


def _spliced(value: Any) -> Any:
    return msgspec.Raw(value.raw) if isinstance(value, Payload) else value
