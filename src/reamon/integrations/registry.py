"""The registry: what is instrumented in this process, and how each of it is undone."""

import inspect
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from reamon import plugins
from reamon.errors import ConfigurationError
from reamon.guard import guard

Key = str | int
"""What a target is known by: a library's name, or the identity of a class or an object."""


class Instrumentation:
    """One library, class or object that records spans by itself; made by `instrument`.

    Also a context manager, which undoes it at the end of the block.

    Attributes:
        target: What is instrumented.
        options: How.
    """

    def __init__(self, target: object, options: dict[str, Any], undo: Callable[[], None]) -> None:
        self.target = target
        self.options = options
        self._undo: Callable[[], None] | None = undo

    @property
    def is_active(self) -> bool:
        """Whether it still records; False once it is undone."""
        return self._undo is not None

    def uninstrument(self) -> None:
        """Undo it: everything is as it was before. A second time changes nothing."""
        _registry.remove(self)

    def undo(self) -> None:
        """Take the hooks out; for the registry."""
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.uninstrument()

    def __repr__(self) -> str:
        state = "" if self.is_active else ", undone"
        return f"<Instrumentation of {_named(self.target)}{state}>"


class Instrumentations(Instrumentation):
    """Several at once; made by `instrument` with several targets.

    Attributes:
        parts: Each by itself.
    """

    def __init__(self, parts: tuple[Instrumentation, ...]) -> None:
        super().__init__(tuple(part.target for part in parts), {}, lambda: None)
        self.parts = parts

    @property
    def is_active(self) -> bool:
        """Whether any of them still records."""
        return any(part.is_active for part in self.parts)

    def uninstrument(self) -> None:
        """Undo each of them, the last one first."""
        for part in reversed(self.parts):
            part.uninstrument()


class Registry:
    """All instrumentations of this process, by what they are of."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._active: dict[Key, Instrumentation] = {}

    def add(
        self, target: object, options: dict[str, Any], install: Callable[[], Callable[[], None]]
    ) -> Instrumentation:
        """Install it, unless that was done with the same options; with others, it takes the place of what was."""
        key = _key(target)
        with self._lock:
            before = self._active.get(key)
            if before is not None and before.options == options:
                return before
            if before is not None:
                self.remove(before)
            made = self._active[key] = Instrumentation(target, options, install())
            return made

    def remove(self, instrumentation: Instrumentation) -> None:
        """Undo one; others of other targets stay."""
        with self._lock:
            key = _key(instrumentation.target)
            if self._active.get(key) is instrumentation:
                del self._active[key]
            instrumentation.undo()

    def find(self, target: object) -> Instrumentation | None:
        """The instrumentation of `target`, if there is one."""
        return self._active.get(_key(target))

    def all(self) -> list[Instrumentation]:
        """Every active one, the newest first: hooks that were put over others come off before them."""
        return list(reversed(self._active.values()))


_registry: Final = Registry()


def instrument(target: Any, *others: Any, **options: Any) -> Instrumentation:
    """Let a library, a class or an object of yours record spans, without a change to its code.

    Before or after `configure()`, before or after the library is used, in any order, and as often as you like: twice
    is once. Given again with other options, those count.

    Args:
        target: What to instrument.

            - A library by name: "langgraph", "openai", "anthropic", "ollama", "opentelemetry", "httpx", "aiohttp",
              "celery", or what a plugin offers.
            - A class, for all its objects and subclasses, those to come included; or one object. An orchestrator (it
              has `process_input(call_id, ...)`) and an agent (`execute_with_timeout` or `process`, and an
              `agent_type`) are known by their shape. For others, `methods=` says what to trace:
              `methods=("search", "book")` or `methods={"search": "tool", "think": "agent"}`.
            - A queue (`asyncio.Queue`, `queue.Queue`, or their classes): who takes an item out of it goes on below the
              span of whoever put it in.
        *others: More targets, none of which needs options.
        **options: What the instrumentor takes; docs/instrumentation.md lists it. For a single target.

    Returns:
        A handle, whose `uninstrument()` undoes it.

    Raises:
        ConfigurationError: Nothing of that name or shape can be instrumented, or an option cannot be used.
        MissingExtraError: The library is not installed.

    Example:
        >>> class Calendar:
        ...     def book(self, slot):
        ...         return f"booked {slot}"
        >>> handle = instrument(Calendar, methods={"book": "tool"})
        >>> Calendar().book("Monday")
        'booked Monday'
        >>> handle.uninstrument()
    """
    if others:
        return _instrument_all((target, *others), options)
    if isinstance(target, str):
        instrumentor = plugins.load("instrumentors", target)
        return _registry.add(target, options, lambda: _installed(repr(target), instrumentor, options))
    from reamon.integrations.targets import instrumentor_of  # noqa: PLC0415 - it imports each kind of target

    made = instrumentor_of(target, options)
    return _registry.add(target, options, lambda: _installed(_named(target), partial(made, target), options))


def _instrument_all(targets: tuple[Any, ...], options: dict[str, Any]) -> Instrumentations:
    if options:
        named = ", ".join(map(_named, targets))
        raise ConfigurationError(
            f"instrument({named}, {', '.join(options)}=...): options are for one target; instrument it by itself"
        )
    parts: list[Instrumentation] = []
    try:
        for target in targets:
            part = instrument(target)
            parts.append(part)
    except BaseException:
        for part in reversed(parts):
            part.uninstrument()
        raise
    return Instrumentations(tuple(parts))


def uninstrument(target: Any = None) -> None:
    """Undo `instrument(target)`; without a target, undo every one. What is not instrumented stays as it is.

    Args:
        target: What was given to `instrument`.

    Example:
        >>> uninstrument("openai")
    """
    chosen = _registry.all() if target is None else [_registry.find(target)]
    for instrumentation in chosen:
        if instrumentation is None:
            continue
        try:
            instrumentation.uninstrument()
        except Exception as error:
            guard.contain(f"uninstrument {_named(instrumentation.target)}", error)


def _installed(
    name: str, instrumentor: Callable[..., Callable[[], None]], options: dict[str, Any]
) -> Callable[[], None]:
    try:
        return instrumentor(**options)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # the call itself did not fit
            what = str(error).partition("() ")[2] or str(error)
            raise ConfigurationError(f"instrument({name}): {what}; {_options_of(instrumentor)}") from error
        raise


def _options_of(instrumentor: Callable[..., Any]) -> str:
    try:
        parameters = inspect.signature(instrumentor).parameters.values()
    except (TypeError, ValueError):
        return "its options are not known"
    options = [f"{one.name}=" for one in parameters if one.kind is one.KEYWORD_ONLY]
    return f"the options are {', '.join(options)}" if options else "it has no options"


def _key(target: object) -> Key:
    return target if isinstance(target, str) else id(target)


def _named(target: object) -> str:
    if isinstance(target, tuple):
        return ", ".join(map(_named, target))
    if isinstance(target, str):
        return repr(target)
    return target.__qualname__ if isinstance(target, type) else f"an object of {type(target).__qualname__}"
