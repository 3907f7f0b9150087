"""The turns of a call: each a tree of what ran, with times, waits, usage, costs, states, decisions and errors."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from reamon.model import AgentExecution, CostBreakdown, Operation, Usage, WorkflowTrace
from reamon.model.changes import Change
from reamon.terminal.document import Align, Block, Column, Document, Facts, Heading, Node, Style, Text, Tree
from reamon.terminal.figures import count, duration, moment, money, stretch
from reamon.terminal.listing import error_text, trace_cost
from reamon.terminal.statuses import mark, style_of, word

Below: TypeAlias = AgentExecution | Operation
Row: TypeAlias = WorkflowTrace | Below
HandedOver: TypeAlias = Mapping[str, Sequence[str]]
"""Whom each agent handed over to, by its span's id."""

_COLUMNS = (
    Column("", shrinks=True),
    Column("took", Align.UNIT),
    Column("waited", Align.UNIT),
    Column("first token", Align.UNIT, optional=True),
    Column("used", Align.RIGHT),
    Column("cost", Align.RIGHT),
    Column("when", optional=True),
)
_CHANGES_SHOWN = 6
_LONG_WAIT_MS = 1
_QUIET = {"ok", "completed"}


def turns_document(turns: Sequence[WorkflowTrace], last: int | None = None) -> Document:
    """The document of `reamon show`.

    Args:
        turns: Whole traces in order of their start, at least one; several if they make up a call.
        last: Show the trees of the last so many alone; what is said of the call is about all.
    """
    document: list[Block] = [Facts(_facts(turns))]
    hidden = max(len(turns) - last, 0) if last else 0
    for number, turn in enumerate(turns[hidden:], hidden + 1):
        document.append(Heading(_heading(turn, number, len(turns))))
        document.append(Tree(_COLUMNS, [turn_tree(turn)]))
    return document


def turn_tree(turn: WorkflowTrace) -> Node:
    """One turn as a tree. A span whose parent is not stored (yet) hangs below the root.

    The root may itself be an agent or an operation, and then is shown as such.
    """
    spans: list[Below] = [*turn.agents, *turn.operations]
    spans.sort(key=lambda span: (span.start_time, span.span_id))
    handed_over = turn.all_successors()
    nodes = {span.span_id: _node(span, turn, handed_over) for span in spans}
    root = nodes.setdefault(turn.trace_id, _node(turn, turn, handed_over))
    for span in spans:
        if span.span_id != turn.trace_id:
            nodes.get(span.parent_id or turn.trace_id, root).children.append(nodes[span.span_id])
    return root


def _facts(turns: Sequence[WorkflowTrace]) -> list[tuple[str, Text]]:
    first = turns[0]
    cost = CostBreakdown.of(detail for turn in turns for detail in turn.costs)
    outcome = next((turn.outcome for turn in reversed(turns) if turn.outcome), "")
    by_type = ", ".join(f"{kind} {money(amount)}" for kind, amount in sorted(cost.by_type.items()))
    total = Text.of(money(cost.total), Style.STRONG)
    doubt = {turn.cost_status for turn in turns} - {"complete"}
    return [
        ("call", Text.of(first.call_id or "(none)", Style.STRONG)),
        ("project", Text.of(first.project or "")),
        ("turns", Text.of(len(turns))),
        ("started", Text.of(f"{moment(first.start_time)} UTC")),
        ("took", Text.of(_took(turns))),
        ("outcome", Text.of(outcome, Style.STRONG)),
        ("cost", Text.join([total, Text.of(f"({by_type})" if by_type else ""), _doubt(cost.total, bool(doubt))])),
    ]


def _took(turns: Sequence[WorkflowTrace]) -> str:
    """From the first start to the last end."""
    ends = [turn.end_time for turn in turns if turn.end_time]
    return duration((max(ends) - turns[0].start_time).total_seconds() * 1000) if ends else ""


def _doubt(total: Decimal | None, is_doubtful: bool) -> Text:
    if total is None:
        return Text.of("no cost is known", Style.FAINT)
    return Text.of("incomplete: some prices are unknown", Style.WARNING) if is_doubtful else Text()


def _heading(turn: WorkflowTrace, number: int, of: int) -> Text:
    which = Text.of(f"Turn {number} of {of}" if of > 1 else "Trace", Style.STRONG)
    return Text.join(
        [
            which,
            word(turn.status),
            Text.of(moment(turn.start_time).partition(" ")[2]),
            Text.of(turn.trace_id, Style.FAINT),
            Text.of(", ".join(turn.tags), Style.ACCENT),
        ],
        "  ",
    )


def _node(row: Row, turn: WorkflowTrace, handed_over: HandedOver) -> Node:
    own_cost = trace_cost(row) if isinstance(row, WorkflowTrace) else money(row.cost)
    return Node(
        (
            _label(row),
            Text.of(duration(row.duration_ms)),
            _waited(row),
            Text.of(duration(row.first_token_ms)),
            Text.of(_used(row)),
            Text.of(own_cost),
            _when(row, turn),
        ),
        list(_details(row, handed_over)),
    )


