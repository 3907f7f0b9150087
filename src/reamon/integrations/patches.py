"""Patches: methods of others that are wrapped, in layers that come off in any order."""

import threading
from collections.abc import Callable
from typing import Any, Final

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""What wrapt calls in the place of a method: with the method, bound, its object, and the arguments of the call."""

Make = Callable[[Any], Any]
"""Makes of an attribute, as it stands in its class, what takes its place."""

_ABSENT: Final = object()
_lock: Final = threading.RLock()


class Patches:
    """Attributes of classes, modules and objects that one instrumentation has replaced.

    Several may replace the same one; each is undone by itself, and what is left is as if it had never been. Where
    somebody else has wrapped one of ours meanwhile, it cannot be taken out of the middle: it stays, and passes straight
    through from then on (`wrap` does so by itself, `layer` where it asks `is_active`).

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
        self._patched: list[_Patched] = []

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

        self.layer(
            owner, name, lambda original: wrapt.FunctionWrapper(original, wrapper, enabled=lambda: self.is_active)
        )

    def layer(self, owner: Any, name: str, make: Make) -> None:
        """Put what `make` makes of the attribute in its place.

        Raises:
            AttributeError: There is none of that name.
        """
        with _lock:
            patched = _all.get((id(owner), name)) or _Patched(owner, name)
            patched.add(self, make)
            _all[id(owner), name] = patched
            self._patched.append(patched)

    def undo(self) -> None:
        """Take every layer of ours off."""
        self.is_active = False
        with _lock:
            while self._patched:
                self._patched.pop().remove(self)


def original_of(owner: type, name: str) -> Any:
    """The attribute of a class as it stands there without any layer of ours, inherited ones included; None if none."""
    with _lock:
        for place in owner.__mro__:
            patched = _all.get((id(place), name))
            if patched is not None and patched.before is not _ABSENT:
                return patched.before
            if patched is None and name in vars(place):
                return vars(place)[name]
    return None


class _Patched:
    """One attribute and the layers over it.

    Attributes:
        before: What the owner itself had by that name, if anything.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self.before = vars(owner).get(name, _ABSENT)
        self._owner = owner
        self._name = name
        self._bottom = self.before if self.before is not _ABSENT else _inherited(owner, name)
        self._layers: list[tuple[Patches, Make]] = []
        self._value: Any = _ABSENT

    def add(self, patches: Patches, make: Make) -> None:
        is_ours = self._is_ours()
        below = self._value if self._layers and is_ours else vars(self._owner).get(self._name, self._bottom)
        if not is_ours:  # somebody else has wrapped ours, and we wrap theirs
            self._layers, self._bottom, self.before = [], below, below
        value = make(below)
        setattr(self._owner, self._name, value)  # which not every object takes
        self._layers.append((patches, make))
        self._value = value

    def remove(self, patches: Patches) -> None:
        before = len(self._layers)
        self._layers = [(owner, make) for owner, make in self._layers if owner is not patches]
        if before == len(self._layers) or not self._is_ours():
            return
        if self._layers:
            self._value = self._bottom
            for _, make in self._layers:
                self._value = make(self._value)
            setattr(self._owner, self._name, self._value)
            return
        del _all[id(self._owner), self._name]
        if self.before is _ABSENT:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self.before)

    def _is_ours(self) -> bool:
        return not self._layers or vars(self._owner).get(self._name, _ABSENT) is self._value


_all: Final[dict[tuple[int, str], _Patched]] = {}
"""Every attribute that has a layer, by its owner's identity: a `_Patched` keeps its owner, so that no other gets it."""


def _inherited(owner: Any, name: str) -> Any:
    """The attribute as it stands above, a classmethod or staticmethod still being one."""
    for place in owner.__mro__ if isinstance(owner, type) else ():
        if name in vars(place):
            return vars(place)[name]
    return getattr(owner, name)
