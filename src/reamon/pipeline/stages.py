"""The stages between the worker and the lanes: processors, collectors, sampler, in this order."""

from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import msgspec

from reamon.guard import guard
from reamon.model import Span
from reamon.model.cost import rounded
from reamon.protocols import Additions, Collector, Processor

_BUCKETS = 2**32


class Stages:
    """Edits each span and asks the collectors about it.

    Args:
        processors: Run in this order; one that raises, or returns None, ends the span's way.
        collectors: See every span that is left, before sampling.
        sample_rate: The share of traces that keep their payloads. Costs and counts are kept of all.
    """

    def __init__(self, processors: Sequence[Processor], collectors: Sequence[Collector], sample_rate: float) -> None:
        self._processors = tuple(processors)
        self._collectors = tuple(collectors)
        self._starters = tuple(collector for collector in collectors if hasattr(collector, "started"))
        self._sample_rate = sample_rate
        self.dropped: Counter[str] = Counter()

    def finish(self, span: Span) -> Span | None:
        """A finished span as the exporters get it, or None if it was dropped."""
        edited = self._process(span, count=True)
        if edited is None:
            return None
        for collector in self._collectors:
            try:
                additions = collector.collect(edited)
                if additions is not None:
                    edited = _add(edited, additions)
            except BaseException as error:
                guard.contain(f"collector {collector.name}", error)
        return edited if self._sample_rate >= 1 else self._sample(edited)

    def begin(self, span: Span) -> Span | None:
        """A workflow that has begun, as the exporters get it."""
        edited = self._process(span, count=False)
        if edited is None:
            return None
        for collector in self._starters:
            try:
                collector.started(edited)
            except BaseException as error:
                guard.contain(f"collector {collector.name}", error)
        return edited if self._sample_rate >= 1 else self._sample(edited)

    def after_fork(self) -> None:
        """Begin to count anew in a child, and tell the collectors."""
        self.dropped = Counter()
        for collector in self._collectors:
            after_fork = getattr(collector, "after_fork", None)
            if after_fork is not None:
                try:
                    after_fork()
                except Exception as error:
                    guard.contain(f"collector {collector.name}", error)

    def _process(self, span: Span, *, count: bool) -> Span | None:
        for processor in self._processors:
            try:
                edited = processor(span)
            except BaseException as error:  # also a SystemExit: the worker outlives it
                guard.contain(f"processor {getattr(processor, '__name__', type(processor).__name__)}", error)
                self.dropped["processor_error"] += count
                return None
            if edited is None:
                self.dropped["processor"] += count
                return None
            span = edited
        return span

    def _sample(self, span: Span) -> Span:
        """The span, without payloads if its trace is not one of the sample.

        Decided by the trace's id, so that all spans of a trace, in whatever process, are treated alike. The ids of one
        process follow each other, hence the checksum.
        """
        if crc32(span.trace_id.encode()) < self._sample_rate * _BUCKETS:
            return span
        return span.replace(input=None, output=None, state_before=None, state_after=None)


def _add(span: Span, additions: Additions) -> Span:
    """The span with what a collector derived; each amount is rounded here, once."""
    costs = tuple(
        cost if cost.amount is None else msgspec.structs.replace(cost, amount=rounded(cost.amount))
        for cost in additions.costs
    )
    attributes = {**additions.attributes, **span.attributes} if additions.attributes else span.attributes
    return span.replace(costs=(*span.costs, *costs), attributes=attributes)
