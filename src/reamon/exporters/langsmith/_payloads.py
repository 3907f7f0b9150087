"""Payloads: snapshots as LangSmith's `inputs` and `outputs`, which are objects.

The bytes of a snapshot go into the request as they are. They are only looked over, once and without being taken apart,
because a processor may have put anything in their place, and one broken payload would have the whole request refused.
"""

from typing import Final

import msgspec

from reamon.model import Payload

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
    r"""`raw` without space around it, if it is JSON in UTF-8; else a JSON string of what it says.

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
    return content


def _with_state(content: bytes, name: str, state: bytes) -> bytes:
    # Most payloads mention no such key anywhere, which a search finds out faster than a parser.
    is_taken = name.encode() in content and name in _keys_of(content)
    key = f"reamon.{name}" if is_taken else name
    comma = b"," if content[1:-1].strip() else b""
    return b'%b%b"%b":%b}' % (content[:-1], comma, key.encode(), state)
