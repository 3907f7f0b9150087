"""Methods: those of a class, its subclasses to come included, or of one object, are traced by name."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reamon.errors import ConfigurationError
from reamon.integrations.patches import Patches
from reamon.model import SpanKind
from reamon.tracing.scope import Scope

Wrap = Callable[[Any, str, Any], Any]
"""Makes of a method what takes its place, or None if it stays: called with its owner, its name, and the method."""


def instrument_methods(
    target: Any, *, methods: Iterable[str] | Mapping[str, Any], **options: Any
) -> Callable[[], None]:
    """Trace methods of a class or of an object.

    Args:
        target: A class, for all of its objects and subclasses; or an object.
        methods: The names of the methods, which become steps; or their kinds by name: `{"search": "tool"}`.
        **options: What the decorators take: `capture`, `ignore`, `reduce`; for workflows `call_id`, `project`, `tags`.

    Returns:
        What undoes it.

    Raises:
        ConfigurationError: There is no such method or kind.
        DecoratorError: An option does not fit.
    """
    kinds = _kinds(methods)
    _refuse_unknown(target, kinds)

    def wrap(_owner: Any, name: str, method: Any) -> Any:
        return Scope(kinds[name], None, **options)(method)

    return replace_methods(target, tuple(kinds), wrap)


def replace_methods(
    target: Any, names: Iterable[str], wrap: Wrap, patches: Patches | None = None
) -> Callable[[], None]:
    """Put what `wrap` makes in the place of methods: in a class, in its subclasses now and later, or in an object.

    Args:
        target: The class or the object.
        names: The methods; one that `target` does not have is passed over.
        wrap: Makes the replacement.
        patches: Where the undoing is noted, with that of others.

    Returns:
        What undoes it.

    Raises:
        ConfigurationError: The object takes no attributes.
    """
    noted = patches or Patches()
    chosen = tuple(names)
    if isinstance(target, type):
        _replace_in_class(target, chosen, wrap, noted, inherited=True)
        _watch_subclasses(target, chosen, wrap, noted)
    else:
        _replace_in_object(target, chosen, wrap, noted)
    return noted.undo


def _replace_in_class(owner: type, names: Iterable[str], wrap: Wrap, patches: Patches, *, inherited: bool) -> None:
    for name in names:
        method = inspect.getattr_static(owner, name, None)
        if method is not None and (inherited or name in vars(owner)) and _is_method(method):
            _replace(owner, name, wrap(owner, name, method), patches)
    for subclass in type.__subclasses__(owner):
        _replace_in_class(subclass, names, wrap, patches, inherited=False)


def _replace_in_object(target: Any, names: Iterable[str], wrap: Wrap, patches: Patches) -> None:
    if not hasattr(target, "__dict__"):
        raise ConfigurationError(
            f"instrument(): an object of {type(target).__qualname__} takes no attributes; instrument its class"
        )
    for name in names:
        method = getattr(target, name, None)
        if method is not None:
            _replace(target, name, wrap(target, name, method), patches)


def _replace(owner: Any, name: str, replacement: Any, patches: Patches) -> None:
    if replacement is not None:
        patches.replace(owner, name, replacement)


def _watch_subclasses(owner: type, names: tuple[str, ...], wrap: Wrap, patches: Patches) -> None:
    """Have subclasses that are made from now on treated like those that there are."""
    before = vars(owner).get("__init_subclass__")

    def __init_subclass__(cls: type, **arguments: Any) -> None:  # noqa: N807 - Python's own name
        if before is not None:
            before.__get__(None, cls)(**arguments)
        else:
            super(owner, cls).__init_subclass__(**arguments)
        if patches.is_active:
            _replace_in_class(cls, names, wrap, patches, inherited=False)

    patches.replace(owner, "__init_subclass__", classmethod(__init_subclass__))


def _is_method(method: Any) -> bool:
    return isinstance(method, classmethod | staticmethod) or callable(method)


def _kinds(methods: Iterable[str] | Mapping[str, Any]) -> dict[str, SpanKind]:
    if isinstance(methods, str) or not isinstance(methods, Iterable):
        raise ConfigurationError(f"instrument(methods={methods!r}): give names, or kinds by name")
    given = methods if isinstance(methods, Mapping) else dict.fromkeys(methods, SpanKind.STEP)
    if not given:
        raise ConfigurationError("instrument(methods=()): name at least one method")
    kinds = {}
    for name, kind in given.items():
        try:
            kinds[str(name)] = SpanKind(kind)
        except ValueError:
            known = ", ".join(one.value for one in SpanKind)
            raise ConfigurationError(f"instrument(methods={{{name!r}: {kind!r}}}): the kinds are {known}") from None
    return kinds


def _refuse_unknown(target: Any, names: Iterable[str]) -> None:
    for name in names:
        if not callable(getattr(target, name, None)):
            owner = target if isinstance(target, type) else type(target)
            raise ConfigurationError(f"instrument({owner.__qualname__}, methods=...): it has no method {name!r}")
