"""The condenser: copies what fits of any value into plain values that JSON can say."""

import array
import datetime
import enum
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain, islice
from pathlib import PurePath
from types import FunctionType, MethodType
from typing import Any

import msgspec

from reamon.protocols import Capture
from reamon.tracing._plain import ITEM_SIZE, plain_enums, room_left

_DEPTH = 48
_NODE_SIZE = 12
_PUNCTUATION = 3  # quotes and a comma, or brackets and one
_MARKER = "[reamon]"
_TYPES_KEPT = 4096
_TRIES = 8
_JSON_INT_BITS = 63
_TEXT_INT_BITS = 4096
_UNSET = object()
_encode = msgspec.json.Encoder().encode

_registered: dict[type, Capture] = {}
_handlers: "dict[type, Handler]" = {}


def register_capture(kind: type[Any], capture: Capture) -> None:
    """Say how objects of `kind`, and of its subclasses, become payloads.

    Args:
        kind: The class.
        capture: Gives for an object what stands for it: a dict, a string, anything that can be captured.

    Raises:
        TypeError: `kind` is no class, or `capture` cannot be called.

    Example:
        >>> class Lead:
        ...     def __init__(self, name):
        ...         self.name = name
        >>> register_capture(Lead, lambda lead: {"name": lead.name})
    """
    given: tuple[Any, Any] = (kind, capture)
    if not (isinstance(given[0], type) and callable(given[1])):
        raise TypeError(f"register_capture takes a class and a callable, not {kind!r} and {capture!r}")
    _registered[kind] = capture
    _forget_handlers()


def forget_capture(kind: type[Any]) -> None:
    """Take back `register_capture(kind, ...)`."""
    _registered.pop(kind, None)
    _forget_handlers()


def _forget_handlers() -> None:
    _handlers.clear()
    plain_enums.clear()


