"""Every extension contract, in one file: what you write to extend reamon, and what reamon promises to call.

Our own exporters, collectors and processors meet these contracts like anyone's; `reamon.testing.check_exporter()`
checks yours. The docstrings are the specification.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from reamon.model import CostData, Span


@runtime_checkable
class Exporter(Protocol):
    """Takes batches of finished spans somewhere.

    `export` returns: the batch is acknowledged and will not be sent again. It raises: the batch is kept and sent again,
    with backoff, for as long as it takes. `RetryAfter` says when to come back, `Paused` that somebody has to change
    something first, `Rejected` that some spans will never be accepted. It may be `async def`: each exporter has a
    thread, and so an event loop, of its own; no other exporter and no caller waits for it. Delivery is at least once:
    key by `span_id` where duplicates matter.

    Optional attributes and methods, found by name:

    * `local = True`: it commits by itself and needs no outbox in front of it.
    * `destination`: who it sends to (exporter, endpoint, workspace, project; never a key). What could not be delivered
      waits under this name on disk and only an exporter with an equal one gets it. Default: `name`.
    * `batch_size`, `batch_bytes`: what one batch may hold, in spans and roughly in bytes. Default: the setting
      `batch_size`, and no bound in bytes.
    * `flush_interval`: seconds for which a batch that is not full may wait for more. Default: 0.
    * `open()`: called once by `configure()`, before the first batch; may raise for set-up mistakes.
    * `started(batch)`: workflows that have begun, status `running`.
    * `flush(timeout)`: make everything exported so far visible to readers, within `timeout` seconds.
    * `shutdown(timeout)`: release what is held. Called once, after the last batch, on the exporter's own thread.
    * `after_fork()`: called in a forked child before it records anything: forget inherited handles, do not close them.

    Example:
        >>> class Counter:
        ...     name = "counter"
        ...     total = 0
        ...
        ...     def export(self, batch):
        ...         self.total += len(batch)
        >>> isinstance(Counter(), Exporter)
        True
    """

    name: str
    """Unique among the configured exporters; a second one of the same name is refused."""

    def export(self, batch: Sequence[Span]) -> None | Awaitable[None]:
        """Deliver `batch` (finished spans, oldest first, never empty), or raise."""


class Processor(Protocol):
    """A callable between a span's finish and everything else: redact, truncate, drop.

    Runs on the worker's thread, in the order configured. A processor that raises loses its span: better than passing on
    what it was there to remove. The loss is counted in `stats().dropped["processor_error"]`.
    """

    def __call__(self, span: Span, /) -> Span | None:
        """The span to go on with (`span.replace(...)` makes changed ones), or None to drop it."""


class Additions(msgspec.Struct, frozen=True):
    """What a collector derived from a span, to be added to it before it is exported.

    Attributes:
        costs: What its usage cost.
        attributes: More attributes; an attribute that the span has already stays.
    """

    costs: tuple[CostData, ...] = ()
    attributes: dict[str, Any] = {}


@runtime_checkable
class Collector(Protocol):
    """Sees every redacted span before sampling and derives something from it: costs, performance, outcomes.

    Collectors see a span in the order in which they are configured, each with what those before it have added.
    A collector that raises is counted and passed over; the span goes on.

    Optional, found by name:

    * `started(span)`: called with every workflow that begins.
    * `is_last = True`: it needs what the others add, so it comes after them wherever it is named.
    * `flush(timeout)`, `shutdown(timeout)`: be done with what was collected within that many seconds; False: it is not.
    * `after_fork()`: called in a forked child before it records anything.
    """

    name: str
    """Unique among the configured collectors."""

    def collect(self, span: Span) -> Additions | None:
        """Look at a finished span; return what it should gain, or None."""


class Capture(Protocol):
    """How objects of one type become payloads; registered with `reamon.tracing.register_capture(type, capture)`.

    An object of a type that nobody registered is recorded as its type's name, because even a `repr` may run a query.
    """

    def __call__(self, value: Any, /) -> Any:
        """What stands for `value`: anything that can be captured itself. Called on the caller's time, so be quick."""


class Channel(Protocol):
    """Where a notice goes: mail, chat, a pager, a log."""

    name: str
    """Unique among the configured channels."""

    def send(self, notice: Any) -> None | Awaitable[None]:
        """Deliver `notice`, or raise."""


class Instrumentor(Protocol):
    """Makes a library record spans by itself: what `reamon.instrument("name")` finds by its entry point.

    It hooks into what the library offers for that (callbacks, hooks, public methods) and changes nothing that the
    application sees: not what calls return or raise, not their signatures. Its hooks pass straight through while
    nothing is configured, and inside `reamon.suppress()`.

    Raises (where it is called, at set-up):
        MissingExtraError: The library is not installed.
        ConfigurationError: An option cannot be used; the message names it.

    Example:
        >>> import logging
        >>> class CountLogRecords:
        ...     def __call__(self, *, logger: str = "") -> Callable[[], None]:
        ...         def count(record):
        ...             return True
        ...         target = logging.getLogger(logger)
        ...         target.addFilter(count)
        ...         return lambda: target.removeFilter(count)
        >>> undo = CountLogRecords()(logger="example")
        >>> undo()
    """

    def __call__(self, **options: Any) -> Callable[[], None]:
        """Hook into the library. Returns what takes the hooks out again."""
