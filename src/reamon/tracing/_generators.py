"""Traced generators: a span from the first advance to the end, current inside and never in the consumer."""

import sys
from collections.abc import AsyncGenerator, Callable, Generator
from types import AsyncGeneratorType
from typing import Any, Protocol

from reamon.guard import guard
from reamon.tracing._switch import current, switch
from reamon.tracing._tracer import Arguments, Parent, Tracer
from reamon.tracing.capture import snapshot
from reamon.tracing.lifecycle import fail, finish
from reamon.tracing.recorder import Pending

_ITEMS_KEPT = 10_000
_FRAME = 64  # bytes of an output for its brackets and the note of what was cut


class Advances(Protocol):
    """What is told about each advance of a generator, so that its context and its consumer's stay apart."""

    def resume(self) -> Any:
        """Before an advance: make current what was so when the generator was left. Returns what is so outside."""

    def pause(self, consumer: Any) -> None:
        """After an advance: give the consumer back what `resume` returned."""

    def add(self, item: Any) -> None:
        """The generator yielded `item`."""

    def ended(self) -> Pending | None:
        """It ended, or its consumer had enough. Returns what has to be waited for, if anything."""

    def failed(self, error: BaseException) -> Pending | None:
        """It raised."""


class TracedRun:
    """One generator while it is being consumed: its span, and what it has yielded so far.

    Items are snapshotted as they come, because the consumer may change them; with `reduce` they are kept instead.
    """

    def __init__(self, tracer: Tracer, parent: Parent, arguments: Arguments | None) -> None:
        recorder = switch.recorder
        self.span = None if recorder is None else tracer.open(recorder, parent, arguments)
        self._inside: Parent = self.span
        self._limit = 0 if recorder is None else recorder.payload_limit
        self._room = self._limit - _FRAME
        self._options = tracer.options
        self._items: list[Any] = []
        self._cut = 0

    def resume(self) -> Parent:
        """Make current what was so when the generator was left. Returns what is current in the consumer."""
        consumer = current.get()
        if self.span is not None:
            current.set(self._inside)
        return consumer

    def pause(self, consumer: Parent) -> None:
        """Give the consumer back what was current there, and keep the generator's: it may yield inside of a block."""
        if self.span is not None:
            self._inside = current.get()
            current.set(consumer)

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
            else:
                self._encode(item)
        except Exception as error:
            guard.contain("generator item", error)
        except BaseException as error:  # what a signal's handler raises, where the generator does not see it
            fail(span, error)
            raise

    def ended(self) -> Pending | None:
        """The generator ended, or its consumer had enough. Returns what has to be waited for, if anything."""
        recorder, span = switch.recorder, self.span
        if span is None or recorder is None:
            return None
        end = recorder.now()
        output = None
        try:
            output = self._output()
        finally:
            pending = finish(span, end, output)
        return pending

    def failed(self, error: BaseException) -> Pending | None:
        """The generator raised; what it had yielded until then is its output."""
        span = self.span
        if span is None:
            return None
        if span.raw_output is None and (self._items or self._cut):
            span.raw_output = self._output()
        return fail(span, error)

    def _encode(self, item: Any) -> None:
        raw = snapshot(item, self._room) if self._room > 0 else b""
        if 0 < len(raw) <= self._room:
            self._room -= len(raw) + 1
            self._items.append(raw)
        else:
            self._room = 0
            self._cut += 1

    def _keep(self, item: Any) -> None:
        if len(self._items) < _ITEMS_KEPT:
            self._items.append(item)
        else:
            self._cut += 1

    def _output(self) -> bytes | None:
        if not self._options.capture_output:
            return None
        if self._options.reduce is not None:
            try:
                return snapshot(self._options.reduce(self._items), self._limit)
            except Exception as error:
                guard.contain("reduce", error)
                return snapshot(self._items, self._limit)
        if self._cut:
            total = len(self._items) + self._cut
            self._items.append(f'"[reamon] {self._cut} of {total} items cut"'.encode())
        return b"[" + b",".join(self._items) + b"]"


def drive(generator: Generator[Any, Any, Any], begin: Callable[[], Advances]) -> Generator[Any, Any, Any]:
    """Advance `generator` for its consumer, with what is current inside of it current only while it runs.

    Args:
        generator: The generator.
        begin: Called at the first advance.
    """
    run = begin()
    step, sent = generator.send, None
    while True:
        consumer = run.resume()
        try:
            item = step(sent)
        except StopIteration as stop:
            pending = run.ended()
            if pending is not None:
                pending.wait()
            return stop.value
        except BaseException as error:
            pending = run.failed(error)
            if pending is not None:
                pending.wait()
            raise
        finally:
            run.pause(consumer)
        run.add(item)
        try:
            sent = yield item
            step = generator.send
        except GeneratorExit:
            result = _close(generator, run)
            if result is not None:
                return result
            raise
        except BaseException as error:  # the consumer's throw(): the generator's to deal with
            step, sent = generator.throw, error


def _close(generator: Generator[Any, Any, Any], run: Advances) -> Any:
    """Close a generator whose consumer had enough; without waiting, since this may be the garbage collector.

    Returns:
        What it returned, which Python tells from 3.13 on.
    """
    close: Callable[[], Any] = generator.close
    consumer = run.resume()
    try:
        result = close()
    except BaseException as error:
        run.failed(error)
        raise
    finally:
        run.pause(consumer)
    run.ended()
    return result


async def drive_async(generator: AsyncGenerator[Any, Any], begin: Callable[[], Advances]) -> AsyncGenerator[Any, Any]:
    """The same of an async one."""
    run = begin()
    step: Any
    sent: Any
    step, sent = _unseen, generator
    while True:
        consumer = run.resume()
        try:
            item = await step(sent)
        except StopAsyncIteration:
            pending = run.ended()
            if pending is not None:
                await pending
            return
        except BaseException as error:
            pending = run.failed(error)
            if pending is not None:
                await pending
            raise
        finally:
            run.pause(consumer)
        run.add(item)
        try:
            sent = yield item
            step = generator.asend
        except GeneratorExit:
            await _aclose(generator, run)
            raise
        except BaseException as error:  # the consumer's athrow(): the generator's to deal with
            step, sent = generator.athrow, error


def _unseen(generator: AsyncGenerator[Any, Any]) -> Any:
    """The first advance of a generator, of which the event loop does not learn.

    It would close it when it ends, or when the garbage collector comes by, and that twice: once by itself and once
    through ours, where one of the two finds it "already running".
    """
    if not isinstance(generator, AsyncGeneratorType):
        return generator.asend(None)
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, _leave_alone)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave_alone(_generator: AsyncGenerator[Any, Any]) -> None:
    """What the garbage collector calls: ours, which is collected with it, closes it."""


async def _aclose(generator: AsyncGenerator[Any, Any], run: Advances) -> None:
    """The same of an async one."""
    consumer = run.resume()
    try:
        await generator.aclose()
    except BaseException as error:
        run.failed(error)
        raise
    finally:
        run.pause(consumer)
    run.ended()
