"""Answers: what a model says, put together from the documents that its API sends."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from reamon.integrations.model_call import ModelAnswer
from reamon.integrations.model_usage import amount_of

_NOTHING: Final[Mapping[str, Any]] = {}
_ROOM: Final = 1_000_000
"""Characters of one answer that are kept: far more than a span holds, and far less than a stream may bring."""


class TextPieces:
    """Text that comes in pieces, kept up to a bound."""

    __slots__ = ("_pieces", "_room")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._room = _ROOM

    def add(self, piece: object) -> bool:
        """Take one in; whether it held anything."""
        if not isinstance(piece, str) or not piece:
            return False
        if self._room > 0:
            self._pieces.append(piece[: self._room])
            self._room -= len(piece)
        return True

    def __str__(self) -> str:
        return "".join(self._pieces)

    def __bool__(self) -> bool:
        return bool(self._pieces)


class AnswerReader(ABC):
    """Makes a `ModelAnswer` of an answer that comes as a whole, or in pieces.

    Attributes:
        is_complete: Whether the API has said that nothing follows.
        error: What the API says went wrong, where it says so in the middle of an answer.
    """

    def __init__(self) -> None:
        self.is_complete = False
        self.error: str | None = None

    @abstractmethod
    def whole(self, document: Mapping[str, Any]) -> None:
        """The whole answer."""

    @abstractmethod
    def piece(self, document: Mapping[str, Any]) -> bool:
        """One event of a stream; whether it holds a token, or a part of a tool call."""

    @abstractmethod
    def answer(self) -> ModelAnswer | None:
        """What has come so far; None if nothing has."""


def section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object called `name` in a document, empty where there is none."""
    value = document.get(name)
    return value if isinstance(value, dict) else _NOTHING


def sections(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in the list called `name`, none where there is no such list."""
    value = document.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count(document: Mapping[str, Any], name: str) -> int | None:
    """The number called `name`; None where there is none, which is not 0."""
    return amount_of(document.get(name))


def text(document: Mapping[str, Any], name: str) -> str | None:
    """The text called `name`, or None."""
    value = document.get(name)
    return value if isinstance(value, str) else None


def said(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what it leaves unsaid."""
    return {name: value for name, value in document.items() if value is not None and value != []}


def error_of(document: Mapping[str, Any]) -> str | None:
    """What a document says went wrong: `{"error": "..."}` or `{"error": {"message": "..."}}`."""
    error = document.get("error")
    if error is None:
        return None
    if isinstance(error, dict):
        return str(error.get("message") or error.get("type") or "an error without a message")
    return str(error) if error else None


def vectors(embeddings: object) -> dict[str, int] | None:
    """What stands for embeddings: how many there are, and of what size; None for what is no list of any."""
    if not isinstance(embeddings, list) or not embeddings:
        return None
    first = embeddings[0]
    if isinstance(first, str):  # 32-bit floats in base64
        return {"embeddings": len(embeddings), "dimensions": len(first.rstrip("=")) * 3 // 4 // 4}
    return {"embeddings": len(embeddings), "dimensions": len(first) if isinstance(first, list) else 1}
