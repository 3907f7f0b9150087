"""Capturing: what the code inside a block records, at hand when it has ended, and nothing of it anywhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, Final

from reamon import runtime
from reamon.exporters.memory import MemoryExporter
from reamon.guard import guard
from reamon.model import Span
from reamon.tracing import Clock, attach, detach

_TIMEOUT: Final = 10.0


class Captured(MemoryExporter):
    """The spans of a `capture_spans()` block: a `MemoryExporter` that is up to date whenever it is asked."""

    def __init__(self) -> None:
        super().__init__("captured")
        self._is_live = True

    @property
    def spans(self) -> list[Span]:
        """Every span that has finished so far, children before their parents.

        Raises:
            TimeoutError: Some have not arrived after ten seconds.
        """
        self._catch_up()
        return super().spans

    @property
    def started_spans(self) -> list[Span]:
        """Every workflow that has begun so far.

        Raises:
            TimeoutError: Some have not arrived after ten seconds.
        """
        self._catch_up()
        return super().started_spans

    def clear(self) -> None:
        """Forget everything that has finished so far, what is still on its way included."""
        self._catch_up()
        super().clear()

    def close(self) -> None:
        """The block has ended: what is here is all there is."""
        self._is_live = False

    def _catch_up(self) -> None:
        if self._is_live and not runtime.flush(_TIMEOUT):
            raise TimeoutError(f"spans had not arrived {_TIMEOUT:g} s after they finished: {runtime.stats()}")


@contextmanager
def capture_spans(
    *,
    strict: bool = True,
    clock: Clock | None = None,
    random_62: Callable[[], int] | None = None,
    **settings: Any,
) -> Iterator[Captured]:
    """Record into memory inside of the block, whatever is configured outside; that goes on afterwards as it was.

    Args:
        strict: Raise reamon's internal errors instead of containing them.
        clock: A `FakeClock`, for times that a test knows beforehand.
        random_62: `fake_ids()`, for ids that a test knows beforehand.
        **settings: Anything that `reamon.configure()` takes, `processors` and `collectors` included.

    Yields:
        What is captured; it stays readable after the block.

    Raises:
        ConfigurationError: A setting cannot be used.

    Example:
        As a pytest fixture:

        ```python
        @pytest.fixture
        def captured():
            with capture_spans() as captured:
                yield captured
        ```
    """
    captured = Captured()
    with _standing_in(), _strictness(strict), TemporaryDirectory(prefix="reamon-") as home:
        options = {"home": home, "enabled": True, "handle_sigterm": False, **settings}
        runtime.configure(exporters=[captured], clock=clock, random_62=random_62, **options)
        try:
            yield captured
        finally:
            runtime.shutdown(_TIMEOUT)
            captured.close()


@contextmanager
def _standing_in() -> Iterator[None]:
    """Put the runtime that there is aside, running but with nothing new to do, and put it back afterwards."""
    with runtime._lock:
        before, runtime._runtime = runtime._runtime, None
        detach()
    try:
        yield
    finally:
        with runtime._lock:
            runtime._runtime = before
            if before is not None and before.settings.enabled:
                attach(before.recorder)


@contextmanager
def _strictness(strict: bool) -> Iterator[None]:
    before, guard.strict = guard.strict, strict
    try:
        yield
    finally:
        guard.strict = before
