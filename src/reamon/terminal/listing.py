"""The listing: traces as a table, newest first."""

from collections.abc import Iterable, Sequence

from reamon.model import WorkflowTrace
from reamon.terminal.document import Align, Column, Document, Note, Style, Table, Text
from reamon.terminal.figures import count, duration, moment, money
from reamon.terminal.statuses import word

_SHORTEST = 8

_COLUMNS = (
    Column("started (UTC)"),
    Column("trace"),
    Column("call", shrinks=True),
    Column("workflow", shrinks=True, optional=True),
    Column("status"),
    Column("took", Align.UNIT),
    Column("cost", Align.RIGHT),
    Column("outcome", shrinks=True),
    Column("error", shrinks=True),
)


def listing_document(traces: Sequence[WorkflowTrace], more: str | None = None) -> Document:
    """The document of `reamon traces`.

    Args:
        traces: What is listed.
        more: The cursor behind them; None where there are no more.
    """
    if not traces:
        return [Note(Text.of("No trace matches."))]
    length = short_length(trace.trace_id for trace in traces)
    shown = count(len(traces), "trace")
    ending = [
        Note(
            Text.of(
                f"{shown}{', and there are more' if more else ''}; `reamon show CALL or TRACE` tells more", Style.FAINT
            )
        )
    ]
    if more:
        ending.append(Note(Text.of(f"the next ones: the same command with --after {more}", Style.FAINT)))
    return [Table(_COLUMNS, [_row(trace, length) for trace in traces]), *ending]


def short_length(ids: Iterable[str]) -> int:
    """How many last characters tell the ids apart: at least eight.

    The end of an id is random, while the beginning is a time that neighbours share.
    """
    distinct = set(ids)
    length = _SHORTEST
    while len({trace_id[-length:] for trace_id in distinct}) < len(distinct):
        length += 1
    return length


def _row(trace: WorkflowTrace, length: int) -> Sequence[Text]:
    return (
        Text.of(moment(trace.start_time), Style.FAINT),
        Text.of(trace.trace_id[-length:], Style.ACCENT),
        Text.of(trace.call_id or "", Style.STRONG),
        Text.of(trace.workflow_name),
        word(trace.status),
        Text.of(duration(trace.duration_ms)),
        Text.of(trace_cost(trace)),
        Text.of(trace.outcome or ""),
        error_text(trace.error_type, trace.error_message),
    )


def trace_cost(trace: WorkflowTrace) -> str:
    """What a trace cost, or at least cost where some prices are unknown."""
    return f"≥{money(trace.total_cost)}" if trace.cost_status == "partial" else money(trace.total_cost)


def error_text(error_type: str | None, message: str | None) -> Text:
    """An error on one line."""
    if error_type is None:
        return Text()
    return Text.of(error_type, Style.BAD) + (Text.of(f": {message}") if message else Text())
