"""Plugins: parts found by name through entry points, or given as objects. Our own are registered like anyone's."""

import difflib
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from reamon.errors import ConfigurationError, MissingExtraError, ReamonError

GROUPS = ("exporters", "collectors", "processors")
_METHODS: Final = {"exporters": "export", "collectors": "collect"}


def make(group: str, given: Iterable[Any], options_of: Callable[[str], dict[str, Any]] = lambda name: {}) -> list[Any]:
    """The parts of one group, each name replaced by an object of what it names.

    Args:
        group: One of `GROUPS`.
        given: Names and objects.
        options_of: The arguments with which a named part is made.

    Raises:
        ConfigurationError: One of them cannot be used, or two have the same name.
    """
    parts = [_made(group, item, options_of(item)) if isinstance(item, str) else item for item in given]
    for part in parts:
        _check(group, part)
    names = [part.name for part in parts if hasattr(part, "name")]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{group}: two of them are called {name!r}; give one another name")
    return parts


def load(group: str, name: str) -> Callable[..., Any]:
    """The factory (a class, usually) that the entry point `name` of `reamon.<group>` refers to.

    Raises:
        ConfigurationError: Nothing of that name is installed, or it cannot be imported.
    """
    found = _entry_points(group)
    if name not in found:
        close = difflib.get_close_matches(name, found, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        installed = ", ".join(sorted(found)) or "none"
        raise ConfigurationError(f"{group} = {name!r}: there is no such {group[:-1]}; {hint}installed are: {installed}")
    try:
        factory: Callable[..., Any] = found[name].load()
    except MissingExtraError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"the {group[:-1]} {name!r} ({found[name].value}) cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return factory


def names(group: str) -> list[str]:
    """What is installed in `reamon.<group>`."""
    return sorted(_entry_points(group))


def _made(group: str, name: str, options: dict[str, Any]) -> Any:
    factory = load(group, name)
    try:
        return factory(**options)
    except ReamonError:
        raise
    except Exception as error:
        given = ", ".join(options) or "none"
        raise ConfigurationError(
            f"the {group[:-1]} {name!r} cannot be made with these options ({given}): {type(error).__name__}: {error}"
        ) from error


def _check(group: str, part: Any) -> None:
    """Refuse what does not keep the contract, as far as that can be seen without using it."""
    if group in _METHODS and isinstance(part, type):
        raise ConfigurationError(f"{group}: {part.__name__} is a class; give an object of it: {part.__name__}(...)")
    if group not in _METHODS:
        if not callable(part):
            raise ConfigurationError(f"{group}: {part!r} cannot be called; a processor takes a span and returns one")
        return
    method = _METHODS[group]
    if not callable(getattr(part, method, None)):
        contract = group[:-1].capitalize()
        raise ConfigurationError(f"{group}: {part!r} has no {method}(); see reamon.protocols.{contract}")
    if not isinstance(getattr(part, "name", None), str) or not part.name:
        raise ConfigurationError(f"{group}: {part!r} has no name; give it one, as a non-empty string")


def _entry_points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"reamon.{group}")}