class Condenser:
    """Condenses one value within a budget of characters.

    Args:
        room: How many characters the result may hold, roughly.
        takes_plain: Whether to look for parts that can be encoded as they are; useless in a value that is too deep for
            that to be found out.
    """

    def __init__(self, room: int, *, takes_plain: bool = True) -> None:
        self.room = room
        self._takes_plain = takes_plain
        self._path: set[int] = set()

    def condense(self, value: Any, depth: int = _DEPTH) -> Any:
        """A plain copy of what fits of `value`; its parts that cannot be read are replaced by a note."""
        kind = type(value)
        if (kind is dict and self._has_text_keys(value)) or kind is list:
            raw = self.plain(value)
            if raw is not None:
                return raw
        try:
            handler = _handlers[kind] if kind in _handlers else _find_handler(kind)
            return handler(self, value, depth)
        except Exception as error:
            self.room -= _NODE_SIZE
            return {"__type__": _type_name(kind), "error": f"not captured: {type(error).__name__}"}

    def plain(self, value: Any) -> msgspec.Raw | None:
        """The JSON of a dict or list that is plain and fits; this is many times as fast as to copy it."""
        if not self._takes_plain:
            return None
        try:
            if room_left((value,), self.room) < 0:
                return None
            raw = _encode(value)
        except Exception:  # it contains itself, half of a surrogate pair, or another thread changes it
            self._takes_plain = False
            return None
        if len(raw) > self.room:
            return None
        self.room -= len(raw) + 1
        return msgspec.Raw(raw)

    def text(self, value: str, _depth: int = 0) -> str:
        """A string, cut to the room that is left, with lone surrogates spelled out.

        Only what fits is copied, and no method of a subclass is called.
        """
        length = str.__len__(value)
        keep = max(self.room, 0)
        if length <= keep and type(value) is str and value.isascii():
            self.room -= length + _PUNCTUATION
            return value
        self.room -= min(length, keep) + _PUNCTUATION
        clean = str.__getitem__(value, slice(keep)).encode("utf-8", "backslashreplace").decode()
        return clean if length <= keep else f"{clean}… {_cut(length - keep, length, 'characters')}"

    def atom(self, value: Any, _depth: int = 0) -> Any:
        """A boolean, None or a float that JSON can say; NaN and the infinities as text."""
        self.room -= _NODE_SIZE
        return value if not isinstance(value, float) or value - value == 0 else _FLOATS.get(value, "NaN")

    def integer(self, value: int, _depth: int = 0) -> Any:
        """An integer; one that JSON readers would round is text, and one too long to print its size."""
        self.room -= _NODE_SIZE
        bits = value.bit_length()
        if bits <= _JSON_INT_BITS:
            return int(value)
        if bits <= _TEXT_INT_BITS:
            return self.text(int.__repr__(value))
        return {"__type__": "int", "bits": bits}

    def mapping(self, value: dict[Any, Any], depth: int) -> Any:
        """A dict, with keys as text."""
        return self.fields(dict.items(value), dict.__len__(value), value, depth)

    def fields(self, pairs: Iterable[tuple[Any, Any]], length: int, owner: Any, depth: int) -> Any:
        """The named parts of `owner` as a dict, as many as fit."""
        if refusal := self._refuse(owner, depth):
            return refusal
        result: dict[str, Any] = {}
        try:
            for key, item in self._what_could_fit(pairs):
                if self.room <= 0:
                    break
                name = self.text(key) if type(key) is str else self._key(key)
                result[name if name not in result else f"{name} #{len(result)}"] = self.condense(item, depth - 1)
        finally:
            self._path.discard(id(owner))
        if missing := length - len(result):
            result[_MARKER] = _cut(missing, length, "keys")
        return result

    def items(self, values: Iterable[Any], length: int, owner: Any, depth: int) -> Any:
        """The items of `owner` as a list, as many as fit."""
        if refusal := self._refuse(owner, depth):
            return refusal
        result: list[Any] = []
        try:
            for item in self._what_could_fit(values):
                if self.room <= 0:
                    break
                result.append(self.condense(item, depth - 1))
        finally:
            self._path.discard(id(owner))
        if missing := length - len(result):
            result.append(_cut(missing, length, "items"))
        return result

    def sequence(self, value: Any, depth: int) -> Any:
        """A list, tuple, set or deque."""
        return self.items(value, len(value), value, depth)

    def describe(self, value: Any, **facts: Any) -> dict[str, Any]:
        """What stands for a value that is not shown: its type, and facts that cost nothing to know."""
        self.room -= _NODE_SIZE
        return {"__type__": _type_name(type(value)), **facts}

    def _has_text_keys(self, value: dict[Any, Any]) -> bool:
        """Whether a dict may fit and its keys are all text; of others, two may be spelled alike, as `1` and `"1"` are.

        Where another thread changes it meanwhile, the answer is no.
        """
        if len(value) * ITEM_SIZE > self.room:
            return False
        try:
            for key in value:  # a third of the time of `all` with a generator
                if type(key) is not str:
                    return False
        except RuntimeError:
            return False
        return True

    def _refuse(self, owner: Any, depth: int) -> str | None:
        """Why `owner` is not entered, or None after noting that it is."""
        self.room -= _PUNCTUATION
        if id(owner) in self._path:
            return f"{_MARKER} circular reference to {_type_name(type(owner))}"
        if depth <= 0:
            return f"{_MARKER} nested deeper than {_DEPTH} levels"
        self._path.add(id(owner))
        return None

    def _what_could_fit(self, parts: Iterable[Any]) -> list[Any]:
        """At most so many parts as there may be room for, copied in one step.

        A garbage collection in the middle of it may let another thread in; what that has changed is copied anew.
        """
        most = max(self.room, 0) // _NODE_SIZE + 1
        for _ in range(_TRIES):
            try:
                return list(islice(parts, most))
            except RuntimeError:  # changed meanwhile
                continue
        return list(islice(parts, most))

    def _key(self, key: Any) -> str:
        plain = self.condense(key, 2)
        if isinstance(plain, dict | msgspec.Raw):
            return _type_name(type(key))
        return plain if isinstance(plain, str) else str(plain)


Handler = Callable[[Condenser, Any, int], Any]
_FLOATS = {float("inf"): "Infinity", float("-inf"): "-Infinity"}


def _cut(missing: int, total: int, what: str) -> str:
    return f"{_MARKER} {missing} of {total} {what} cut"


def _type_name(kind: type) -> str:
    try:
        module, name = kind.__module__, kind.__qualname__
    except Exception:  # a metaclass may answer for its classes
        return "object"
    return name if module == "builtins" else f"{module}.{name}"


def _find_handler(kind: type) -> "Handler":
    """The way to condense objects of `kind`, looked up once for each type."""
    registered = _registered_handler(kind)
    handler = registered or _structural_handler(kind) or _builtin_handler(kind)
    if len(_handlers) >= _TYPES_KEPT:
        _forget_handlers()
    _handlers[kind] = handler
    if registered is None and _is_text_enum(kind):
        plain_enums.add(kind)
    return handler


def _registered_handler(kind: type) -> "Handler | None":
    return next((_through(_registered[base]) for base in kind.__mro__ if base in _registered), None)


def _builtin_handler(kind: type) -> "Handler":
    return next((_BY_TYPE[base] for base in kind.__mro__ if base in _BY_TYPE), _unknown)


