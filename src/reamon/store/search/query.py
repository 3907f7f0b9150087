"""Queries: what people type, as words, phrases and beginnings; never the syntax of a database."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

_WORD: Final = re.compile(r"[^\W_]+")
_ITEM: Final = re.compile(r'["“”„](?P<phrase>[^"“”„]*)["“”„]?|(?P<plain>[^\s"“”„]+)')
_MOST_TERMS: Final = 64  # databases have limits of their own, and nobody types more


class Word(NamedTuple):
    """A word of a text, folded, and where it stands."""

    folded: str
    start: int
    end: int


class Term(msgspec.Struct, frozen=True):
    """Words that follow one another.

    Attributes:
        words: At least one, folded.
        is_prefix: Whether the last is only how a word begins.
    """

    words: tuple[str, ...]
    is_prefix: bool = False

    def found_in(self, words: list[Word]) -> tuple[int, int] | None:
        """Where the term first stands in a text that was divided into words: from and to which character."""
        length = len(self.words)
        for first in range(len(words) - length + 1):
            if all(self._is(position, words[first + position].folded) for position in range(length)):
                return words[first].start, words[first + length - 1].end
        return None

    def _is(self, position: int, word: str) -> bool:
        wanted = self.words[position]
        if self.is_prefix and position == len(self.words) - 1:
            return word.startswith(wanted)
        return word == wanted


class Query(msgspec.Struct, frozen=True):
    """What somebody looks for: rows in which every term occurs.

    Attributes:
        terms: Empty where what was typed has no word in it; nothing is found then.
    """

    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, text: str) -> "Query":
        """The query that people mean: all words, `"phrases"`, and `beginnings*`; case and accents do not matter.

        Never raises, whatever the text is.

        Example:
            >>> [term.words for term in Query.parse('Zürich "not interested" appoint*').terms]
            [('zurich',), ('not', 'interested'), ('appoint',)]
        """
        terms = []
        for item in _ITEM.finditer(unicodedata.normalize("NFC", text)):
            written = item["plain"] if item["phrase"] is None else item["phrase"]
            words = tuple(word.folded for word in divided(written))
            if words:
                terms.append(Term(words, item["phrase"] is None and written.endswith("*")))
        return cls(tuple(dict.fromkeys(terms))[:_MOST_TERMS])

    def matches(self, texts: list[str]) -> bool:
        """Whether every term occurs in one of the texts."""
        words = [list(divided(text)) for text in texts]
        return bool(self.terms) and all(any(term.found_in(each) for each in words) for term in self.terms)

    def as_fts5(self) -> str:
        """The query in the language of SQLite's FTS5; every word is quoted, so none is taken for an operator."""
        return " AND ".join(f'"{" ".join(term.words)}"{" *" if term.is_prefix else ""}' for term in self.terms)

    def as_tsquery(self) -> str:
        """The query in the language of PostgreSQL's `to_tsquery`."""
        terms = []
        for term in self.terms:
            words = [f"'{word}'" for word in term.words]
            words[-1] += ":*" if term.is_prefix else ""
            terms.append(f"({' <-> '.join(words)})")
        return " & ".join(terms)


def divided(text: str) -> Iterator[Word]:
    """The words of a text in NFC: runs of letters and digits, folded."""
    for match in _WORD.finditer(text):
        word = folded(match[0])
        if word:
            yield Word(word, match.start(), match.end())


def folded(word: str) -> str:
    """A word without case and accents.

    Example:
        >>> folded("Ünterführung")
        'unterfuhrung'
    """
    if word.isascii():
        return word.lower()
    bare = "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", bare).lower()
