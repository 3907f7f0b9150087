"""Queues: who takes an item out goes on below the span of whoever put it in, workers that were there before included.

No item is changed or wrapped: its span is kept beside the queue while it waits.
"""

import gc
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from reamon.errors import ConfigurationError
from reamon.guard import guarded
from reamon.integrations._queued import Closing, Current, Queued, known_of, queued_in
from reamon.integrations._taken import Taken, give_back, newest, take
from reamon.integrations.patches import Patches, Wrapper
from reamon.tracing import active_recorder, innermost

if TYPE_CHECKING:
    import asyncio

_TASKS: Final = "asyncio.queues"
_THREADS: Final = "queue"
_PROCESSES: Final = "multiprocessing.queues"
_OTHERS: Final = "others"
_closing = Closing()

Arguments = tuple[Any, ...]
Options = dict[str, Any]


def is_queue(target: object) -> bool:
    """Whether `target` is a queue of the standard library, between tasks, threads or processes, or a class of such.

    Example:
        >>> import queue
        >>> is_queue(queue.Queue()), is_queue(queue.PriorityQueue), is_queue([])
        (True, True, False)
    """
    return _kind(target) is not None


def instrument_queue(target: Any) -> Callable[[], None]:
    """Let whoever takes an item out go on below the span of whoever put it in.

    Until it takes the next item, or calls `task_done()`; then its context is as it was before. An item that was put in
    where nothing ran, or before the queue was instrumented, has nothing to go on below.

    Args:
        target: An `asyncio.Queue` or `queue.Queue`, last-in-first-out and by priority included; or one of the classes,
            for all of its queues, those that were made before included.

    Returns:
        What undoes it.

    Raises:
        ConfigurationError: It is a queue that nothing can be hooked into; the message says what to do instead.

    Example:
        >>> import queue
        >>> import reamon
        >>> requests = queue.Queue()
        >>> undo = instrument_queue(requests)
        >>> with reamon.trace_workflow("turn"):
        ...     requests.put("hello")
        >>> requests.get()  # in a worker that was started before: what it records now belongs to the turn
        'hello'
        >>> requests.task_done()
        >>> undo()
    """
    kind = _kind(target)
    if kind not in (_TASKS, _THREADS):
        cls = target if isinstance(target, type) else type(target)
        raise ConfigurationError(
            f"instrument(): nothing can be hooked into a {cls.__module__}.{cls.__qualname__}; put a "
            "`reamon.handover()` on it with each item, and do the work inside of that"
        )
    hooks = _HOOKS[kind]
    patches = Patches()
    for owner in _owners(target) if isinstance(target, type) else (target,):
        for name, hook in hooks.items():
            if hasattr(owner, name) and (owner is target or name in vars(owner)):
                patches.wrap(owner, name, hook)
    return patches.undo


def _kind(target: object) -> str | None:
    """Between whom the queue is; None if it is none. What has not been imported has made none."""
    cls = target if isinstance(target, type) else type(target)
    for module, names, kind in (
        (_TASKS, ("Queue",), _TASKS),
        (_THREADS, ("Queue",), _THREADS),
        (_THREADS, ("SimpleQueue",), _OTHERS),
        (_PROCESSES, ("Queue", "SimpleQueue"), _OTHERS),
    ):
        found = sys.modules.get(module)
        if found is not None and issubclass(cls, tuple(getattr(found, name) for name in names)):
            return kind
    return None


def _owners(queues: type[Any]) -> Iterator[type[Any]]:
    """The class and all below it: some put in and take out in a way of their own."""
    yield queues
    for below in queues.__subclasses__():
        yield from _owners(below)


def _is_stack(queue: Any) -> bool:
    """Whether what was put in last comes out first."""
    return any(cls.__name__ == "LifoQueue" for cls in type(queue).__mro__)


def _item(args: Arguments, kwargs: Options) -> Any:
    return args[0] if args else kwargs.get("item")


# -- what is put in: by `put_nowait` in the task that puts, and by `_put` in the thread, under the lock ----------------


