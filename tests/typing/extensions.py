"""What a type checker accepts as an extension: an exporter, a processor and a collector, sync and async."""

from collections.abc import Sequence

import reamon
from reamon.protocols import Additions, Collector, Exporter, Processor


class Blocking:
    """An exporter that blocks its own thread."""

    name = "blocking"

    def export(self, batch: Sequence[reamon.Span]) -> None:
        """Take a batch."""


class Awaiting:
    """An exporter that awaits."""

    name = "awaiting"

    async def export(self, batch: Sequence[reamon.Span]) -> None:
        """Take a batch."""


class Nameless:
    """Not an exporter: it has no name."""

    def export(self, batch: Sequence[reamon.Span]) -> None:
        """Take a batch."""


class Counting:
    """A collector."""

    name = "counting"

    def collect(self, span: reamon.Span) -> Additions | None:
        """Count nothing."""
        return Additions(attributes={"depth": len(span.ancestors)})


def drop_steps(span: reamon.Span) -> reamon.Span | None:
    """A processor."""
    return None if span.kind is reamon.SpanKind.STEP else span


blocking: Exporter = Blocking()
awaiting: Exporter = Awaiting()
nameless: Exporter = Nameless()  # type: ignore[assignment]
counting: Collector = Counting()
dropping: Processor = drop_steps
