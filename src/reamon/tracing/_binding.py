"""Binding: the arguments of a call by name, as the function will see them, without `inspect.signature` at call time.

For each decorated function a twin is compiled, once, that has the same parameters and returns them as a dict; Python's
own call machinery then does the binding, in a fifth of a microsecond.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from reamon.errors import DecoratorError

Bind = Callable[..., dict[str, Any]]
_SELF = frozenset(("self", "cls"))
_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Binding:
    """The parameters of one function.

    Args:
        function: The function to be decorated.
        bound_first: Whether the first parameter is bound for certain (a classmethod's); one called `self` or `cls` is
            left out anyhow.

    Attributes:
        names: The parameters that are captured, `**kwargs` left out; None if the signature is unknown.
        open: Whether further names are possible (`**kwargs`, or an unknown signature).
        bind: Called with a call's arguments, gives them by name with defaults applied. Raises TypeError where the
            function itself would.
    """

    def __init__(self, function: Callable[..., Any], *, bound_first: bool = False) -> None:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            self.names: frozenset[str] | None = None
            self.open = True
            self.bind: Bind = _positional
            return
        kinds = {parameter.kind for parameter in parameters}
        first = parameters[0] if parameters else None
        skipped = (
            first.name
            if first is not None and first.kind in _POSITIONAL and (bound_first or first.name in _SELF)
            else None
        )
        self.open = inspect.Parameter.VAR_KEYWORD in kinds
        self.names = frozenset(
            parameter.name
            for parameter in parameters
            if parameter.name != skipped and parameter.kind is not inspect.Parameter.VAR_KEYWORD
        )
        self.bind = _compile(parameters, skipped)

    def require(self, names: Iterable[str], option: str, function: str) -> None:
        """Refuse names that are no parameters.

        Raises:
            DecoratorError: One is not, and no `**kwargs` could bring it.
        """
        unknown = () if self.open or self.names is None else sorted(set(names) - self.names)
        if unknown:
            known = ", ".join(sorted(self.names or ())) or "none"
            raise DecoratorError(f"{option}={unknown[0]!r}: {function}() has no such parameter; it has: {known}")


def _positional(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"args": args, **kwargs}


def _compile(parameters: list[inspect.Parameter], skipped: str | None) -> Bind:
    """The twin: `def bind(a, b=default, *args, **kwargs): return {"a": a, "b": b, "args": args, **kwargs}`."""
    defaults = {
        f"_default_{position}": parameter.default
        for position, parameter in enumerate(parameters)
        if parameter.default is not inspect.Parameter.empty
    }
    declared: list[str] = []
    shown: list[str] = []
    previous = None
    for position, parameter in enumerate(parameters):
        kind = parameter.kind
        if previous is parameter.POSITIONAL_ONLY and kind is not parameter.POSITIONAL_ONLY:
            declared.append("/")
        if kind is parameter.KEYWORD_ONLY and previous not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            declared.append("*")
        stars = _STARS.get(kind, "")
        default = f"=_default_{position}" if f"_default_{position}" in defaults else ""
        declared.append(f"{stars}{parameter.name}{default}")
        if parameter.name != skipped:
            shown.append(f"**{parameter.name}" if stars == "**" else f"{parameter.name!r}: {parameter.name}")
        previous = kind
    if previous is inspect.Parameter.POSITIONAL_ONLY:
        declared.append("/")
    namespace: dict[str, Any] = {}
    exec(f"def bind({', '.join(declared)}): return {{{', '.join(shown)}}}", defaults, namespace)  # noqa: S102 - names come from a function's own signature
    bind: Bind = namespace["bind"]
    return bind
