"""Phone numbers: one number in all the ways in which people and programs write it, and no other number."""

import re
from typing import Final, NamedTuple

from reamon.erasure._scanning import OTHER, has
from reamon.errors import ReamonError

_SEPARATORS: Final = r"[\s().\-/\\\u00a0\u2009\u202f\u2010-\u2015]{0,3}"
_INTERNATIONAL: Final = re.compile(r"^\s*(?:\+|00|011)")
_NORTH_AMERICAN: Final = re.compile(r"1[2-9][0-9]{9}$")
_PREFIX: Final = r"(?:\+|00|011)"
_SHORTEST: Final = 9  # digits of a national number; with fewer, one number is too easily part of another
_SHORTEST_INTERNATIONAL: Final = 8
_LONGEST: Final = 15  # by E.164
_LONGEST_COUNTRY_CODE: Final = 3


class PhonePattern(NamedTuple):
    """What finds one number.

    Attributes:
        core: Its last digits, which are in every form.
        full: Every form.
    """

    core: re.Pattern[str]
    full: re.Pattern[str]

    def is_in(self, text: str) -> bool:
        """Whether the number is in a text."""
        return has(self.core, self.full, text)


def phone_pattern(number: str) -> PhonePattern:
    """What finds a number in a text.

    With a country code (`+1…`, `001…`, `0111…`) it is found with any of these prefixes or none, and in its national
    form, with or without a leading 0, where that has nine digits or more. Without one it is found as it is, with or
    without a leading 0, behind any country code that is written with a prefix, and, if it has ten digits, behind a bare
    1 as in North America; eleven digits that begin with a 1 are found without that 1 as well. Between the digits there
    may be blanks, dots, dashes, slashes and parentheses. A digit before or after makes it another number.

    Raises:
        ReamonError: It has too few digits to be told from parts of other numbers, or too many.

    Example:
        >>> number = phone_pattern("+1 (555) 010-2030")
        >>> [number.is_in(text) for text in ("0015550102030", "555-010-2030", "15550102030", "155501020301", "0102030")]
        [True, True, True, False, False]
    """
    digits = digits_of(number)
    others: list[str] = []
    if _INTERNATIONAL.match(number):
        _check(number, digits, _SHORTEST_INTERNATIONAL, "with its country code")
        forms = [rf"{_PREFIX}{_SEPARATORS}{_spread(digits)}", _spread(digits)]
        for length in range(1, _LONGEST_COUNTRY_CODE + 1):
            code, national = digits[:length], digits[length:]
            if len(national) >= _SHORTEST and not national.startswith("0"):
                zero = rf"(?:\(?0\)?{_SEPARATORS})?\(?"
                forms += [rf"{_PREFIX}{_SEPARATORS}{_spread(code)}{_SEPARATORS}{zero}{_spread(national)}"]
                forms += [rf"{zero}{_spread(national)}"]
                another = rf"{_PREFIX}{_SEPARATORS}(?!{_spread(code)})(?:[0-9]{_SEPARATORS}){{1,3}}"
                others += [rf"{another}{zero}{_spread(national)}"]
    else:
        national = digits.lstrip("0")
        _check(number, national, _SHORTEST, "or give it with its country code, as in +1 555 010 2030,")
        forms = [
            rf"{_PREFIX}{_SEPARATORS}(?:[0-9]{_SEPARATORS}){{1,3}}(?:\(?0\)?{_SEPARATORS})?{_spread(national)}",
            rf"(?:0{_SEPARATORS})?{_spread(national)}",
        ]
        if len(national) == 10:
            forms.append(rf"1{_SEPARATORS}{_spread(national)}")
        elif _NORTH_AMERICAN.match(national):
            forms.append(rf"\(?{_spread(national[1:])}")
    core = re.compile(_spread(digits[-_SHORTEST:] if len(digits) > _SHORTEST else digits))
    other = f"(?P<{OTHER}>{'|'.join(others)})|" if others else ""  # first, so that it takes the number along
    return PhonePattern(core, re.compile(rf"(?<![0-9])(?<![0-9]\.)(?:{other}{'|'.join(forms)})(?![0-9])"))


def digits_of(number: str) -> str:
    """The digits of a number, without the prefix that says that a country code follows.

    Example:
        >>> digits_of("+1 (555) 010-2030") == digits_of("001-555-010-2030") == digits_of("011 1 555 010 2030")
        True
    """
    digits = re.sub(r"[^0-9]", "", number)
    if number.lstrip().startswith("+"):
        return digits
    for prefix in ("011", "00"):
        if digits.startswith(prefix):
            return digits[len(prefix) :]
    return digits


def _spread(digits: str) -> str:
    return _SEPARATORS.join(digits)


def _check(number: str, digits: str, least: int, advice: str) -> None:
    if not least <= len(digits) <= _LONGEST:
        raise ReamonError(
            f"{number!r} has {len(digits)} digits: give a phone number of {least} to {_LONGEST}, {advice} "
            "so that nobody else's data are found"
        )
