"""Tombstones: what was erased, as digests, so that what arrives later can be told and erased as well."""

import secrets
from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from reamon.erasure.residue import RawPattern


class Tombstones(msgspec.Struct, frozen=True, kw_only=True):
    """The traces and calls of an erasure.

    Ids of traces are random, so nobody finds one from its digest. Neither are ids of calls found, unless they are made
    of something that can be guessed; where a call's id has the subject's own number or id in it, it is left out.

    Attributes:
        salt: Makes the digests of each erasure others.
        digests: Of trace ids and of call ids.
    """

    salt: str
    digests: tuple[str, ...]

    @classmethod
    def of(cls, traces: Iterable[str], calls: Iterable[str], before: "Tombstones | None" = None) -> "Tombstones":
        """Those of these traces and calls, and those that there were before."""
        salt = secrets.token_hex(16) if before is None else before.salt
        new = {_digest(salt, name) for name in (*traces, *calls)}
        return cls(salt=salt, digests=tuple(sorted(new if before is None else new.union(before.digests))))


class ErasedBefore:
    """The subject of an erasure that is done once more: whatever has an id of what was erased then.

    Args:
        tombstones: Of that erasure.
        kind: What it was about.
    """

    needle: str | None = None
    raw_pattern: RawPattern | None = None
    reads_texts: bool = False

    def __init__(self, tombstones: Tombstones, kind: str) -> None:
        self.kind = kind
        self._salt = tombstones.salt
        self._digests = frozenset(tombstones.digests)

    def covers(self, trace_id: str, call_id: str | None) -> bool:
        """Whether one of the ids is known."""
        return any(_digest(self._salt, name) in self._digests for name in (trace_id, call_id) if name)

    def is_mentioned_in(self, texts: Iterable[str]) -> bool:
        """Never: of texts there are no digests."""
        return False


def _digest(salt: str, name: str) -> str:
    return blake2b(name.encode(), key=bytes.fromhex(salt), digest_size=16).hexdigest()
