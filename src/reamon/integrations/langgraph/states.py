"""States: what a node left, worked out from snapshots where the graph does not say."""

import operator
from typing import Any, Final

import msgspec

from reamon.integrations.langgraph.routing import is_command

_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode: Final = msgspec.json.decode
_encode: Final = msgspec.json.Encoder().encode
_APPENDING: Final = frozenset({"add_messages", "_add_messages"})
_ROOT: Final = "__root__"  # LangGraph's key of a state that is no object
_UNREADABLE: Final = (msgspec.DecodeError, msgspec.ValidationError)


def updated(state: bytes, update: bytes | None, appended: frozenset[str] = frozenset()) -> bytes:
    """The snapshot of a state with the values of an update in the place of its own.

    Args:
        state: The state before.
        update: What a node returned, or the state after it. None, and what is no object where the state is one, changes
            nothing; a state that is no object is replaced.
        appended: The keys to which what a node returns is added, and does not replace them.

    Example:
        >>> updated(b'{"log":[1],"score":0}', b'{"log":[2],"score":1}', frozenset({"log"}))
        b'{"log":[1,2],"score":1}'
    """
    if update is None or update == b"null":
        return state
    try:
        before = _fields(state)
    except _UNREADABLE:
        return _encode(_joined(msgspec.Raw(state), msgspec.Raw(update))) if _ROOT in appended else update
    try:
        after = _fields(update)
    except _UNREADABLE:
        return state
    grown = {key: _joined(before[key], after[key]) for key in appended & before.keys() & after.keys()}
    return _encode({**before, **after, **grown})


def update_of(output: Any) -> Any:
    """What a node's output does to the state: itself, or what its `Command` says, or several do together."""
    outputs = output if issubclass(type(output), list | tuple) else (output,)
    if not any(is_command(one) for one in outputs):
        return output
    merged: dict[str, Any] = {}
    for update in (one.update if is_command(one) else one for one in outputs):
        for key, value in update.items() if isinstance(update, dict) else ():
            both = isinstance(value, list) and isinstance(merged.get(key), list)
            merged[key] = merged[key] + value if both else value
    return merged


def appending_keys(graph: Any) -> frozenset[str]:
    """The keys of a graph's state to which what nodes return is added: by `operator.add` or `add_messages`.

    Other reducers are the application's own code, which is not called for the sake of a record.
    """
    channels = getattr(graph, "channels", None) or {}
    return frozenset(key for key, channel in channels.items() if _appends(getattr(channel, "operator", None)))


def has_reducers(graph: Any) -> bool:
    """Whether what nodes return is put together with what was there, and does not replace it everywhere."""
    channels = getattr(graph, "channels", None) or {}
    return any(hasattr(channel, "operator") for channel in channels.values())


def _appends(reducer: Any) -> bool:
    return reducer is operator.add or getattr(reducer, "__name__", "") in _APPENDING


def _joined(before: msgspec.Raw, after: msgspec.Raw) -> Any:
    old, new = _decode(before), _decode(after)
    return old + new if type(old) is type(new) and isinstance(old, list | str | int | float) else new
