"""Conformance: does an exporter keep the contract in `reamon.protocols`?"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import Any, Final

from reamon.errors import ReamonError
from reamon.model import Span, SpanStatus
from reamon.protocols import Exporter
from reamon.testing.samples import make_span, running_spans, sample_spans

_PATIENCE: Final = 60.0
_TIMEOUT: Final = 5.0
_MANY: Final = 1000
_ARGUMENTS: Final = {
    "open": (),
    "started": ("batch",),
    "flush": ("timeout",),
    "shutdown": ("timeout",),
    "after_fork": (),
}


class ConformanceError(ReamonError, AssertionError):
    """An exporter breaks a rule of the contract; the message names the rule and what happened.

    Args:
        rule: The rule.
        problem: What happened instead.
    """

    def __init__(self, rule: str, problem: str) -> None:
        super().__init__(f"an exporter {rule}: {problem}")
        self.rule = rule


def check_exporter(
    factory: Callable[[], Exporter],
    *,
    read_back: Callable[[], Iterable[str]] | None = None,
    exactly_once: bool = False,
) -> None:
    """Run an exporter through everything that reamon may do with it.

    As in production, it is opened on one thread and used on another, where its `async` methods find a running loop.

    Args:
        factory: Makes an exporter; called more than once, as after a restart, so all should write to the same place.
        read_back: Gives the ids of the spans at the destination, to check that all have arrived. Called after `flush`
            and `shutdown`.
        exactly_once: A span that was sent twice, as after a lost acknowledgement, is to be at the destination once.

    Raises:
        ConformanceError: A rule is broken; the message says which.

    Example:
        >>> class Counter:
        ...     name = "counter"
        ...     total = 0
        ...
        ...     def export(self, batch):
        ...         self.total += len(batch)
        >>> check_exporter(Counter)
    """
    first = _make(factory)
    _check_shape(first)
    sent = [*_first_life(first), *_second_life(_make(factory))]
    if read_back is not None:
        _check_arrival(sent, list(read_back()), exactly_once=exactly_once)


class _Lane:
    """Calls an exporter as its lane does: on one thread of its own, with a loop for what is async."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="check_exporter")
        self._runner = asyncio.Runner()

    def export(self, rule: str, spans: Sequence[Span]) -> Sequence[Span]:
        """Send one batch, which the exporter has to leave as it is."""
        batch = list(spans)
        self._run(rule, self.exporter.export, batch)
        if batch != list(spans):
            raise ConformanceError("leaves the batch as it is", "export() changed the list that it was given")
        return spans

    def optional(self, rule: str, method: str, *arguments: Any) -> None:
        """Call an optional method, if the exporter has it."""
        if hasattr(self.exporter, method):
            self._run(rule, getattr(self.exporter, method), *arguments)

    def close(self) -> None:
        """Stop the thread; one that hangs is left behind."""
        self._thread.submit(self._runner.close)
        self._thread.shutdown(wait=False)

    def _run(self, rule: str, function: Callable[..., Any], *arguments: Any) -> None:
        with _rule(rule):
            try:
                self._thread.submit(self._call, function, *arguments).result(_PATIENCE)
            except FutureTimeoutError:
                raise ConformanceError(rule, f"it had not come back after {_PATIENCE:g} s") from None

    def _call(self, function: Callable[..., Any], *arguments: Any) -> None:
        result = function(*arguments)
        if inspect.isawaitable(result):
            self._runner.run(_awaited(result))


async def _awaited(result: Any) -> None:
    await result


@contextmanager
def _rule(rule: str) -> Iterator[None]:
    """Whatever goes wrong inside breaks this rule."""
    try:
        yield
    except ConformanceError:
        raise
    except Exception as error:
        raise ConformanceError(rule, f"{type(error).__name__}: {error}") from error


def _make(factory: Callable[[], Exporter]) -> Exporter:
    with _rule("can be made by the factory"):
        return factory()


def _check_shape(exporter: Exporter) -> None:
    name = getattr(exporter, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise ConformanceError("has a name", f"its name is {name!r}; give it a text that is not empty")
    if not callable(getattr(exporter, "export", None)):
        raise ConformanceError("has a method export(batch)", f"{type(exporter).__name__} has none")
    if not isinstance(getattr(exporter, "local", False), bool):
        raise ConformanceError("says with a bool whether it is local", f"its local is {exporter.local!r}")  # type: ignore[attr-defined]
    destination = getattr(exporter, "destination", name)
    if not isinstance(destination, str) or not destination:
        raise ConformanceError("names its destination with a text", f"its destination is {destination!r}")
    _check_signature(exporter, "export", ("batch",))
    for method, arguments in _ARGUMENTS.items():
        if hasattr(exporter, method):
            _check_signature(exporter, method, arguments)


def _check_signature(exporter: Exporter, method: str, arguments: tuple[str, ...]) -> None:
    rule = f"takes {method}({', '.join(arguments)})"
    with _rule(rule):
        inspect.signature(getattr(exporter, method)).bind(*arguments)


def _first_life(exporter: Exporter) -> Iterator[Span]:
    """Everything that happens between a start and an orderly end. Yields what was sent."""
    _open(exporter)
    lane = _Lane(exporter)
    samples, workflows = sample_spans(), running_spans()
    try:
        lane.optional("accepts the start of a workflow", "started", workflows)
        yield from lane.export("accepts a batch of one span", [make_span("alone")])
        for span in samples:
            yield from lane.export(f"accepts a {span.kind} span named {span.name!r}", [span])
        yield from lane.export("accepts a batch of many spans", [make_span(f"of many {n}") for n in range(_MANY)])
        yield from lane.export("accepts spans that it has got before", samples)
        finished = [span.replace(status=SpanStatus.OK, end_ns=span.start_ns + 1) for span in workflows]
        yield from lane.export("accepts the end of a workflow whose start it has got", finished)
        lane.optional("flushes within the timeout", "flush", _TIMEOUT)
        lane.optional("shuts down without raising", "shutdown", _TIMEOUT)
        lane.optional("can be shut down twice", "shutdown", _TIMEOUT)
    finally:
        lane.close()


def _second_life(exporter: Exporter) -> Iterator[Span]:
    """A restart, and then what a forked child does. Yields what was sent."""
    _open(exporter)
    lane = _Lane(exporter)
    try:
        yield from lane.export("works after a restart", [make_span("after a restart")])
        lane.optional("can be told that it is in a forked child", "after_fork")
        yield from lane.export("works in a forked child", [make_span("after a fork")])
        lane.optional("shuts down without raising", "shutdown", _TIMEOUT)
    finally:
        lane.close()


def _open(exporter: Exporter) -> None:
    """On the thread that configures, which is not the one that exports."""
    if hasattr(exporter, "open"):
        with _rule("can be opened"):
            exporter.open()


def _check_arrival(sent: Sequence[Span], arrived: Sequence[str], *, exactly_once: bool) -> None:
    names = {span.span_id: span.name for span in sent}
    counts = Counter(arrived)
    missing = [name for span_id, name in names.items() if span_id not in counts]
    if missing:
        raise ConformanceError("delivers every span", f"{len(missing)} are missing, such as {missing[0]!r}")
    twice = [name for span_id, name in names.items() if counts[span_id] > 1]
    if exactly_once and twice:
        raise ConformanceError("delivers a span once", f"{len(twice)} arrived more than once, such as {twice[0]!r}")
    strange = counts.keys() - names.keys()
    if strange:
        raise ConformanceError("delivers nothing else", f"{len(strange)} unknown ids arrived, such as {min(strange)!r}")
