"""The assembly: settings and parts become a runtime, in which tracing, pipeline and exporters are connected."""

import contextvars
import functools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reamon import plugins
from reamon.errors import ConfigurationError
from reamon.guard import guard, log
from reamon.model import Span
from reamon.pipeline import Limits, Outbox, Pipeline, RedactKeys, Stages, destination_of
from reamon.protocols import Collector, Exporter, Processor
from reamon.runtime.budgeting import ask, ask_no_more, collector_options, with_budgets
from reamon.runtime.pruner import make_pruner
from reamon.tracing import Clock, Recorder, Started, attach, detach, suppress, to_span
from reamon.tracing.recorder import RECORDED

if TYPE_CHECKING:
    from reamon.settings import MonitoringSettings

_PIPELINE_SHARE = 0.85  # of a shutdown's time; the rest is for collectors, which have everything by then


class Runtime:
    """What `configure()` made: the settings, the parts, and the pipeline that connects them.

    Args:
        settings: All settings.
        exporters: Where finished spans go.
        stages: Processors, collectors, sampler.
        on_start: Called on the thread that records the first span, before ours are started.
        collectors: Those of the stages, to be flushed and shut down with the rest.
        clock: Injected by tests.
        random_62: Gives the bits that make ids unique; injected by tests.
    """

    def __init__(
        self,
        settings: "MonitoringSettings",
        exporters: Sequence[Exporter],
        stages: Stages,
        on_start: Callable[[], object],
        *,
        collectors: Sequence[Collector] = (),
        clock: Clock | None = None,
        random_62: Callable[[], int] | None = None,
    ) -> None:
        self.settings = settings
        self.exporters = tuple(exporters)
        self.collectors = tuple(collectors)
        limits = Limits(
            max_queue=settings.max_queue,
            max_lane_bytes=settings.max_lane_bytes,
            batch_size=settings.batch_size,
            flush_interval=settings.flush_interval,
            retry_base=settings.retry_base,
            retry_cap=settings.retry_cap,
            breaker_failures=settings.breaker_failures,
            breaker_rest=settings.breaker_rest,
            breaker_successes=settings.breaker_successes,
            claim_interval=settings.claim_interval,
            durability_timeout=settings.durability_timeout if settings.durability == "span" else None,
        )
        self._clock = clock or Clock()
        self.pipeline = Pipeline(
            self._build,
            exporters,
            stages,
            Outbox(settings.home / "outbox.sqlite", settings.max_outbox_bytes, settings.abandon_after),
            limits,
            is_finished=lambda item: not isinstance(item, Started),
            on_start=on_start,
            on_drain=self._clock.reanchor,
            age_of=self._age_of,
            context=_quiet_context,
        )
        self._pruner = make_pruner(settings, exporters, _quiet_context)
        self.recorder = Recorder(
            self.pipeline.queue,
            clock=self._clock,
            random_62=random_62,
            payload_limit=settings.payload_limit,
            project=settings.project,
        )

    def record(self) -> None:
        """Begin to record, or, where that is switched off, stop. What is recorded waits for `start`."""
        if self.settings.enabled:
            attach(self.recorder)
        else:
            detach()

    def start(self) -> None:
        """Open the exporters, take over what dead processes left on disk, and begin to deliver.

        Raises:
            ReamonError: An exporter cannot be opened; the others are shut down again.
        """
        opened: list[Exporter] = []
        try:
            for exporter in self.exporters:
                opened.append(exporter)
                _call(exporter, "open")
        except BaseException:
            for exporter in opened:
                _call(exporter, "shutdown", 0.0)
            raise
        self.pipeline.start()
        ask(self.collectors)
        if self._pruner is not None:
            self._pruner.start()

    def flush(self, timeout: float, *, durable: bool = False) -> bool:
        """Wait until what finished before is acknowledged or (`durable`) on disk, and collectors are done with it."""
        deadline = time.monotonic() + timeout
        is_flushed = self.pipeline.flush(timeout, durable=durable)
        return self._end_collectors("flush", deadline) and is_flushed

    def shutdown(self, timeout: float) -> bool:
        """Deliver what there is, within `timeout` seconds. Returns whether everything is delivered or on disk."""
        if self._pruner is not None:
            self._pruner.stop()
        deadline = time.monotonic() + timeout
        has_ends = any(hasattr(collector, "shutdown") for collector in self.collectors)
        is_delivered = self.pipeline.shutdown(timeout * _PIPELINE_SHARE if has_ends else timeout)
        is_done = self._end_collectors("shutdown", deadline)
        ask_no_more(self.collectors)
        return is_delivered and is_done

    def _end_collectors(self, method: str, deadline: float) -> bool:
        """Call `flush` or `shutdown` of those collectors that have it. Returns whether all of them are done."""
        is_done = True
        for collector in self.collectors:
            end = getattr(collector, method, None)
            if end is not None:
                try:
                    is_done = end(max(deadline - time.monotonic(), 0.0)) is not False and is_done
                except Exception as error:
                    guard.contain(f"collector {collector.name}", error)
                    is_done = False
        return is_done

    def after_fork(self) -> None:
        """Begin anew in a forked child."""
        self.pipeline.after_fork()
        self.recorder.after_fork()
        if self._pruner is not None:
            self._pruner.after_fork()

    def _build(self, item: Any) -> Span | None:
        process_id = self.recorder.process_id
        if isinstance(item, Started):
            return item.to_span(process_id)
        if item.generation == RECORDED:  # two threads ended it in the same moment
            return None
        item.generation = RECORDED
        return to_span(item, process_id)

    def _age_of(self, item: Any) -> float:
        ended = item.root.start if isinstance(item, Started) else item.end_mark
        return max(self.recorder.now() - ended, 0) / 1e9


