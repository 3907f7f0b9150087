"""A custom exporter: it counts spans by kind. An exporter is a name and a method.

It prints:
agent     1
tool      2
workflow  1
"""

from collections import Counter
from collections.abc import Sequence

import reamon


class CountingExporter:
    """Counts what was recorded, by kind."""

    name = "counting"
    local = True  # it takes every batch at once, so nothing has to wait for it on disk

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()

    def export(self, batch: Sequence[reamon.Span]) -> None:
        """Take a batch of finished spans. To return is to acknowledge; to raise is to be given it again."""
        self.kinds.update(span.kind.value for span in batch)


@reamon.trace_tool
def look_up(address: str) -> int:
    """What the houses around are worth."""
    return 100_000 * len(address)


@reamon.trace_agent
def qualification(address: str) -> bool:
    """Whether the lead is worth a visit."""
    return look_up(address) + look_up(address.upper()) > 1_000_000


@reamon.trace_workflow
def turn(address: str) -> str:
    """One turn of a conversation."""
    return "Shall we meet?" if qualification(address) else "Thank you."


if __name__ == "__main__":
    counting = CountingExporter()
    reamon.configure(exporters=[counting])
    turn("12 Hill Road")
    reamon.flush()
    for kind, count in sorted(counting.kinds.items()):
        print(f"{kind:<9} {count}")
