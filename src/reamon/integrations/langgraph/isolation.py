"""Isolation: what becomes current inside of a library's method stays inside of it.

Callbacks can make a span current, for the code of a node or a tool to find. They cannot take it back: langchain-core
runs those of an end in a task of their own, and a context variable that is set there changes nothing outside. So the
public methods that callbacks belong to are wrapped, and give back what was current when they were called. Those that
stream keep two sides apart at every item: theirs and their consumer's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final
from uuid import UUID

from reamon.integrations.langgraph.graph_call import GraphCall
from reamon.integrations.model_call import ModelCall, swap_model_call
from reamon.integrations.patches import Patches, Wrapper
from reamon.tracing import ActiveSpan, NoopSpan, drive, drive_async, enabled, enter, innermost
from reamon.tracing.recorder import Pending

Current = tuple[ActiveSpan | NoopSpan | None, ModelCall | None]
Left = Callable[[UUID, BaseException], None]
_begun: Final["ContextVar[list[UUID] | None]"] = ContextVar("reamon_langchain_begun", default=None)
_graph: Final["ContextVar[GraphCall | None]"] = ContextVar("reamon_graph_about_to_run", default=None)


def isolate(
    patches: Patches, owner: type, left: Left, *, methods: tuple[str, ...] = (), streams: tuple[str, ...] = ()
) -> None:
    """Wrap methods of `owner`, those that it has.

    Args:
        patches: Undoes it.
        owner: The class.
        left: Called with each run that began in a method which an exception has left. Most have ended by then; but
            langchain-core does not report the end of models and tools that are cancelled.
        methods: Functions and coroutine functions.
        streams: Generator functions and async generator functions.
    """
    for name in methods:
        if hasattr(owner, name):
            patches.wrap(owner, name, _keeping_async(left) if _is_async(owner, name) else _keeping(left))
    for name in streams:
        if hasattr(owner, name):
            patches.wrap(owner, name, _streamed)


def isolate_graph(patches: Patches, owner: type) -> None:
    """Wrap the methods that run a graph, and let the handler know which graph it is."""
    for name in ("stream", "astream"):
        patches.wrap(owner, name, _graph_streamed)


def note_begun(run_id: UUID) -> None:
    """A run has begun, in the method that is called here."""
    begun = _begun.get()
    if begun is not None:
        begun.append(run_id)


def take_graph() -> GraphCall | None:
    """The call of a graph whose run begins here, for the first that asks; None for all others."""
    call = _graph.get()
    if call is not None:
        _graph.set(None)
    return call


class _TwoSides:
    """What is current in a generator, and what is in its consumer."""

    def __init__(self, call: GraphCall | None = None) -> None:
        self._call = call
        self._inside: Current | None = None

    def resume(self) -> Current:
        if self._inside is None:
            if self._call is not None:
                _graph.set(self._call)
            return _swap(None)
        return _swap(self._inside)

    def pause(self, consumer: Current) -> None:
        self._inside = _swap(consumer)
        if self._call is not None:
            _graph.set(None)

    def add(self, item: Any) -> None:
        """Items are the consumer's business."""

    def ended(self) -> Pending | None:
        return None if self._call is None else self._call.pending

    def failed(self, error: BaseException) -> Pending | None:
        return None if self._call is None or isinstance(error, GeneratorExit) else self._call.pending


def _swap(new: Current | None) -> Current:
    """Make `new` current, or leave what is, and return what was."""
    if new is None:
        span = innermost()
        call = swap_model_call(None)
        if call is not None:
            swap_model_call(call)
        return span, call
    return enter(new[0]), swap_model_call(new[1])


def _keeping(left: Left) -> Wrapper:
    def kept(wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not enabled():
            return wrapped(*args, **kwargs)
        with _kept(left):
            return wrapped(*args, **kwargs)

    return kept


def _keeping_async(left: Left) -> Wrapper:
    async def kept(wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not enabled():
            return await wrapped(*args, **kwargs)
        with _kept(left):
            return await wrapped(*args, **kwargs)

    return kept


@contextmanager
def _kept(left: Left) -> Iterator[None]:
    """Keep what is current as it is, and end what has begun and is left open."""
    before, outer, begun = _swap(None), _begun.get(), list[UUID]()
    _begun.set(begun)
    try:
        yield
    except BaseException as error:
        for run_id in reversed(begun):
            left(run_id, error)
        raise
    finally:
        _begun.set(outer)
        _swap(before)


def _streamed(wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _two_sided(wrapped(*args, **kwargs), _TwoSides)


def _graph_streamed(wrapped: Callable[..., Any], graph: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    config = kwargs.get("config") or (args[1] if len(args) > 1 else None)
    return _two_sided(wrapped(*args, **kwargs), lambda: _TwoSides(GraphCall(graph, config, kwargs)))


def _two_sided(generator: Any, begin: Callable[[], _TwoSides]) -> Any:
    if not enabled():
        return generator
    if hasattr(generator, "asend"):
        return drive_async(generator, begin)
    return drive(generator, begin) if hasattr(generator, "send") else generator


def _is_async(owner: type, name: str) -> bool:
    import inspect  # noqa: PLC0415 - at set-up only

    return inspect.iscoroutinefunction(getattr(owner, name))
