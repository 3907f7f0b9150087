"""What the application gives, names and seconds, as the budgets take it."""

from typing import Final

from reamon.errors import ConfigurationError
from reamon.guard import guard, writable

_SECOND: Final = 1_000_000_000
_LONGEST: Final = 366 * 86_400
_UNREADABLE: Final = "\ufffd"


def name_of(given: object) -> str | None:
    """A call or a project as every ledger takes it: text, and none of what PostgreSQL cannot keep.

    Example:
        >>> name_of("call-1"), name_of(7), name_of(None)
        ('call-1', '7', None)
    """
    if given is None:
        return None
    if type(given) is str and given.isascii() and "\0" not in given:
        return given
    return writable(str(given)).replace("\0", _UNREADABLE)


def duration(what: str, seconds: object) -> int:
    """Seconds as nanoseconds, given when the budgets are made.

    Args:
        what: Which argument it is.
        seconds: More than 0, and a year at most.

    Raises:
        ConfigurationError: It is no such number.

    Example:
        >>> duration("timeout", 0.5)
        500000000
    """
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds <= _LONGEST:
        return max(round(seconds * _SECOND), 1)
    raise ConfigurationError(f"Budgets({what}={seconds!r}): it is a number of seconds, more than 0, a year at most")


def duration_of(what: str, seconds: object, otherwise: int) -> int:
    """`duration` of what is given while the application runs: what is none is contained, and counts as `otherwise`.

    Example:
        >>> duration_of("expires_in", None, 900)
        900
    """
    if seconds is None:
        return otherwise
    try:
        return duration(what, seconds)
    except ConfigurationError as error:
        guard.contain("Budgets", error)
        return otherwise
