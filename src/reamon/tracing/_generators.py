"""Traced generators: a span from the first advance to the end, current inside and never in the consumer."""

from collections.abc import AsyncGenerator, Generator
from typing import Any

from reamon.guard import guard
from reamon.tracing._switch import current, switch
from reamon.tracing._tracer import Tracer
from reamon.tracing.active import ActiveSpan
from reamon.tracing.capture import snapshot
from reamon.tracing.lifecycle import fail, finish
from reamon.tracing.noop import NoopSpan

_ITEMS_KEPT = 10_000

Parent = ActiveSpan | NoopSpan | None


class _Run:
    """One generator while it is being consumed: its span, and what it has yielded so far.

    Items are snapshotted as they come, because the consumer may change them; with `reduce` they are kept instead.
    """

    def __init__(self, tracer: Tracer, parent: Parent, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        recorder = switch.recorder
        self.span = None if recorder is None else tracer.open(recorder, parent, args, kwargs)
        self._room = 0 if recorder is None else recorder.payload_limit
        self._options = tracer.options
        self._items: list[Any] = []
        self._cut = 0

    def add(self, item: Any) -> None:
        """Take note of one item."""
        span = self.span
        if span is None:
            return
        try:
            if not self._items and not self._cut:
                span.mark_first_token()
            if not self._options.capture_output:
                return
            if self._options.reduce is not None:
                self._keep(item)
            elif self._room > 0:
                raw = snapshot(item, self._room)
                self._room -= len(raw) + 1
                self._items.append(raw)
            else:
                self._cut += 1
        except Exception as error:
            guard.contain("generator item", error)

    def ended(self) -> None:
        """The generator ended, or its consumer had enough."""
        recorder, span = switch.recorder, self.span
        if span is None or recorder is None:
            return
        end = recorder.now()
        try:
            finish(span, end, self._output(recorder.payload_limit) if self._options.capture_output else None)
        except Exception as error:
            guard.contain("generator end", error)

    def failed(self, error: BaseException) -> None:
        """The generator raised."""
        if self.span is not None:
            fail(self.span, error)

    def _keep(self, item: Any) -> None:
        if len(self._items) < _ITEMS_KEPT:
            self._items.append(item)
        else:
            self._cut += 1

    def _output(self, limit: int) -> bytes:
        if self._options.reduce is not None:
            try:
                return snapshot(self._options.reduce(self._items), limit)
            except Exception as error:
                guard.contain("reduce", error)
                return snapshot(self._items, limit)
        if self._cut:
            total = len(self._items) + self._cut
            self._items.append(f'"[reamon] {self._cut} of {total} items cut"'.encode())
        return b"[" + b",".join(self._items) + b"]"


def drive(
    generator: Generator[Any, Any, Any], tracer: Tracer, parent: Parent, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Any, Any, Any]:
    """Advance `generator` for its consumer, with its span current only while it runs."""
    run = _Run(tracer, parent, args, kwargs)
    step, sent = generator.send, None
    while True:
        consumer = current.get()
        current.set(run.span or consumer)
        try:
            item = step(sent)
        except StopIteration as stop:
            run.ended()
            return stop.value
        except BaseException as error:
            run.failed(error)
            raise
        finally:
            current.set(consumer)
        run.add(item)
        try:
            sent = yield item
            step = generator.send
        except GeneratorExit:
            _close(generator, run)
            raise
        except BaseException as error:  # the consumer's throw(): the generator's to deal with
            step, sent = generator.throw, error


def _close(generator: Generator[Any, Any, Any], run: _Run) -> None:
    consumer = current.get()
    current.set(run.span or consumer)
    try:
        generator.close()
    except BaseException as error:
        run.failed(error)
        raise
    finally:
        current.set(consumer)
    run.ended()


async def drive_async(
    generator: AsyncGenerator[Any, Any], tracer: Tracer, parent: Parent, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> AsyncGenerator[Any, Any]:
    """Advance `generator` for its consumer, with its span current only while it runs."""
    run = _Run(tracer, parent, args, kwargs)
    step: Any
    step, sent = generator.asend, None
    while True:
        consumer = current.get()
        current.set(run.span or consumer)
        try:
            item = await step(sent)
        except StopAsyncIteration:
            run.ended()
            return
        except BaseException as error:
            run.failed(error)
            raise
        finally:
            current.set(consumer)
        run.add(item)
        try:
            sent = yield item
            step = generator.asend
        except GeneratorExit:
            await _aclose(generator, run)
            raise
        except BaseException as error:  # the consumer's athrow(): the generator's to deal with
            step, sent = generator.athrow, error


async def _aclose(generator: AsyncGenerator[Any, Any], run: _Run) -> None:
    consumer = current.get()
    current.set(run.span or consumer)
    try:
        await generator.aclose()
    except BaseException as error:
        run.failed(error)
        raise
    finally:
        current.set(consumer)
    run.ended()
