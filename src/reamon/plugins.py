"""Plugins: parts found by name through entry points. Our own are registered like anyone's."""

import difflib
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from reamon.errors import ConfigurationError, MissingExtraError

GROUPS = ("exporters", "collectors", "processors")


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


def _entry_points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"reamon.{group}")}
