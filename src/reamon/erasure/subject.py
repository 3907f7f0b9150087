"""The subject: whose data are to go, and how a text is known to speak of them."""

import re
from collections.abc import Iterable
from hashlib import scrypt
from typing import Any, Final, Literal

import msgspec

from reamon.erasure.phone import digits_of, phone_pattern
from reamon.erasure.residue import RawPattern, literally
from reamon.errors import ReamonError

Kind = Literal["call", "phone", "lead"]

SHORTEST_TOLD: Final = 6
"""Characters of an id below which it is found in everything."""

_CALL_KEYS: Final = {"callid", "callsid", "conversationid", "genaiconversationid", "threadid"}
_JOINTS: Final = re.compile(r"[\s_.\-]+")
_LEAD_IN_TEXT: Final = r"""lead(?:[\W_]{0,3}data)?[\W_]{0,3}(?:id[\W_]{0,2})?\s*[:=]\s*[\\"']*"""
_SCRYPT: Final = {"n": 1 << 14, "r": 8, "p": 1, "dklen": 32}


class Subject:
    """One call, one phone number or one lead.

    Args:
        kind: What is known of the person.
        value: The call's id, the number in any spelling, or the lead's id.

    Raises:
        ReamonError: The value is empty, or no phone number that can be told from other numbers.

    Example:
        >>> Subject("phone", "+1 (555) 010-2030").is_mentioned_in(["please call 555.010.2030"])
        True
        >>> Subject("lead", "L-7").is_mentioned_in(['{"lead_data":{"id":"L-77"}}'])
        False
    """

    def __init__(self, kind: Kind, value: str) -> None:
        self.kind: Kind = kind
        self.value = value.strip()
        if not self.value:
            raise ReamonError(f"there is nothing to look for: the {kind} is empty")
        self._pattern = phone_pattern(self.value) if kind == "phone" else None
        escaped = re.escape(self.value)
        self._lead = re.compile(rf"(?<![A-Za-z]){_LEAD_IN_TEXT}{escaped}(?![\w-])", re.IGNORECASE)

    @property
    def needle(self) -> str | None:
        """What every text contains, as JSON says it, that speaks of the subject; None where nothing is sure."""
        if self.kind == "phone":
            return None
        return msgspec.json.encode(self.value).decode()[1:-1]

    @property
    def reads_texts(self) -> bool:
        """Whether the texts of spans have to be looked through."""
        return True

    @property
    def raw_pattern(self) -> RawPattern | None:
        """What bytes on disk are looked through for afterwards; None where it would say too much.

        A short id would be found in everything.
        """
        if self._pattern is not None:
            return self._pattern.core.pattern, self._pattern.full.pattern
        return literally(self.value) if len(self.value) >= SHORTEST_TOLD else None

    def is_call(self, call_id: str | None) -> bool:
        """Whether the subject is this call, or a call that is named by the subject's number or id."""
        if call_id is None:
            return False
        return call_id == self.value or (self._pattern is not None and self._pattern.is_in(call_id))

    def covers(self, trace_id: str, call_id: str | None) -> bool:
        """Whether what has these ids belongs to the subject."""
        return self.kind != "lead" and self.is_call(call_id)

    def is_mentioned_in(self, texts: Iterable[str]) -> bool:
        """Whether one of these texts, JSON or not, speaks of the subject."""
        return any(self._speaks(text) for text in texts)

    def digest(self, salt: str) -> str:
        """What stands for the value in a receipt: slow to make, so that nobody finds a number by trying all of them."""
        value = digits_of(self.value) if self.kind == "phone" else self.value
        return scrypt(f"{self.kind}:{value}".encode(), salt=salt.encode(), **_SCRYPT).hex()

    def _speaks(self, text: str) -> bool:
        if self._pattern is not None:
            return self._pattern.is_in(text)
        if self.value not in text and (self.needle or "") not in text:
            return False
        try:
            value = msgspec.json.decode(text)
        except ValueError:
            return self.kind == "lead" and bool(self._lead.search(text))
        return self._is_in(value, "", "")

    def _is_in(self, value: Any, key: str, above: str) -> bool:
        if isinstance(value, dict):
            return any(self._is_in(item, name, key) for name, item in value.items())
        if isinstance(value, list):
            return any(self._is_in(item, key, above) for item in value)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            is_value = str(value) == self.value or (isinstance(value, float) and f"{value:.0f}" == self.value)
            if is_value and self._is_key(key, above):
                return True
            return self.kind == "lead" and isinstance(value, str) and bool(self._lead.search(value))
        return False

    def _is_key(self, key: str, above: str) -> bool:
        name, outer = _JOINTS.sub("", key).lower(), _JOINTS.sub("", above).lower()
        if self.kind == "call":
            return name in _CALL_KEYS
        return name.endswith(("leadid", "leaddataid")) or (name == "id" and outer.endswith(("lead", "leaddata")))
