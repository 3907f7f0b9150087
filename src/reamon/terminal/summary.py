"""The summary of a store, as a document."""

from collections.abc import Iterator, Sequence

from reamon.analytics import AgentSummary, CostSummary, Summary
from reamon.terminal.document import Align, Block, Column, Document, Facts, Note, Style, Table, Text
from reamon.terminal.figures import bar, count, duration, model_name, moment, money, share
from reamon.terminal.statuses import mark, style_of

_AGENTS = (
    Column("agent", shrinks=True),
    Column("runs", Align.RIGHT),
    Column("errors", Align.RIGHT),
    Column("degraded", Align.RIGHT),
    Column("p50", Align.UNIT),
    Column("p95", Align.UNIT),
    Column("max", Align.UNIT),
    Column("p95"),
    Column("mean wait", Align.UNIT),
    Column("cost", Align.RIGHT),
)
_OUTCOMES = (Column("outcome"), Column("calls", Align.RIGHT), Column("share", Align.UNIT), Column(""))
_MODELS = (
    Column("model", shrinks=True),
    Column("calls", Align.RIGHT),
    Column("said usage", Align.RIGHT),
    Column("tokens in", Align.RIGHT),
    Column("cached", Align.RIGHT),
    Column("tokens out", Align.RIGHT),
)
_ERRORS = (
    Column("error"),
    Column("times", Align.RIGHT),
    Column("turns", Align.RIGHT),
    Column("mostly in"),
    Column("last message", shrinks=True),
)


def summary_document(summary: Summary) -> Document:
    """A summary for people: headline, outcomes, agents, models, errors."""
    if not summary.turns:
        return [Note(Text.of("Nothing is recorded yet."))]
    return list(_blocks(summary))


def _blocks(summary: Summary) -> Iterator[Block]:
    yield Facts(_headline(summary))
    if summary.calls:
        yield _outcomes(summary)
    if summary.agents:
        yield _agents(summary.agents)
    if summary.models:
        yield _models(summary)
    if summary.errors:
        yield _errors(summary)


def _headline(summary: Summary) -> list[tuple[str, Text]]:
    latency, slowest = summary.latency, summary.slowest_step
    first, last = summary.first_start, summary.last_start
    return [
        ("project", Text.of(summary.project or "")),
        ("turns began", Text.of(f"{moment(first)} to {moment(last)} UTC" if first and last else "")),
        ("calls", Text.of(f"{summary.calls:,}", Style.STRONG)),
        ("turns", Text.of(f"{summary.turns:,}", Style.STRONG) + Text.of("   ") + _statuses(summary)),
        (
            "a turn took",
            Text.of(f"p50 {duration(latency.p50_ms)}, p95 {duration(latency.p95_ms)}, max {duration(latency.max_ms)}")
            if latency
            else Text(),
        ),
        ("cost", _cost(summary.cost)),
        ("cost of a call", _call_cost(summary)),
        (
            "slowest step",
            Text.of(f"{slowest.kind} {slowest.name} {duration(slowest.duration_ms)}")
            + Text.of(f"  in call {slowest.call_id}" if slowest.call_id else f"  in {slowest.trace_id}", Style.FAINT)
            if slowest
            else Text(),
        ),
    ]


def _statuses(summary: Summary) -> Text:
    return Text.join(
        [
            mark(status) + Text.of(f" {number:,} {status}", style_of(status))
            for status, number in summary.statuses.items()
        ],
        "   ",
    )


def _cost(cost: CostSummary) -> Text:
    if cost.total is None:
        return Text.of("no cost is known", Style.FAINT)
    by_type = ", ".join(f"{kind} {money(amount)}" for kind, amount in cost.by_type.items())
    doubt = "" if cost.status == "complete" else "incomplete: some prices are unknown"
    return Text.join([Text.of(money(cost.total), Style.STRONG), Text.of(f"({by_type})"), Text.of(doubt, Style.WARNING)])


def _call_cost(summary: Summary) -> Text:
    per_call = summary.cost.per_call
    if per_call is None:
        return Text()
    over = "" if per_call.calls == summary.calls else f"over the {count(per_call.calls, 'call')} with all costs known"
    return Text.join(
        [
            Text.of(f"mean {money(per_call.mean)}, p50 {money(per_call.p50)}, max {money(per_call.max)}"),
            Text.of(over, Style.FAINT),
        ]
    )


def _outcomes(summary: Summary) -> Table:
    most = max(outcome.calls for outcome in summary.outcomes)
    return Table(
        _OUTCOMES,
        [
            (
                Text.of(outcome.outcome or "(none recorded)", Style.PLAIN if outcome.outcome else Style.FAINT),
                Text.of(f"{outcome.calls:,}"),
                Text.of(share(outcome.calls, summary.calls)),
                Text.of(bar(outcome.calls, most, width=20), Style.ACCENT),
            )
            for outcome in summary.outcomes
        ],
    )


def _agents(agents: Sequence[AgentSummary]) -> Table:
    slowest = max((agent.latency.p95_ms for agent in agents if agent.latency), default=0.0)
    return Table(_AGENTS, [_agent(agent, slowest) for agent in agents])


def _agent(agent: AgentSummary, slowest: float) -> Sequence[Text]:
    latency = agent.latency
    return (
        Text.of(agent.agent_type, Style.STRONG),
        Text.of(f"{agent.executions:,}"),
        _alarming(agent.errors, Style.BAD),
        _alarming(agent.degraded, Style.WARNING),
        Text.of(duration(latency.p50_ms if latency else None)),
        Text.of(duration(latency.p95_ms if latency else None)),
        Text.of(duration(latency.max_ms if latency else None)),
        Text.of(bar(latency.p95_ms if latency else 0, slowest), Style.ACCENT),
        Text.of(duration(agent.mean_wait_ms)),
        Text.of(money(agent.cost)),
    )


def _alarming(number: int, style: Style) -> Text:
    return Text.of(f"{number:,}", style if number else Style.FAINT)


def _models(summary: Summary) -> Table:
    return Table(
        _MODELS,
        [
            (
                Text.of(model_name(model.provider, model.model)),
                Text.of(f"{model.calls:,}"),
                Text.of(f"{model.counted:,}"),
                _tokens(model.input_tokens),
                _tokens(model.cached_input_tokens),
                _tokens(model.output_tokens),
            )
            for model in summary.models
        ],
    )


def _tokens(number: int | None) -> Text:
    return Text.of("unknown", Style.FAINT) if number is None else Text.of(f"{number:,}")


def _errors(summary: Summary) -> Table:
    return Table(
        _ERRORS,
        [
            (
                Text.of(error.error_type, Style.BAD),
                Text.of(f"{error.occurrences:,}"),
                Text.of(f"{error.turns:,}"),
                Text.of(error.where),
                Text.of(error.message or "", Style.FAINT),
            )
            for error in summary.errors
        ],
    )
