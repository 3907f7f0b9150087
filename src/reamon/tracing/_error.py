"""Exceptions as records."""

import sys
import traceback

from reamon.model import SpanError

_FRAMES = 40
_CHARACTERS = 16_384


def describe_error(error: BaseException) -> SpanError:
    """Type, message and stack of `error`, as text: a reference to it would keep its frames' objects alive."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return SpanError(type=name, message=_message(error), stack=_stack(error))


def is_cancellation(error: BaseException) -> bool:
    """Whether `error` stops the work from outside rather than says that it failed."""
    if isinstance(error, GeneratorExit | KeyboardInterrupt | SystemExit):
        return True
    asyncio = sys.modules.get("asyncio.exceptions")  # where nobody imported it, nobody raised its CancelledError
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _message(error: BaseException) -> str:
    try:
        return _clean(str(error))
    except Exception as raised:
        return f"<str() of it raised {type(raised).__name__}>"


def _stack(error: BaseException) -> str:
    try:
        return _clean("".join(traceback.format_exception(error, limit=-_FRAMES)))
    except Exception as raised:
        return f"<its traceback could not be formatted: {type(raised).__name__}>"


def _clean(text: str) -> str:
    """Text that UTF-8 can say, cut from the front, since a stack's end tells most."""
    shown = (
        text
        if len(text) <= _CHARACTERS
        else f"[reamon] {len(text) - _CHARACTERS} characters cut …{text[-_CHARACTERS:]}"
    )
    return shown.encode("utf-8", "backslashreplace").decode()