def _waited(row: Row) -> Text:
    """How long it waited for a turn; brought out where that is long enough to matter."""
    if not row.queue_wait_ms:
        return Text()
    return Text.of(duration(row.queue_wait_ms), Style.WARNING if row.queue_wait_ms >= _LONG_WAIT_MS else Style.FAINT)


def _label(row: Row) -> Text:
    if isinstance(row, AgentExecution):
        kind, name, style = "agent", row.agent_type, Style.STRONG
    elif isinstance(row, WorkflowTrace):
        kind, name, style = row.kind, row.workflow_name, Style.STRONG
    else:
        kind, name, style = row.kind, row.name, Style.PLAIN
    aside = row.model if isinstance(row, Operation) and row.model != row.name else None
    status = Text() if row.status in _QUIET else Text.of(row.status, style_of(row.status))
    return Text.join(
        [mark(row.status), Text.of(kind, Style.FAINT), Text.of(name, style), Text.of(aside or "", Style.FAINT), status]
    )


def _used(row: Row) -> str:
    """What a span consumed, each kind of unit summed over what was recorded for it."""
    usage = row.usage
    tokens_in, tokens_out = _sum(usage, "input_tokens"), _sum(usage, "output_tokens")
    parts = []
    if tokens_in is not None or tokens_out is not None:
        parts.append(f"{_known(tokens_in)} → {_known(tokens_out)} tokens")
    for field, unit in (("characters", "character"), ("messages", "message")):
        number = _sum(usage, field)
        if number is not None:
            parts.append(count(int(number), unit))
    for field, unit in (("audio_seconds", "s audio"), ("minutes", "min")):
        number = _sum(usage, field)
        if number is not None:
            parts.append(f"{number:.2f} {unit}")
    return ", ".join(parts)


def _sum(usage: Sequence[Usage], field: str) -> Decimal | None:
    known = [Decimal(value) for entry in usage if (value := getattr(entry, field)) is not None]
    return sum(known, Decimal(0)) if known else None


def _known(number: Decimal | None) -> str:
    return "?" if number is None else f"{number:,}"


def _when(row: Row, turn: WorkflowTrace) -> Text:
    if turn.duration_ms is None or row.duration_ms is None or turn.duration_ms <= 0:
        return Text()
    begin = (row.start_time - turn.start_time).total_seconds() * 1000
    line = stretch(begin / turn.duration_ms, (begin + row.duration_ms) / turn.duration_ms)
    inked = line.strip("·")
    left, _, right = line.partition(inked)
    return Text.of(left, Style.FAINT) + Text.of(inked, style_of(row.status)) + Text.of(right, Style.FAINT)


def _details(row: Row, handed_over: HandedOver) -> Iterator[Text]:
    """What there is to say about a span beyond its row."""
    reason = row.status_reason or ""
    if reason:
        yield Text.of(reason if row.status in _QUIET else f"{row.status}: {reason}", style_of(row.status))
    if row.error_type and error_text(row.error_type.rpartition(".")[2], row.error_message).plain not in reason:
        yield error_text(row.error_type, row.error_message)
    asked = ", ".join(_asked(row.attributes))
    if asked:
        yield Text.of(asked, Style.FAINT)
    cached = _sum(row.usage, "cached_input_tokens")
    if cached:
        yield Text.of(f"{cached:,} input tokens from the cache", Style.FAINT)
    if isinstance(row, AgentExecution):
        yield from _decision(row, handed_over[row.span_id])
        yield from _state(row)


def _asked(attributes: Mapping[str, Any]) -> Iterator[str]:
    """How a model's answer came about, where it took anything but one request."""
    if attributes.get("reamon.cache_hit"):
        yield "answered by a cache"
    if isinstance(retries := attributes.get("reamon.retries"), int) and retries > 0:  # an application may say anything
        yield count(retries, "retry", "retries")


def _decision(agent: AgentExecution, successors: Sequence[str]) -> Iterator[Text]:
    decision = agent.decision or {}
    action, reasoning = decision.get("action"), decision.get("reasoning")
    if not decision:
        return
    proposed = agent.attributes.get("reamon.proposed_next_agent") or (None if successors else agent.next_agent)
    is_overruled = proposed is not None and proposed not in successors
    followed = ", ".join(successors) or ("nobody" if is_overruled else "")
    yield Text.join(
        [
            Text.of("decided", Style.FAINT),
            Text.of(action or ""),
            Text.of(f"→ {followed}" if followed else "", Style.ACCENT),
            Text.of(f"instead of {proposed}" if is_overruled else "", Style.FAINT),
            Text.of(f"({100 * agent.confidence:.0f} % sure)" if agent.confidence is not None else "", Style.FAINT),
            Text.of(f"because: {reasoning}" if reasoning else "", Style.FAINT),
        ]
    )


def _state(agent: AgentExecution) -> Iterator[Text]:
    found = agent.changes
    if not found:
        return
    more = len(found) - _CHANGES_SHOWN
    shown = [_change(change) for change in found[:_CHANGES_SHOWN]]
    if more > 0:
        shown.append(Text.of(f"and {more} more", Style.FAINT))
    yield Text.of("state ", Style.FAINT) + Text.join(shown, " · ")


def _change(change: Change) -> Text:
    return Text.of(f"{change.path} ", Style.FAINT) + Text.of(change.before) + Text.of(f" → {change.after}")
