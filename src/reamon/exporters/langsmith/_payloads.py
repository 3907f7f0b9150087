"""Payloads: snapshots as LangSmith's `inputs` and `outputs`, which are objects.

The bytes of a snapshot go into the request as they are. They are only looked over, once and without being taken apart,
because a processor may have put anything in their place, and one broken payload would have the whole request refused.
"""

import re
from typing import Final

import msgspec

from reamon.model import Payload

_DEEPEST: Final = 500
_brackets: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]').finditer  # strings are passed over whole
_EMPTY: Final = b"{}"
_skim: Final = msgspec.json.Decoder(msgspec.Raw).decode
_keys_of: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def as_object(payload: Payload | None, name: str, state: Payload | None = None, state_name: str = "") -> bytes | None:
    """`payload` as a JSON object: one as it is, anything else under `name`; None where there is nothing.

    Args:
        payload: The snapshot.
        name: The key for what is no object ("input", "output").
        state: The agent's state, to be shown beside it.
        state_name: The key for the state; `reamon.` goes in front of it where the payload has such a key already.

    Example:
        >>> as_object(Payload.of("hello"), "input", Payload.of({"score": 1}), "state_before")
        b'{"input":"hello","state_before":{"score":1}}'
    """
    if payload is None:
        content = None if state is None else _EMPTY
    else:
        content = sound(payload.raw)
        if content[:1] != b"{":
            content = b'{"%b":%b}' % (name.encode(), content)
    return content if content is None or state is None else _with_state(content, state_name, sound(state.raw))


def sound(raw: bytes) -> bytes:
    r"""`raw` without space around it if it is JSON in UTF-8, not nested too deep; else a JSON string of what it says.

    Example:
        >>> sound(b' {"score": NaN}')
        b'"{\\"score\\": NaN}"'
    """
    content = raw.strip()
    try:
        _skim(content)
        if not content.isascii():
            content.decode()  # skimming does not look into strings
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _encode(content.decode("utf-8", "replace"))
    return _encode(content.decode()) if _is_too_deep(content) else content


def _is_too_deep(content: bytes) -> bool:
    """Whether JSON is nested deeper than parsers follow, whose limits differ: one such run would spoil its request."""
    if content.count(b"[") + content.count(b"{") <= _DEEPEST:  # nearly always, and told in no time
        return False
    depth = deepest = 0
    for found in _brackets(content):
        bracket = found[0]
        if bracket in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in (b"]", b"}"):
            depth -= 1
    return deepest > _DEEPEST


def _with_state(content: bytes, name: str, state: bytes) -> bytes:
    # Most payloads mention no such key anywhere, which a search finds out faster than a parser.
    is_taken = name.encode() in content and name in _keys_of(content)
    key = f"reamon.{name}" if is_taken else name
    comma = b"," if content[1:-1].strip() else b""
    return b'%b%b"%b":%b}' % (content[:-1], comma, key.encode(), state)
