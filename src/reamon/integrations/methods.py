"""Methods: those of a class, its subclasses to come included, or of one object, are traced by name."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from reamon.errors import ConfigurationError
from reamon.integrations.patches import Patches, original_of
from reamon.integrations.promises import is_promise, wrap_promise
from reamon.integrations.services import ModelService
from reamon.model import SpanKind
from reamon.tracing.scope import Scope

Wrap = Callable[[str, Any, Patches], Any]
"""Makes of a method what takes its place, or None if it stays: called with its name, the method, and its patches."""


def instrument_methods(
    target: Any, *, methods: Iterable[str] | Mapping[str, Any], **options: Any
) -> Callable[[], None]:
    """Trace methods of a class or of an object.

    Args:
        target: A class, for all of its objects and subclasses; or an object.
        methods: The names of the methods, which become steps; or their kinds by name: `{"search": "tool"}`. One that
            asks a model (`{"generate": "llm"}`) is a logical call: it tells how many requests were made for it.
        **options: What the decorators take: `capture`, `ignore`, `reduce`; for workflows `call_id`, `project`, `tags`.

    Returns:
        What undoes it.

    Raises:
        ConfigurationError: There is no such method or kind.
        DecoratorError: An option does not fit.
    """
    kinds = _kinds(methods)
    _refuse_unknown(target, kinds)
    _check_options(options)
    services = {name: ModelService() for name, kind in kinds.items() if kind is SpanKind.LLM}

    def wrap(name: str, method: Any, _patches: Patches) -> Any:
        asks = name in services and (inspect.isfunction(method) or inspect.ismethod(method))
        if asks and not inspect.isgeneratorfunction(method) and not inspect.isasyncgenfunction(method):
            method = services[name].observed(method)
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
        if name in vars(owner) and _is_method(vars(owner)[name]):
            patches.layer(owner, name, partial(_wrapped, wrap, name, patches))
        elif inherited and _is_method(original_of(owner, name)):
            # Without what the class above is instrumented with, so that a call is recorded once.
            patches.layer(owner, name, partial(_wrapped, wrap, name, patches, instead=original_of(owner, name)))
    subclasses: list[type] = type.__subclasses__(owner)
    for subclass in subclasses:
        _replace_in_class(subclass, names, wrap, patches, inherited=False)


def _replace_in_object(target: Any, names: Iterable[str], wrap: Wrap, patches: Patches) -> None:
    if not hasattr(target, "__dict__"):
        raise ConfigurationError(_takes_none(target))
    for name in names:
        original = original_of(type(target), name)
        if name in vars(target):
            patches.layer(target, name, partial(_wrapped, wrap, name, patches))
        elif _is_method(original):
            bound = original.__get__(target, type(target)) if hasattr(original, "__get__") else original
            try:
                patches.layer(target, name, partial(_wrapped, wrap, name, patches, instead=bound))
            except (AttributeError, TypeError, ValueError) as error:  # pydantic's models, frozen dataclasses
                raise ConfigurationError(_takes_none(target)) from error


def _takes_none(target: Any) -> str:
    return f"instrument(): an object of {type(target).__qualname__} takes no attributes; instrument its class"


def _wrapped(wrap: Wrap, name: str, patches: Patches, below: Any, *, instead: Any = None) -> Any:
    method = below if instead is None else instead
    if is_promise(method):
        return wrap_promise(method, lambda made: wrap(name, made, patches))
    return wrap(name, method, patches)


def _watch_subclasses(owner: type, names: tuple[str, ...], wrap: Wrap, patches: Patches) -> None:
    """Have subclasses that are made from now on treated like those that there are."""
    has_own = "__init_subclass__" in vars(owner)
    kind: Any = owner

    def make(before: Any) -> Any:
        def __init_subclass__(cls: type, /, **arguments: Any) -> None:  # noqa: N807 - Python's own name
            if has_own:
                before.__get__(None, cls)(**arguments)
            else:
                super(kind, cls).__init_subclass__(**arguments)
            if patches.is_active:
                _replace_in_class(cls, names, wrap, patches, inherited=False)

        return classmethod(__init_subclass__)

    patches.layer(owner, "__init_subclass__", make)


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


def _check_options(options: Mapping[str, Any]) -> None:
    known = [one.name for one in inspect.signature(Scope).parameters.values() if one.kind is one.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise ConfigurationError(
                f"instrument(methods=...): got an unexpected option {name!r}; the options are "
                + ", ".join(f"{one}=" for one in known)
            )


def _refuse_unknown(target: Any, names: Iterable[str]) -> None:
    for name in names:
        if not callable(getattr(target, name, None)):
            owner = target if isinstance(target, type) else type(target)
            raise ConfigurationError(f"instrument({owner.__qualname__}, methods=...): it has no method {name!r}")
