"""Patches: methods of others that are wrapped, and how each of them is put back."""

from collections.abc import Callable
from typing import Any

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""What wrapt calls in the place of a method: with the method, bound, its object, and the arguments of the call."""

_ABSENT = object()


class Patches:
    """Attributes of classes, modules and objects that one instrumentation has replaced.

    They are put back in the reverse order. Where somebody else has wrapped one of ours meanwhile, it cannot be taken
    out of the middle: it stays, and passes straight through from then on. If that somebody is another of us, it goes
    when the other one is put back; so the order in which instrumentations are undone does not matter.

    Example:
        >>> class Phone:
        ...     def dial(self, number):
        ...         return f"dialling {number}"
        >>> patches = Patches()
        >>> patches.wrap(Phone, "dial", lambda wrapped, phone, args, kwargs: wrapped(*args, **kwargs).upper())
        >>> Phone().dial("555")
        'DIALLING 555'
        >>> patches.undo()
        >>> Phone().dial("555")
        'dialling 555'
    """

    def __init__(self) -> None:
        self.is_active = True
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def wrap(self, owner: Any, name: str, wrapper: Wrapper) -> None:
        """Wrap the method `owner.name`, whether it is its own or inherited.

        Args:
            owner: A class, a module or an object.
            name: The attribute.
            wrapper: Called in its place.

        Raises:
            AttributeError: It has none of that name.
        """
        import wrapt  # noqa: PLC0415 - not needed by those who instrument nothing

        original = self._static(owner, name)
        if original is _ABSENT:
            original = getattr(owner, name)
        ours = wrapt.FunctionWrapper(original, wrapper, enabled=lambda: self.is_active)
        ours._self_reamon = (self, vars(owner).get(name, _ABSENT))
        self.replace(owner, name, ours)

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Set `owner.name` to `value`."""
        self._replaced.append((owner, name, vars(owner).get(name, _ABSENT), value))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put everything back."""
        self.is_active = False
        while self._replaced:
            owner, name, before, ours = self._replaced.pop()
            if vars(owner).get(name, _ABSENT) is not ours:
                continue
            before = _without_undone(before)
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

    @staticmethod
    def _static(owner: Any, name: str) -> Any:
        """The attribute as it stands in the class, a classmethod or staticmethod still being one."""
        for place in owner.__mro__ if isinstance(owner, type) else (owner,):
            if name in vars(place):
                return vars(place)[name]
        return _ABSENT


def _without_undone(value: Any) -> Any:
    """What was in the place of `value` before wrappers of ours that have been undone since."""
    while (mark := getattr(value, "_self_reamon", None)) is not None and not mark[0].is_active:
        value = mark[1]
    return value
