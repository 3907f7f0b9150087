"""The receipt: what was erased, where, when and on whose behalf, and nothing of the person."""

from datetime import datetime
from hashlib import sha256

import msgspec

from reamon.erasure.findings import PlaceReport
from reamon.erasure.tombstones import Tombstones


class Elsewhere(msgspec.Struct, frozen=True):
    """Somebody to whom spans were sent, and whom nobody here can reach.

    Attributes:
        destination: Who that is.
        advice: What to do there.
    """

    destination: str
    advice: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an erasure.

    Attributes:
        erasure_id: Its own id, and the salt of `subject_digest`.
        time: When it was done (UTC).
        version: The reamon that did it.
        requested_by: On whose behalf.
        dry_run: Whether anything was deleted at all.
        project: To which project it was limited.
        subject_kind: "call", "phone" or "lead".
        subject_digest: scrypt of kind and value (`Subject.digest`): who knows the value can check it.
        again: The id of the erasure that this one repeats.
        traces: How many traces went.
        calls: How many calls these were.
        places: What was done in each place.
        elsewhere: To whom spans were sent.
        trace_ids: By which they are found there; they are random.
        tombstones: By which it can be repeated.
        finished: Whether it came to its end. False stands in the store while one is at it, and afterwards if it was
            killed: the same erasure, done again, goes on with it.
        checksum: SHA-256 of all else.
    """

    erasure_id: str
    time: datetime
    version: str
    requested_by: str | None
    dry_run: bool
    project: str | None
    subject_kind: str
    subject_digest: str
    again: str | None
    traces: int
    calls: int
    places: tuple[PlaceReport, ...]
    elsewhere: tuple[Elsewhere, ...]
    trace_ids: tuple[str, ...]
    tombstones: Tombstones
    finished: bool = True
    checksum: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether nothing remains in the places that can be reached from here."""
        return self.finished and not any(place.remaining for place in self.places)

    @property
    def removed(self) -> int:
        """How many rows, spans and lines went, in all places together."""
        return sum(sum(place.removed.values()) for place in self.places)

    def sealed(self) -> "Receipt":
        """The same with its checksum."""
        return msgspec.structs.replace(self, checksum=self._sum())

    def is_genuine(self) -> bool:
        """Whether nothing in it was changed since it was sealed."""
        return self.checksum == self._sum()

    def to_json(self) -> bytes:
        """The receipt as it is kept."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes | str) -> "Receipt":
        """The receipt that a JSON text says.

        Raises:
            ValueError: It says none.
        """
        return msgspec.json.decode(text, type=cls)

    def _sum(self) -> str:
        return sha256(msgspec.json.encode(msgspec.structs.replace(self, checksum=""), order="sorted")).hexdigest()
