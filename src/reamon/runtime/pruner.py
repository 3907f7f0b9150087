"""The pruner: a running application that keeps its store within the limits, where somebody has asked for that."""

import contextvars
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reamon.guard import describe, log
from reamon.pipeline import destination_of
from reamon.protocols import Exporter

if TYPE_CHECKING:
    from reamon.settings import MonitoringSettings
    from reamon.store.limits import Limits

_LOGGER: Final = "reamon.retention"
_LONGEST_SLEEP: Final = 3600.0  # seconds; then it looks whether another process has done it meanwhile
_FIRST_SLEEP: Final = 60.0  # seconds; a process that has just started has other things to do


class Pruner:
    """Prunes stores every so often, in one daemon thread, and in one process of a machine at a time.

    When a store was last pruned stands in a small file in `home`, so that of ten processes one does it, and a restart
    does not begin the interval anew. What goes wrong is logged and tried again; the exit of the process never waits.

    Args:
        targets: The stores.
        limits: What they are to keep.
        project: Only what belongs to this project; None: everything.
        every: The interval.
        home: Where the files lie that say when.
        context: Makes the context in which the thread runs.
        wait: Waits for so many seconds, or until the event; returns whether it was set. For tests.
        now: Seconds since 1970; for tests.
    """

    def __init__(
        self,
        targets: Sequence[Path | str],
        limits: "Limits",
        project: str | None,
        every: timedelta,
        home: Path,
        *,
        context: Callable[[], contextvars.Context] = contextvars.copy_context,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._targets = tuple(targets)
        self._limits = limits
        self._project = project
        self._every = every.total_seconds()
        self._home = home
        self._context = context
        self._wait = wait
        self._now = now
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin; the first look is a minute later, at most."""
        threading.Thread(
            target=self._context().run, args=(self.run, self._stopped), name="reamon-pruner", daemon=True
        ).start()

    def stop(self) -> None:
        """Begin nothing more, and end what runs between two of its transactions. Waits for nobody."""
        self._stopped.set()

    def after_fork(self) -> None:
        """Go on in a forked child, whose parent's thread it does not have."""
        if not self._stopped.is_set():
            self._stopped = threading.Event()
            self.start()

    def run(self, stopped: threading.Event) -> None:
        """What the thread does."""
        sleep = min(_FIRST_SLEEP, self._every)
        while not self._wait(stopped, sleep):
            due = [self.look(target, stopped) for target in self._targets]
            sleep = min(max(min(due, default=self._every), 1.0), _LONGEST_SLEEP)

    def look(self, target: Path | str, stopped: threading.Event) -> float:
        """Prune a store if it is time. Returns in how many seconds it will be."""
        try:
            with self._turn(target) as note:
                if note is None:
                    return self._every  # another process is at it
                left = _last(note) + self._every - self._now()
                if left > 0:
                    return min(left, self._every)
                self._prune(target, stopped)
                if not stopped.is_set():  # else it may not be through
                    _write(note, self._now())
        except Exception as error:
            log(_LOGGER, logging.WARNING, "not_pruned", store=_name(target), error=describe(error), then="retried")
        return self._every

    def _prune(self, target: Path | str, stopped: threading.Event) -> None:
        from reamon.store.projects import ALL_PROJECTS  # noqa: PLC0415 - only where pruning is asked for
        from reamon.store.retention import prune  # noqa: PLC0415 - the same

        begun = time.perf_counter()
        pruned = prune(
            target, self._limits, project=self._project or ALL_PROJECTS, is_wanted=lambda: not stopped.is_set()
        )
        counts: dict[str, Any] = {**pruned.rows}
        if pruned.summaries:
            counts["summaries"] = pruned.summaries
        if pruned.partitions:
            counts["partitions"] = len(pruned.partitions)
        took, longest = time.perf_counter() - begun, pruned.longest * 1000
        log(
            _LOGGER,
            logging.INFO,
            "pruned",
            store=_name(target),
            seconds=round(took, 1),
            longest_ms=round(longest, 1),
            **counts,
        )

    @contextmanager
    def _turn(self, target: Path | str) -> Iterator[int | None]:
        """Hold the file that says when a store was last pruned; None if another process holds it.

        A POSIX lock: a child that is forked meanwhile does not have it, and it ends with the process.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        name = blake2b(str(target).encode(), digest_size=8).hexdigest()
        handle = os.open(self._home / f"pruned-{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                yield None
            else:
                yield handle
        finally:
            os.close(handle)


def stores_of(exporters: Sequence[Exporter]) -> list[Path | str]:
    """The stores that these exporters write to: SQLite files, and PostgreSQL databases."""
    stores: list[Path | str] = []
    for exporter in exporters:
        kind = destination_of(exporter).partition(":")[0]
        path, url = getattr(exporter, "path", None), getattr(exporter, "store_url", None)
        if kind == "sqlite" and isinstance(path, Path):
            stores.append(path)
        elif kind.startswith("postgres") and isinstance(url, str):
            stores.append(url)
    return stores


def make_pruner(
    settings: "MonitoringSettings", exporters: Sequence[Exporter], context: Callable[[], contextvars.Context]
) -> Pruner | None:
    """The pruner that the settings ask for; None if they do not, or if there is no store.

    Raises:
        ConfigurationError: The limits make no sense together.
    """
    asked = settings.retention
    targets = stores_of(exporters)
    if asked.every is None or not settings.enabled or not targets:
        return None
    from reamon.store.limits import Limits  # noqa: PLC0415 - few ask for it

    return Pruner(targets, Limits.from_settings(asked), settings.project, asked.every, settings.home, context=context)


def _name(target: Path | str) -> str:
    """Where a store is, without a password."""
    text = str(target)
    scheme, separator, rest = text.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else text


def _last(note: int) -> float:
    try:
        return float(os.pread(note, 64, 0))
    except ValueError:  # never, or a note that was torn
        return 0.0


def _write(note: int, moment: float) -> None:
    os.ftruncate(note, 0)
    os.pwrite(note, str(moment).encode(), 0)
