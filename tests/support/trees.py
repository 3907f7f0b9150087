"""Trees: what was recorded, as text that a test can spell out."""

from collections.abc import Callable, Iterable, Sequence

from reamon.model import Span


def usual(span: Span) -> str:
    """Kind and name; the status where it is not ok; for an agent, whom it handed over to."""
    words = [span.kind.value, span.name]
    if span.status != "ok":
        words.append(f"[{span.status.value}]")
    if span.decision is not None and span.decision.next_agent is not None:
        words.append(f"-> {span.decision.next_agent}")
    return " ".join(words)


def tree(spans: Sequence[Span], shown: Callable[[Span], str] = usual) -> str:
    """All spans, children below their parents in order of start, each indented by two more blanks.

    A span whose parent is not among them stands at the left, behind three dots.
    """
    known = {span.span_id for span in spans}
    lines: list[str] = []

    def show(siblings: Iterable[Span], depth: int) -> None:
        for span in sorted(siblings, key=lambda one: (one.start_ns, one.span_id)):
            stray = "... " if depth == 0 and span.parent_id is not None else ""
            lines.append("  " * depth + stray + shown(span))
            show([one for one in spans if one.parent_id == span.span_id], depth + 1)

    show([span for span in spans if span.parent_id not in known], 0)
    return "\n".join(lines)
