"""Identifiers: UUIDv7 that carry their span's start to a quarter of a microsecond.

RFC 9562 (section 6.2, method 3) allows the twelve bits after the millisecond timestamp to hold the fraction of the
millisecond. With that, an id alone gives its span's start, so whoever needs the starts of a span's ancestors
(LangSmith's dotted order, a row id that grows with time) reads them off the ids it has.
"""

NANOS_PER_MILLI = 1_000_000
RANDOM_BITS = 62

_VARIANT = 1 << 51

# Formatting a number costs more than all else about an id. Ids that are made one after the other share their
# millisecond and most of their unique bits, so those texts are kept, and the twelve bits that differ are looked up.
_HEX = [f"{number:03x}" for number in range(4096)]
_TEXTS_KEPT = 64
_stamps: dict[int, str] = {}
_heads: dict[int, str] = {}
_MAX_MILLIS = (1 << 48) - 1
_ROW_MILLIS = 1_577_836_800_000  # 2020-01-01
_ROW_EPOCH = _ROW_MILLIS << 12  # in the 4096ths of a millisecond that an id counts
_ROW_TIME = (1 << 53) - 1

ROW_TIMES_NS = (_ROW_MILLIS * NANOS_PER_MILLI, (_ROW_MILLIS + (1 << 41) - 1) * NANOS_PER_MILLI)
"""The first and the last moment that a row id tells, in nanoseconds since 1970: those of 2020 and of 2089."""


def uuid7(start_ns: int, random_62: int) -> str:
    """The UUIDv7, as text, of something that started at `start_ns`.

    Args:
        start_ns: Wall time in nanoseconds since 1970.
        random_62: 62 random bits that make the id unique.

    Returns:
        The canonical 36 characters.

    Example:
        >>> uuid7(1_700_000_000_000_500_000, 1)
        '018bcfe5-6800-7800-8000-000000000001'
    """
    millis, rest = divmod(start_ns, NANOS_PER_MILLI)
    stamp = _stamps.get(millis) or _keep(_stamps, millis, _stamp(millis))
    head = _heads.get(random_62 >> 12) or _keep(_heads, random_62 >> 12, _head(random_62 >> 12))
    return f"{stamp}{_HEX[rest * 512 // 125_000]}-{head}{_HEX[random_62 & 0xFFF]}"


def _stamp(millis: int) -> str:
    digits = f"{millis & _MAX_MILLIS:012x}"
    return f"{digits[:8]}-{digits[8:]}-7"


def _head(random_50: int) -> str:
    digits = f"{random_50 | _VARIANT:013x}"
    return f"{digits[:4]}-{digits[4:]}"


def _keep(cache: dict[int, str], key: int, text: str) -> str:
    if len(cache) >= _TEXTS_KEPT:
        cache.clear()
    cache[key] = text
    return text


def start_of(span_id: str) -> int:
    """The start that an id of ours carries, in nanoseconds since 1970, at most 245 ns early.

    Example:
        >>> start_of("018bcfe5-6800-7800-8000-000000000001")
        1700000000000500000
    """
    return int(span_id[:8] + span_id[9:13] + span_id[15:18], 16) * NANOS_PER_MILLI >> 12


def row_id(span_id: str) -> int:
    """A 63-bit integer that grows with the id's time, for use as an integer primary key.

    41 bits of milliseconds since 2020 (until 2089), 12 of their fraction, 10 of randomness. Two spans that start in
    the same quarter of a microsecond share it once in 1024 times: whoever uses it as a key has to cope with that.
    """
    stamp = int(span_id[:8] + span_id[9:13] + span_id[15:18] + span_id[-3:], 16)
    return ((stamp >> 12) - _ROW_EPOCH & _ROW_TIME) << 10 | stamp & 0x3FF


def row_id_at(start_ns: int, span_id: str) -> int:
    """`row_id(span_id)` of a span whose start is at hand, at a quarter of the price of reading it off the id.

    Equal to it for a span whose id was made of its start, as `uuid7` does.
    """
    return ((start_ns << 12) // NANOS_PER_MILLI - _ROW_EPOCH & _ROW_TIME) << 10 | int(span_id[-3:], 16) & 0x3FF