def _is_text_enum(kind: Any) -> bool:
    """Whether it is an enum whose values are all text, asked without running any code of its own."""
    return type(kind) is enum.EnumMeta and all(type(value) is str for value in kind._value2member_map_)


def _unknown(condenser: Condenser, value: Any, _depth: int) -> Any:
    return condenser.describe(value)


def _through(capture: Capture) -> "Handler":
    return lambda condenser, value, depth: condenser.condense(capture(value), depth - 1)


def _structural_handler(kind: type) -> "Handler | None":
    """For types that are known by their shape: fields are read directly, and no method of theirs is called."""
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields  # noqa: PLC0415 - whoever has a dataclass has it already

        return _by_names(tuple(field.name for field in fields(kind)))
    if hasattr(kind, "__pydantic_fields__"):
        return _pydantic
    if hasattr(kind, "__struct_fields__"):
        return _by_names(tuple(kind.__struct_fields__))
    if hasattr(kind, "__attrs_attrs__"):
        return _by_names(tuple(attribute.name for attribute in kind.__attrs_attrs__))
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _by_names(tuple(kind._fields))
    if str(kind.__module__).partition(".")[0] in ("numpy", "torch", "pandas", "polars", "jax", "jaxlib"):
        return _array
    return None


def _by_names(names: tuple[str, ...]) -> "Handler":
    def handler(condenser: Condenser, value: Any, depth: int) -> Any:
        fields = {name: field for name in names if (field := _read(value, name)) is not _UNSET}
        raw = condenser.plain(fields)
        return raw if raw is not None else condenser.fields(fields.items(), len(fields), value, depth)

    return handler


def _read(value: Any, name: str) -> Any:
    try:
        return getattr(value, name)
    except AttributeError:
        return _UNSET
    except Exception as error:  # a property or a descriptor, which costs its own field only
        return {"error": f"not captured: {type(error).__name__}"}


def _pydantic(condenser: Condenser, value: Any, depth: int) -> Any:
    """A model's fields as they are: dumping would call validators and serializers, which may fail or do work."""
    named, extra = value.__dict__, getattr(value, "__pydantic_extra__", None) or {}
    length = len(named) + len(extra)
    if length * ITEM_SIZE > condenser.room:  # the application's data, and not its fields: too many to copy
        return condenser.fields(chain(named.items(), extra.items()), length, value, depth)
    fields = {**named, **extra}
    raw = condenser.plain(fields)
    return raw if raw is not None else condenser.fields(fields.items(), len(fields), value, depth)


def _array(condenser: Condenser, value: Any, _depth: int) -> Any:
    """Arrays and frames by type, shape and dtype; a scalar of theirs by its value."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return condenser.describe(value)
    if shape == ():
        return condenser.condense(value.item())
    return condenser.describe(value, shape=[int(size) for size in shape], dtype=str(getattr(value, "dtype", "")))


def _bytes(condenser: Condenser, value: Any, _depth: int) -> Any:
    return condenser.describe(value, length=len(value))


def _exception(condenser: Condenser, value: BaseException, depth: int) -> Any:
    return condenser.describe(value, args=condenser.condense(value.args, depth - 1))


_BY_TYPE: dict[type, "Handler"] = {
    enum.Enum: lambda condenser, value, depth: condenser.condense(value.value, depth - 1),
    str: Condenser.text,
    bool: Condenser.atom,
    type(None): Condenser.atom,
    float: lambda condenser, value, depth: condenser.atom(float(value), depth),
    int: Condenser.integer,
    dict: Condenser.mapping,
    list: Condenser.sequence,
    tuple: Condenser.sequence,
    set: Condenser.sequence,
    frozenset: Condenser.sequence,
    deque: Condenser.sequence,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: lambda condenser, value, _depth: condenser.describe(value, length=value.nbytes),
    array.array: _bytes,
    Decimal: lambda condenser, value, _depth: condenser.text(Decimal.__str__(value)),
    datetime.datetime: lambda condenser, value, _depth: condenser.text(value.isoformat()),
    datetime.date: lambda condenser, value, _depth: condenser.text(value.isoformat()),
    datetime.time: lambda condenser, value, _depth: condenser.text(value.isoformat()),
    datetime.timedelta: lambda condenser, value, _depth: condenser.atom(value.total_seconds()),
    uuid.UUID: lambda condenser, value, _depth: condenser.text(str(value)),
    PurePath: lambda condenser, value, _depth: condenser.text(str(value)),
    BaseException: _exception,
    FunctionType: lambda condenser, value, _depth: condenser.describe(value, name=value.__qualname__),
    MethodType: lambda condenser, value, _depth: condenser.describe(value, name=value.__qualname__),
    type: lambda condenser, value, _depth: condenser.describe(value, name=_type_name(value)),
}
