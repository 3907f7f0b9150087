"""Binding: the parameters of a function, as source text from which its wrapper is compiled.

A wrapper with the parameters of its function gets them bound by Python's own call machinery, defaults applied, at no
cost of ours: no `inspect.signature` at call time, no packing into `*args` and `**kwargs` and out again.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

from reamon.errors import DecoratorError

PREFIX = "reamon_"
"""What names of the wrappers' own begin with; no function whose parameters do so is bound by name."""

_SELF = frozenset(("self", "cls"))
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Binding:
    """The parameters of one function.

    Args:
        function: The function to be decorated.
        bound_first: Whether the first parameter is bound for certain (a classmethod's); one called `self` or `cls` is
            left out anyhow.

    Attributes:
        names: The parameters that are captured, `**kwargs` left out; None if the signature is unknown.
        open: Whether further names are possible (`**kwargs`, or an unknown signature).
        bind: Called with a call's arguments, gives them by name with defaults applied, `**kwargs` among the others.
            Raises TypeError where the function itself would.
        declared: The parameters as source text: `lead, n=reamon_default_1`.
        forwarded: How a wrapper with these parameters calls the function: `lead, n`.
        displayed: The dict of them: `{'lead': lead, 'n': n}`.
        namespace: What the source text refers to.
    """

    def __init__(self, function: Callable[..., Any], *, bound_first: bool = False) -> None:
        parameters = _parameters(function)
        self.namespace: dict[str, Any] = {f"{PREFIX}bind": self.bind_leniently}
        if parameters is None:
            self.names: frozenset[str] | None = None
            self.open = True
            self.bind: Callable[..., dict[str, Any]] = _positional
        else:
            skipped = _skipped(parameters, bound_first=bound_first)
            shown = [parameter for parameter in parameters if parameter.name != skipped]
            kinds = {parameter.kind for parameter in parameters}
            self.open = inspect.Parameter.VAR_KEYWORD in kinds
            self.names = frozenset(
                parameter.name for parameter in shown if parameter.kind is not inspect.Parameter.VAR_KEYWORD
            )
            self.declared, defaults = _declared(parameters)
            self.forwarded = ", ".join(map(_forwarded, parameters))
            self.displayed = f"{{{', '.join(map(_displayed, shown))}}}"
            self.namespace |= defaults
            self.bind = _compiled(self.declared, self.displayed, defaults)
        if parameters is None or not _is_what_it_seems(function, parameters):
            self.declared = self.forwarded = "*args, **kwargs"
            self.displayed = f"{PREFIX}bind(args, kwargs)"

    def bind_leniently(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name; as they came where they do not fit, since the function itself is about to say so."""
        try:
            return self.bind(*args, **kwargs)
        except TypeError:
            return {"args": args, "kwargs": kwargs}

    def require(self, names: Iterable[str], option: str, function: str) -> None:
        """Refuse names that are no parameters.

        Raises:
            DecoratorError: One is not, and no `**kwargs` could bring it.
        """
        unknown = () if self.open or self.names is None else sorted(set(names) - self.names)
        if unknown:
            known = ", ".join(sorted(self.names or ())) or "none"
            raise DecoratorError(f"{option}={unknown[0]!r}: {function}() has no such parameter; it has: {known}")


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _is_what_it_seems(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> bool:
    """Whether calls may be bound by the signature alone.

    A function that was wrapped before may show one signature and take another: `mock.patch` adds arguments.
    """
    return (
        type(function) is FunctionType
        and not hasattr(function, "__wrapped__")
        and not hasattr(function, "__signature__")
        and not any(parameter.name.startswith(PREFIX) for parameter in parameters)
    )


def _skipped(parameters: list[inspect.Parameter], *, bound_first: bool) -> str | None:
    first = parameters[0] if parameters else None
    if first is None or first.kind not in _POSITIONAL:
        return None
    return first.name if bound_first or first.name in _SELF else None


def _declared(parameters: list[inspect.Parameter]) -> tuple[str, dict[str, Any]]:
    """The parameters as they stand after `def f`, and the defaults that the text refers to."""
    defaults: dict[str, Any] = {}
    parts: list[str] = []
    previous = None
    for position, parameter in enumerate(parameters):
        kind = parameter.kind
        if previous is parameter.POSITIONAL_ONLY and kind is not parameter.POSITIONAL_ONLY:
            parts.append("/")
        if kind is parameter.KEYWORD_ONLY and previous not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            parts.append("*")
        part = f"{_STARS.get(kind, '')}{parameter.name}"
        if parameter.default is not inspect.Parameter.empty:
            default = f"{PREFIX}default_{position}"
            defaults[default] = parameter.default
            part = f"{part}={default}"
        parts.append(part)
        previous = kind
    if previous is inspect.Parameter.POSITIONAL_ONLY:
        parts.append("/")
    return ", ".join(parts), defaults


def _forwarded(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f"{parameter.name}={parameter.name}"
    return f"{_STARS.get(parameter.kind, '')}{parameter.name}"


def _displayed(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    return f"{parameter.name!r}: {parameter.name}"


def _compiled(declared: str, displayed: str, defaults: Mapping[str, Any]) -> Callable[..., dict[str, Any]]:
    namespace = dict(defaults)
    exec(f"def bind({declared}): return {displayed}", namespace)  # noqa: S102 - a function's own parameters
    bind: Callable[..., dict[str, Any]] = namespace["bind"]
    return bind


def _positional(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"args": args, **kwargs}
