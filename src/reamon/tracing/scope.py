"""The scope: what `trace_agent("x")` and its siblings return, a decorator and a context manager in one."""

from collections.abc import Iterable, Mapping
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

from reamon.errors import DecoratorError
from reamon.guard import guard, guarded
from reamon.model import Payload, SpanKind
from reamon.tracing._state import Spec
from reamon.tracing._switch import current, switch
from reamon.tracing._tracer import CallIdOf, Options, function_name
from reamon.tracing._values import LONGEST_NAME, name_of, text_of
from reamon.tracing.active import ActiveSpan
from reamon.tracing.capture import snapshot
from reamon.tracing.current import leave
from reamon.tracing.lifecycle import begin, fail, finish
from reamon.tracing.noop import NOOP, SUPPRESSED, NoopSpan
from reamon.tracing.recorder import Pending
from reamon.tracing.wrapping import wrap

F = TypeVar("F")
_TAGS = 1_000  # that one trace may have
CAPTURES = (True, "input", "output", False)
read_id = guarded(default=None)(name_of)
"""`name_of` of what the application gives while it runs: an id that has no text costs the id, not the span."""

Entry = tuple[ActiveSpan | None, ActiveSpan | NoopSpan | None]
"""One time that a scope was entered: its span, or None if it records nothing, and what was current before."""


class Scope:
    """Traces a function as a decorator, or a block as a context manager, sync and async alike.

    Made by `trace_workflow`, `trace_agent` and their siblings. One scope may be entered many times, also at once.
    """

    __slots__ = (
        "_agent_type",
        "_call_id",
        "_entered",
        "_kind",
        "_metadata",
        "_name",
        "_options",
        "_project",
        "_tags",
        "_version",
    )

    def __init__(
        self,
        kind: SpanKind,
        name: str | None,
        *,
        call_id: str | CallIdOf | None = None,
        agent_type: object = None,
        version: str | None = None,
        project: str | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        capture: bool | str = True,
        ignore: Iterable[str] = (),
        reduce: Any = None,
    ) -> None:
        label = f"trace_{kind.value}"
        if name is not None and not isinstance(name, str):
            raise DecoratorError(f"{label}(): a name is a string, not {type(name).__name__} ({name!r})")
        if capture not in CAPTURES:
            raise DecoratorError(f"{label}(): capture is True, 'input', 'output' or False, not {capture!r}")
        for option, given in (("ignore", ignore), ("tags", tags)):
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise DecoratorError(f"{label}(): {option} is a sequence of strings, not {given!r}")
        if metadata is not None and not isinstance(metadata, Mapping):
            raise DecoratorError(f"{label}(): metadata is a mapping of names to values, not {metadata!r}")
        if reduce is not None and not callable(reduce):
            raise DecoratorError(f"{label}(): reduce is called with the list of items, and {reduce!r} cannot be called")
        self._kind = kind
        self._name = name if name is None or (type(name) is str and len(name) <= LONGEST_NAME) else name_of(name)
        self._call_id = call_id
        self._agent_type = name_of(agent_type)
        self._metadata = None if metadata is None else Payload(snapshot(dict(metadata)))
        self._version = name_of(version)
        self._project = name_of(project)
        self._tags = tuple(text_of(tag, LONGEST_NAME) for tag in islice(tags, _TAGS)) if tags else ()
        self._options = Options(
            call_id=call_id,
            capture_input=capture in (True, "input"),
            capture_output=capture in (True, "output"),
            ignore=frozenset(ignore),
            reduce=reduce,
        )
        self._entered: list[Entry] = []

    def __call__(self, function: F) -> F:
        """Decorate `function`. Its signature, name and nature stay.

        Raises:
            DecoratorError: It cannot be traced, or the arguments of the decorator do not fit it.
        """
        inner = function.__func__ if isinstance(function, classmethod | staticmethod) else function
        traced: F = wrap(function, self._spec(self._name or function_name(inner)), self._options)
        return traced

    def __enter__(self) -> ActiveSpan | NoopSpan:
        """Begin a span and make it current."""
        recorder, parent = switch.recorder, current.get()
        span = None
        if recorder is not None and parent is not SUPPRESSED:
            try:
                call_id = None if callable(self._call_id) else read_id(self._call_id)
                span = begin(recorder, self._spec(self._name or self._kind.value), parent, None, call_id)
            except Exception as error:
                guard.contain("Scope.__enter__", error)
        self._entered.append((span, parent))
        if span is None:
            return NOOP
        current.set(span)
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        """End the span; an exception that leaves the block is recorded and goes on."""
        pending = self._leave(error)
        if pending is not None:
            pending.wait()

    async def __aenter__(self) -> ActiveSpan | NoopSpan:
        """Begin a span and make it current."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        """End the span."""
        pending = self._leave(error)
        if pending is not None:
            await pending

    def _leave(self, error: BaseException | None) -> Pending | None:
        """End the span of the innermost block; what has to be waited for, if anything."""
        span, parent = self._take_entered()
        if span is None:
            return None
        recorder = switch.recorder
        leave(span, parent)
        if error is not None:
            return fail(span, error)
        return None if recorder is None else finish(span, recorder.now())

    def _take_entered(self) -> Entry:
        """The entry that this exit belongs to: the innermost that is current here, where tasks share the scope."""
        entered = self._entered
        here = current.get()
        last = entered[-1]
        if (last[0] or last[1]) is here:  # as usual
            entered.remove(last)
            return last
        while True:  # threads share the list, so none is taken that was not looked at
            for entry in reversed(entered.copy()):
                span, parent = entry
                if (span or parent) is here:
                    entered.remove(entry)
                    return entry
            if not isinstance(here, ActiveSpan):
                return entered.pop()
            here = here.parent

    def _spec(self, name: str) -> Spec:
        agent_type = self._agent_type or name if self._kind is SpanKind.AGENT else None
        return Spec(
            kind=self._kind,
            name=name,
            agent_type=agent_type,
            version=self._version,
            project=self._project,
            tags=self._tags,
            metadata=self._metadata,
        )
