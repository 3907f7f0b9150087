"""The answer of an HTTP service to which spans were sent: what every such exporter asks of it."""

from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec

_LONGEST_WAIT: Final = 3600.0  # seconds; whoever names more may have meant something else
_TEXT_LENGTH: Final = 300


class Answer(msgspec.Struct, frozen=True):
    """What a service answered.

    Attributes:
        status: The HTTP status.
        headers: The headers, names in lower case.
        body: The content, decompressed. Secrets are blotted out of it, should somebody have sent them back.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The beginning of the body on one line, for people."""
        return shown(self.body[: 4 * _TEXT_LENGTH].decode("utf-8", "replace").replace("\ufffd", ""))

    @property
    def form(self) -> str:
        """What the body is said to be."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def json(self) -> Any:
        """The body decoded; None if it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            return None

    @property
    def reason(self) -> str:
        """The status in words, and what was said."""
        try:
            words = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            words = str(self.status)
        return f"{words}: {self.text}" if self.text else words

    def retry_after(self, now: Callable[[], float]) -> float:
        """Seconds to wait; 0 where the answer does not say, or nothing sensible.

        Args:
            now: Gives seconds since 1970.
        """
        said = self.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            seconds = float(said)
        else:
            try:
                moment = parsedate_to_datetime(said)
            except (TypeError, ValueError):
                return 0.0
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now()
        return min(max(seconds, 0.0), _LONGEST_WAIT)


def shown(text: str) -> str:
    """The beginning of a text on one line, without what no terminal should print."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:_TEXT_LENGTH]
