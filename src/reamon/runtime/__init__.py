"""The runtime of this process: made by `configure()`, and brought to an end by `shutdown()`, exit, fork and SIGTERM."""

import atexit
import logging
import os
import signal
import sys
import threading
import time
from _thread import LockType, allocate_lock
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reamon import processes
from reamon.errors import ConfigurationError
from reamon.guard import guard, log
from reamon.pipeline import Stats
from reamon.protocols import Collector, Exporter, Processor
from reamon.runtime.assembly import Runtime, assemble, resolve_settings
from reamon.tracing import Clock, detach, innermost
from reamon.tracing.noop import SUPPRESSED

if TYPE_CHECKING:
    from reamon.settings import MonitoringSettings

__all__ = ["Runtime", "aflush", "ashutdown", "configure", "flush", "shutdown", "stats"]

_LONGEST_WAIT: Final = 3600.0  # seconds; a lock refuses to be waited for without end
_NOTHING: Final = Stats(
    recorded=0,
    claimed={},
    exported={},
    pending={},
    spooled={},
    dropped={},
    internal_errors=0,
    microseconds_per_span=None,
    queue_age_seconds=0.0,
    lanes={},
)


class _Stop(NamedTuple):
    """A runtime that is coming to its end, on which thread, and what is locked until then.

    The lock is one of its own for each stop: a signal handler may come in at any moment, and stop another runtime.
    """

    runtime: Runtime
    thread: int
    unfinished: LockType


_runtime: Runtime | None = None
_stopping: _Stop | None = None
_last_stats: Stats = _NOTHING
_lock = threading.RLock()


def configure(
    settings: "MonitoringSettings | Mapping[str, Any] | None" = None,
    *,
    exporters: "Sequence[str | Exporter] | str | None" = None,
    collectors: "Sequence[str | Collector] | str | None" = None,
    processors: "Sequence[str | Processor] | str | None" = None,
    clock: Clock | None = None,
    random_62: Callable[[], int] | None = None,
    **overrides: Any,
) -> Runtime:
    """Begin to record. Called again, it flushes what there is and starts afresh.

    Args:
        settings: A `MonitoringSettings`, or a mapping of its fields. Default: environment and `.env`.
        exporters: Where finished spans go: names, or exporters of your own. Default: the setting `exporters`, which is
            SQLite at `$REAMON_HOME/reamon.db`.
        collectors: What derives more from spans, by name or as objects. Default: the setting `collectors`.
        processors: What edits or drops spans, by name or as callables, after redaction and in this order. Default: the
            setting `processors`.
        clock: Where the time comes from; for tests.
        random_62: Where the 62 unique bits of ids come from; for tests.
        **overrides: Single settings, which win over `settings` and the environment.

    Returns:
        The runtime; `flush()`, `shutdown()` and `stats()` are about the last one that was configured.

    Raises:
        ConfigurationError: A setting or a part cannot be used; the message names it.

    Example:
        >>> import tempfile
        >>> from reamon.exporters import MemoryExporter
        >>> runtime = configure(exporters=[MemoryExporter()], home=tempfile.mkdtemp())
        >>> shutdown()
        True
    """
    global _runtime  # noqa: PLW0603 - one process, one runtime
    resolved = resolve_settings(settings, overrides)
    runtime = assemble(
        resolved,
        exporters,
        collectors,
        processors,
        _finish_with_multiprocessing,
        clock=clock,
        random_62=random_62,
    )
    with _lock:
        before = _runtime
        _runtime = runtime
        runtime.record()
        try:
            if before is not None:
                _stop(_announce(before), resolved.shutdown_timeout)
                if resolved.enabled:
                    before.pipeline.bequeath(runtime.pipeline)
            runtime.start()
        except BaseException:
            _runtime = None
            detach()
            raise
        _hook_into_process(resolved)
    return runtime


def flush(timeout: float = 5.0, *, until: str = "acknowledged") -> bool:
    """Wait until everything that finished before is safe.

    Args:
        timeout: Seconds to wait at most.
        until: "acknowledged": every exporter has taken it (or refused it for good), what waited on disk included.
            "durable": for an exporter that is down, on disk is enough.

    Returns:
        Whether it is.
    """
    if until not in ("acknowledged", "durable"):
        raise ConfigurationError(f"flush(until={until!r}): until is 'acknowledged' or 'durable'")
    runtime = _runtime
    return _await_stop(timeout) if runtime is None else runtime.flush(timeout, durable=until == "durable")


def shutdown(timeout: float = 5.0) -> bool:
    """Flush, and stop recording; decorated code passes through afterwards. Also runs when the process exits.

    Args:
        timeout: Seconds that it may take, at most. What is not delivered by then is put on disk, and delivered by the
            next process that is configured with the same exporter.

    Returns:
        Whether everything is delivered or on disk.
    """
    global _runtime  # noqa: PLW0603 - one process, one runtime
    deadline = time.monotonic() + timeout
    # Another thread may be in `configure()`, waiting for an exporter that never opens: half of the time has to do.
    has_lock = _lock.acquire(timeout=min(max(timeout / 2, 0.0), _LONGEST_WAIT))
    try:
        runtime = _runtime
        stop = None if runtime is None else _announce(runtime)
        _runtime = None
        detach()
    finally:
        if has_lock:
            _lock.release()
    left = deadline - time.monotonic()
    return _await_stop(left) if stop is None else _stop(stop, left)


