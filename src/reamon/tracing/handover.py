"""The hand-over: the current span, given along with a piece of work to whoever does it."""

from typing import Any

from reamon.tracing._switch import current
from reamon.tracing.block import Block
from reamon.tracing.propagation import Carried, carried, received


class Handover(Block):
    """The span that was current where it was made, to be put on a queue or into a request. Made by `handover`."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (carried(self._span),)

    def __repr__(self) -> str:
        return f"<Handover of {self.span!r}>"


def handover() -> Handover:
    """Take the current span along, for work that is done elsewhere and later.

    Context variables do not reach a worker that was started before: a task at a queue, a thread, another process. Put
    what this returns on the queue, or into the request object, and do the work inside of it.

    - It may be entered many times, by several workers at once, and after the span has ended: what starts then is a late
      child, and marked so (the attribute `reamon.late`).
    - It can be pickled, for queues between processes. That the span has ended meanwhile is not known there.
    - Where no span was current it changes nothing; what was suppressed stays so.

    Returns:
        A context manager, sync and async alike. Its value, and its attribute `span`, is the span: a parent for
        `start_span` and `record_span`.

    Example:
        >>> import queue
        >>> import reamon
        >>> requests = queue.Queue()
        >>> with reamon.trace_workflow("turn"):
        ...     requests.put(("hello", handover()))
        >>> text, work = requests.get()  # in a worker that was started before
        >>> with work, reamon.trace_step("answer"):
        ...     text.upper()
        'HELLO'
    """
    return Handover(current.get())


def _received(span: Carried) -> Handover:
    return Handover(received(span))