def assemble(
    settings: "MonitoringSettings",
    exporters: "Sequence[str | Exporter] | str | None",
    collectors: "Sequence[str | Collector] | str | None",
    processors: "Sequence[str | Processor] | str | None",
    on_start: Callable[[], object],
    *,
    clock: Clock | None,
    random_62: Callable[[], int] | None,
) -> Runtime:
    """The runtime of these settings, with the parts that were given in the place of those that the settings name.

    Raises:
        ConfigurationError: A part cannot be used; the message names it.
    """
    chosen = _without_left_out(_chosen(exporters, settings.exporters), settings)
    destinations = plugins.make("exporters", chosen, settings.options_of)
    _refuse_shared_destination(destinations)
    named = _chosen(collectors, settings.collectors)
    made = plugins.make("collectors", named, functools.partial(collector_options, settings))
    derivers = with_budgets(made, settings)
    editors = plugins.make("processors", _chosen(processors, settings.processors))
    if settings.redact_keys:
        editors.insert(0, RedactKeys(settings.redact_keys))
    stages = Stages(editors, derivers, settings.sample_rate)
    return Runtime(settings, destinations, stages, on_start, collectors=derivers, clock=clock, random_62=random_62)


def resolve_settings(
    settings: "MonitoringSettings | Mapping[str, Any] | None", overrides: Mapping[str, Any]
) -> "MonitoringSettings":
    """The settings that `configure()` was given, with single ones replaced; what is not given is read.

    Raises:
        ConfigurationError: One of them cannot be used; the message names it.
    """
    from reamon.settings import MonitoringSettings  # noqa: PLC0415 - pydantic-settings takes half a second

    if settings is None:
        return MonitoringSettings(**overrides)
    if isinstance(settings, Mapping):
        return MonitoringSettings(**{**settings, **overrides})
    if not isinstance(settings, MonitoringSettings):
        raise ConfigurationError(f"configure(): settings is a MonitoringSettings or a mapping, not {settings!r}")
    if not overrides:
        return settings
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return MonitoringSettings(**{**given, **overrides})


def _chosen(given: Sequence[Any] | str | None, default: Sequence[str]) -> Sequence[Any]:
    """The parts that were asked for; names in one string are separated by commas, as in the settings."""
    from reamon.settings import split_names  # noqa: PLC0415 - see above

    if given is None:
        return default
    return split_names(given) if isinstance(given, str) else given


def _without_left_out(exporters: Sequence[Any], settings: "MonitoringSettings") -> Sequence[Any]:
    """Without those that the environment switches off by name; an object made by hand is there on purpose."""
    for name, reason in settings.exporters_left_out.items():
        if name in exporters:
            log("reamon", logging.INFO, "exporter_left_out", exporter=name, because=reason)
    left_out = settings.exporters_left_out
    return [item for item in exporters if not (isinstance(item, str) and item in left_out)]


def _refuse_shared_destination(exporters: Sequence[Exporter]) -> None:
    by_destination: dict[str, str] = {}
    for exporter in exporters:
        other = by_destination.setdefault(destination_of(exporter), exporter.name)
        if other != exporter.name:
            where = destination_of(exporter)
            raise ConfigurationError(f"exporters: {other!r} and {exporter.name!r} both send to {where!r}; keep one")


def _call(exporter: Exporter, method: str, *arguments: Any) -> None:
    """Call an optional method of an exporter."""
    optional = getattr(exporter, method, None)
    if optional is not None:
        optional(*arguments)


def _quiet_context() -> contextvars.Context:
    """A context in which nothing is recorded: our threads, and what exporters do in them."""
    context = contextvars.Context()
    context.run(suppress().__enter__)
    return context
