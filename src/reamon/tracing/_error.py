"""Exceptions as records, in bounded time and space: what an exception holds is as large as the application made it."""

import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from reamon.model import SpanError
from reamon.tracing.capture import snapshot

_FRAMES = 40
_CHARACTERS = 16_384
_CHAINED = 16  # exceptions of one chain of causes
_MEMBERS = 15  # exceptions of one group
_IN_ALL = 48  # exceptions of one stack
_NOTES = 32

_SEPARATOR = 3  # characters that an item takes at least, with what stands between it and the next

_CONTAINERS = (list, tuple, dict, set, frozenset)
_STOPS = (GeneratorExit, KeyboardInterrupt, SystemExit)
_NATIVE_TEXTS = (BaseException.__str__, KeyError.__str__)
_CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
_HEADING = "Traceback (most recent call last):\n"


def describe_error(error: BaseException) -> SpanError:
    """Type, message and stack of `error`, as text: a reference to it would keep its frames' objects alive."""
    return SpanError(type=_type_name(type(error)), message=_message(error), stack=_stack(error))


def is_cancellation(error: BaseException) -> bool:
    """Whether `error` stops the work from outside rather than says that it failed."""
    kind = type(error)  # and not `isinstance`, which asks the object itself
    if issubclass(kind, _STOPS):
        return True
    asyncio = sys.modules.get("asyncio.exceptions")  # where nobody imported it, nobody raised its CancelledError
    return asyncio is not None and issubclass(kind, asyncio.CancelledError)


def _type_name(kind: type) -> str:
    try:
        module, name = str(kind.__module__), str(kind.__qualname__)
    except Exception:  # a metaclass may answer for its classes
        return "Exception"
    return _clean(name if module == "builtins" else f"{module}.{name}")


def _message(error: BaseException) -> str:
    try:
        return _clean(_said(error))
    except Exception as raised:
        return f"<str() of it raised {type(raised).__name__}>"


def _said(error: BaseException) -> str:
    """The text of an exception; of one that holds much and has no text of its own, as much as a payload would show."""
    if type(error).__str__ in _NATIVE_TEXTS:
        args = error.args
        is_text = len(args) == 1 and type(args[0]) is str and type(error).__str__ is BaseException.__str__
        if not is_text and _room(args, _CHARACTERS) < 0:
            return snapshot(args[0] if len(args) == 1 else args, _CHARACTERS).decode()
    return str(error)


def _room(value: Any, room: int) -> int:
    """What printing `value` leaves of `room`, roughly; negative if too much. Objects but Python's own count as one."""
    kind = type(value)
    if kind is str or kind is bytes or kind is bytearray:
        return room - len(value)
    room -= _SEPARATOR
    if kind not in _CONTAINERS:
        return room
    if len(value) * _SEPARATOR > room:
        return -1
    parts = [*value, *value.values()] if kind is dict else list(value)
    for part in parts:
        if room < 0:
            break
        room = _room(part, room)
    return room


def _stack(error: BaseException) -> str:
    try:
        if not issubclass(type(error), BaseException):
            raise TypeError("this is no exception")
        if _is_usual(error):
            return _clean("".join(traceback.format_exception(type(error), error, _end(error), limit=-_FRAMES)))
        return _clean("".join(_told(error, [_IN_ALL])))
    except Exception as raised:
        return f"<its traceback could not be formatted: {type(raised).__name__}>"


def _is_usual(error: BaseException) -> bool:
    """Whether Python's own words for it are short; it would go through all causes, members and notes.

    From Python 3.12 on it also reads through the object that lacks an attribute, looking for one of a similar name.
    """
    chain = _chain(error)
    return len(chain) < _CHAINED and not any(
        issubclass(type(link), BaseExceptionGroup | SyntaxError | AttributeError)
        or hasattr(link, "__notes__")
        or (type(link).__str__ in _NATIVE_TEXTS and _room(link.args, _CHARACTERS) < 0)
        for link, _ in chain
    )


def _end(error: BaseException) -> TracebackType | None:
    """The last frames of its traceback; a deep recursion has more than can be looked at one by one."""
    first = last = error.__traceback__
    for _ in range(_FRAMES):
        if last is None:
            return first
        last = last.tb_next
    while last is not None and first is not None:
        first, last = first.tb_next, last.tb_next
    return first


def _chain(error: BaseException) -> list[tuple[BaseException, str]]:
    """`error` and what came before it, the newest first, as far as it is told; each with how it leads to the next."""
    chain = [(error, "")]
    seen = {id(error)}
    while len(chain) < _CHAINED:
        before, how = error.__cause__, _CAUSED
        if before is None and not error.__suppress_context__:
            before, how = error.__context__, _DURING
        if before is None or id(before) in seen:
            break
        seen.add(id(before))
        chain.append((before, how))
        error = before
    return chain


def _told(error: BaseException, left: list[int]) -> Iterator[str]:
    """The lines of an exception with its causes, the oldest first, and the members of groups.

    Args:
        error: The exception.
        left: How many exceptions may still be told.
    """
    for link, how in reversed(_chain(error)):
        left[0] -= 1
        end = _end(link)
        if end is not None:
            yield _HEADING
            yield from traceback.StackSummary.extract(traceback.walk_tb(end), limit=_FRAMES).format()
        message = _message(link)
        yield f"{_type_name(type(link))}: {message}\n" if message else f"{_type_name(type(link))}\n"
        yield from _notes(link)
        if issubclass(type(link), BaseExceptionGroup):
            yield from _members(link, left)
        yield how


def _notes(error: BaseException) -> Iterator[str]:
    notes = getattr(error, "__notes__", ())
    if type(notes) not in (list, tuple):
        return
    for note in notes[:_NOTES]:
        yield f"{_clean(note) if type(note) is str else snapshot(note, _CHARACTERS).decode()}\n"
    if len(notes) > _NOTES:
        yield f"[reamon] {len(notes) - _NOTES} of {len(notes)} notes cut\n"


def _members(group: Any, left: list[int]) -> Iterator[str]:
    members = group.exceptions
    told = 0
    for member in members[:_MEMBERS]:
        if left[0] <= 0:
            break
        told += 1
        yield f"  +---------------- {told} ----------------\n"
        for text in _told(member, left):
            yield from (f"  | {line}" for line in text.splitlines(keepends=True))
    if told < len(members):
        yield f"  + [reamon] {len(members) - told} of {len(members)} exceptions cut\n"


def _clean(text: str) -> str:
    """Text that UTF-8 can say, cut from the front, since a stack's end tells most."""
    length = str.__len__(text)  # the application's may be of a class of its own, whose methods are not asked
    shown = str.__getitem__(text, slice(max(length - _CHARACTERS, 0), length))
    if length > _CHARACTERS:
        shown = f"[reamon] {length - _CHARACTERS} characters cut …{shown}"
    return shown.encode("utf-8", "backslashreplace").decode()