async def aflush(timeout: float = 5.0, *, until: str = "acknowledged") -> bool:  # noqa: ASYNC109 - bounds a thread's work
    """`flush()` for coroutines: the event loop goes on meanwhile."""
    import asyncio  # noqa: PLC0415 - whoever awaits this has it already

    return await asyncio.to_thread(flush, timeout, until=until)


async def ashutdown(timeout: float = 5.0) -> bool:  # noqa: ASYNC109 - bounds a thread's work
    """`shutdown()` for coroutines: the event loop goes on meanwhile."""
    import asyncio  # noqa: PLC0415 - whoever awaits this has it already

    return await asyncio.to_thread(shutdown, timeout)


def stats() -> Stats:
    """What became of every span of this process, how each exporter is doing, and what reamon itself costs.

    After `shutdown()`, what it came to.

    Example:
        >>> stats().dropped
        {}
    """
    runtime, stopping = _runtime, _stopping
    if runtime is None and stopping is not None:
        runtime = stopping.runtime
    return _last_stats if runtime is None else runtime.pipeline.stats()


# -- the process -----------------------------------------------------------------------------------------------------


_hooked = False


def _hook_into_process(settings: "MonitoringSettings") -> None:
    """Exit, fork and SIGTERM, once for each process."""
    global _hooked  # noqa: PLW0603 - one process, one hook
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        processes.on_finish("runtime", _at_exit)
        os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)
    _finish_with_multiprocessing()
    is_main = threading.current_thread() is threading.main_thread()
    if settings.handle_sigterm and is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _announce(runtime: Runtime) -> _Stop:
    """Say that this thread is about to stop `runtime`, before others find that it is no longer there."""
    global _stopping  # noqa: PLW0603 - one process, one of it
    stop = _Stop(runtime, threading.get_ident(), allocate_lock())
    stop.unfinished.acquire()
    _stopping = stop
    return stop


def _stop(stop: _Stop, timeout: float) -> bool:
    global _stopping, _last_stats  # noqa: PLW0603 - one process, one of each
    try:
        return stop.runtime.shutdown(timeout)
    finally:
        _last_stats = stop.runtime.pipeline.stats()
        if _stopping is stop:
            _stopping = None
        stop.unfinished.release()


def _await_stop(timeout: float) -> bool:
    """Wait for what another thread is shutting down. Returns whether nothing of it is lost.

    Our own threads do not wait, since the shutdown waits for them.
    """
    stop = _stopping
    if stop is None or stop.thread == threading.get_ident() or innermost() is SUPPRESSED:
        return True
    if not stop.unfinished.acquire(timeout=min(max(timeout, 0.0), _LONGEST_WAIT)):
        return False
    stop.unfinished.release()
    return not any(_last_stats.pending.values())


def _at_exit(share: float = 1.0) -> None:
    """Shut down, in that share of the time that this may take."""
    runtime, stopping = _runtime, _stopping
    if runtime is None and stopping is not None:
        runtime = stopping.runtime
    if runtime is not None and not shutdown(runtime.settings.shutdown_timeout * share):
        log("reamon", logging.WARNING, "exit_incomplete", lost=_last_stats.pending)


def _on_sigterm(number: int, _frame: FrameType | None) -> None:
    """Flush, then end as the process would have ended without us."""
    interrupted = _stopping
    share = 1.0 if interrupted is None or _runtime is None else 0.5
    if interrupted is not None:  # the signal came in the middle of a shutdown, which will not go on
        interrupted.runtime.pipeline.shutdown(interrupted.runtime.settings.shutdown_timeout * share)
    if _runtime is not None:
        _at_exit(share)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


_forking = threading.local()


def _before_fork() -> None:
    stopping = None if _stopping is None else _stopping.runtime
    running = [runtime for runtime in (stopping, _runtime) if runtime is not None]
    _forking.go_on = [runtime.pipeline.hold_still() for runtime in running]


def _after_fork_in_parent() -> None:
    for go_on in _forking.go_on:
        go_on()


def _after_fork() -> None:
    global _lock, _stopping, _last_stats  # noqa: PLW0603 - one process, one of each
    _lock = threading.RLock()  # the parent's may be held by a thread that the child does not have
    _stopping, _last_stats = None, _NOTHING
    guard.reset()
    processes.renew()
    if _runtime is not None:
        _runtime.after_fork()


_finalized_pid: int | None = None


def _finish_with_multiprocessing() -> None:
    """Shut down when a `multiprocessing` child ends: it skips `atexit`, and runs finalizers of its own."""
    global _finalized_pid  # noqa: PLW0603 - once for each process
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or _finalized_pid == os.getpid() or process.parent_process() is None:
        return
    _finalized_pid = os.getpid()
    util.Finalize(None, _at_exit, exitpriority=-1)