def _put(put: Callable[..., Any], queue: Any, args: Arguments, kwargs: Options) -> Any:
    queued = None if active_recorder() is None else queued_in(queue)
    if queued is None or queued.is_putting:
        return put(*args, **kwargs)
    queued.is_putting = True
    try:
        result = put(*args, **kwargs)
    finally:
        queued.is_putting = False
    queued.put(_item(args, kwargs), innermost())
    return result


# -- what is taken out: by `get_nowait` in the task that takes, and by `_get` in the thread, under the lock ------------


def _take(get: Callable[..., Any], queue: Any, args: Arguments, kwargs: Options) -> Any:
    queued = known_of(queue)
    if queued is None or queued.is_getting:
        return get(*args, **kwargs)
    queued.is_getting = True
    try:
        item = get(*args, **kwargs)
    finally:
        queued.is_getting = False
    span = _span_of(item, queue, queued)
    if not (queued.is_putting or _closing.is_going_on):  # else it is the queue that throws something away
        take(queued, span)
    return item


def _get(get: Callable[..., Any], _queue: Any, args: Arguments, kwargs: Options) -> Coroutine[Any, Any, Any]:
    from asyncio import current_task  # noqa: PLC0415 - there is a queue of it, so it is imported

    if active_recorder() is None:
        return get(*args, **kwargs)  # type: ignore[no-any-return]
    return _getting(get, current_task(), args, kwargs)


async def _getting(
    get: Callable[..., Any], caller: "asyncio.Task[Any] | None", args: Arguments, kwargs: Options
) -> Any:
    """Get an item. Whoever called `get()` goes on below its span, also where a task of its own waited for it.

    That is so wherever several things are waited for at once, and in `asyncio.wait_for` before Python 3.12.
    """
    from asyncio import current_task  # noqa: PLC0415 - see above

    item = await get(*args, **kwargs)
    if caller is not None and caller is not current_task():
        taken = newest()
        if taken is not None:
            _reach(caller, taken)
    return item


@guarded(default=None)
def _reach(task: "asyncio.Task[Any]", taken: Taken) -> None:
    """Let `task`, which waits, go on below what was taken for it."""
    context = _context_of(task)
    if context is None or task.done():
        return
    try:
        context.run(take, taken.source, taken.span)
    except RuntimeError:  # it is running: its child was started eagerly
        task.get_loop().call_soon(take, taken.source, taken.span, context=context)


def _context_of(task: Any) -> Context | None:
    """The context in which a task runs, itself and no copy; Python 3.11 has no method that says it."""
    if hasattr(task, "get_context"):
        context: Context = task.get_context()
        return context
    return next((found for found in gc.get_referents(task) if type(found) is Context), None)


# -- both --------------------------------------------------------------------------------------------------------------


def _task_done(task_done: Callable[..., Any], queue: Any, args: Arguments, kwargs: Options) -> Any:
    result = task_done(*args, **kwargs)
    queued = known_of(queue)
    if queued is not None:
        give_back(queued)
    return result


def _shutdown(shutdown: Callable[..., Any], queue: Any, args: Arguments, kwargs: Options) -> Any:
    _closing.is_going_on = True
    try:
        result = shutdown(*args, **kwargs)
    finally:
        _closing.is_going_on = False
    queued = known_of(queue)
    if queued is not None and queue.empty():
        queued.clear()
    return result


@guarded(default=None)
def _span_of(item: Any, queue: Any, queued: Queued) -> Current:
    """The span below which `item`, which was just taken out, had been put in."""
    span = queued.take(item, is_stack=_is_stack(queue))
    size = queue._qsize if hasattr(queue, "_qsize") else queue.qsize  # a thread's queue is locked already
    if not size():
        queued.clear()
    return span


_HOOKS: Final[dict[str, dict[str, Wrapper]]] = {
    _TASKS: {
        "put_nowait": _put,
        "get_nowait": _take,
        "get": _get,
        "task_done": _task_done,
        "shutdown": _shutdown,
    },
    _THREADS: {
        "_put": _put,
        "_get": _take,
        "task_done": _task_done,
        "shutdown": _shutdown,
    },
}
