"""The document: what a command has to say, before anybody decides how it looks.

A document is a sequence of blocks (`Heading`, `Facts`, `Table`, `Tree`, `Note`) made of `Text`, whose parts carry a
meaning (`Style`), not a colour. `layout` turns it into aligned lines; `screen` puts those on a terminal or in a pipe.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Self


class Style(StrEnum):
    """What a part of a text means to the reader."""

    PLAIN = auto()
    STRONG = auto()
    FAINT = auto()
    ACCENT = auto()
    GOOD = auto()
    WARNING = auto()
    BAD = auto()


class Align(StrEnum):
    """How the cells of a column line up.

    `UNIT` is for a number and its unit ("412 ms" above "1.32 s"): numbers end, and units begin, in one column.
    """

    LEFT = auto()
    RIGHT = auto()
    UNIT = auto()


@dataclass(frozen=True, slots=True)
class Text:
    """One line of styled text.

    Example:
        >>> (Text.of("took ") + Text.of("412 ms", Style.STRONG)).plain
        'took 412 ms'
    """

    parts: tuple[tuple[str, Style], ...] = ()

    @classmethod
    def of(cls, text: object, style: Style = Style.PLAIN) -> Self:
        """`text` in one style, made safe to print (`printable`)."""
        words = printable(str(text))
        return cls(((words, style),)) if words else cls()

    @classmethod
    def join(cls, texts: Sequence[Self], separator: str = " ") -> Self:
        """The texts that are not empty, one after the other."""
        parts: list[tuple[str, Style]] = []
        for text in texts:
            if text.parts:
                if parts:
                    parts.append((separator, Style.FAINT))
                parts.extend(text.parts)
        return cls(tuple(parts))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.parts + other.parts)

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def plain(self) -> str:
        """The text without its styles."""
        return "".join(words for words, _ in self.parts)

    @property
    def width(self) -> int:
        """How many columns of a terminal it takes."""
        return sum(cells(words) for words, _ in self.parts)

    def cut(self, width: int) -> Self:
        """The text, cut to `width` columns; an ellipsis takes the place of what is gone."""
        if self.width <= width:
            return self
        kept: list[tuple[str, Style]] = []
        room = width - 1
        for words, style in self.parts:
            head = _head(words, room)
            kept.append((head, style))
            room -= cells(head)
            if head != words:
                break
        return type(self)((*kept, ("…" if width > 0 else "", Style.FAINT)))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or a tree.

    Attributes:
        title: Its heading.
        align: How its cells line up.
        shrinks: Whether it gives way where the terminal is narrow.
        optional: Whether it is left out where the terminal is so narrow that others would have to shrink for it.
    """

    title: str
    align: Align = Align.LEFT
    shrinks: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """Opens a section: the block after it follows without an empty line."""

    text: Text


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence."""

    text: Text


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels and what is to be said about each; a label without text is left out."""

    rows: Sequence[tuple[str, Text]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column titles; a column in which no row has anything is left out."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Text]]


@dataclass(slots=True)
class Node:
    """A row of a tree.

    Attributes:
        cells: One for each column; the first is indented to show whose child it is.
        details: Lines below the row, across all columns.
        children: The nodes below, in order.
    """

    cells: Sequence[Text]
    details: Sequence[Text] = ()
    children: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tree:
    """A table whose rows are nested."""

    columns: Sequence[Column]
    roots: Sequence[Node]


Block = Heading | Note | Facts | Table | Tree
Document = Sequence[Block]


def cells(words: str) -> int:
    """How many columns of a terminal `words` take: two for wide characters, none for combining ones."""
    if words.isascii():
        return len(words)
    return sum(_cell(character) for character in words)


def printable(words: str) -> str:
    """`words` on one line and without control characters: recorded text must not move the reader's cursor."""
    if words.isprintable():
        return words
    return "".join(character if character.isprintable() else _stand_in(character) for character in words)


def _cell(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _stand_in(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) == "Cf" else "�"


def _head(words: str, room: int) -> str:
    taken = 0
    for position, character in enumerate(words):
        taken += _cell(character)
        if taken > room:
            return words[:position]
    return words
