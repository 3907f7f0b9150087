"""Delivery: one pass over a batch, in pieces that the exporter can take, halved where a piece is refused."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from reamon.errors import Rejected
from reamon.guard import writable
from reamon.model import Span
from reamon.pipeline.weight import weight_of

_MAX_SUSPECTS: Final = 8
"""So many spans refused one by one, and none accepted: it is hardly the spans' fault."""

_PATIENCE: Final = 2.0  # seconds
_REFUSALS: Final = 3


class DeadLetter(msgspec.Struct):
    """Spans that their destination will never accept.

    Attributes:
        spans: Which.
        reason: Why, in the destination's words.
        counted_as: Under which name `stats().dropped` counts them.
    """

    spans: list[Span]
    reason: str
    counted_as: str


class Outcome(msgspec.Struct):
    """What became of a batch.

    Attributes:
        dead: What is refused for good.
        rest: What has to be tried again.
        error: Why.
    """

    dead: list[DeadLetter]
    rest: list[Span]
    error: BaseException | None


class RefusesEverything(Rejected):
    """Spans were refused one by one, and none was accepted: that says nothing about the spans.

    Args:
        suspects: The spans, with what was said about each.
    """

    def __init__(self, suspects: Sequence[tuple[Span, Rejected]]) -> None:
        super().__init__(f"{suspects[-1][1].reason} (whatever is sent)")
        self.suspects = suspects


class Delivery:
    """Sends batches, and finds the spans that spoil them.

    A piece that is refused as a whole is halved, and halved again, until the culprit stands alone. Where the refusal is
    not `certain`, being refused alone proves nothing, since the destination may be refusing everything: a span is
    given up only if another one of its piece was accepted, and the span is refused again after that. What nobody stands
    beside, so that no such proof can be had, is given up after it was refused several times in some seconds.

    Args:
        export: Sends spans, or raises.
        size: Spans in one piece, at most.
        octets: Bytes in one piece, roughly; more only where a single span has them.
        shuffle: In which order halves are tried: by chance, so that no run of bad spans hides the good ones for ever.
    """

    def __init__(
        self,
        export: Callable[[list[Span]], None],
        size: int,
        octets: int | None,
        shuffle: Callable[[list[list[Span]]], None] = random.shuffle,
    ) -> None:
        self._export = export
        self._size = size
        self._octets = octets
        self._shuffle = shuffle
        self._lone_since: dict[str, tuple[float, int]] = {}

    def send(self, spans: Sequence[Span], weight: int | None = None, *, is_all: bool) -> Outcome:
        """Send a batch, as far as possible.

        Args:
            spans: The batch.
            weight: Its bytes, roughly, where that is known.
            is_all: Whether nothing else waits.
        """
        settled: list[Span] = []
        dead: list[DeadLetter] = []
        error: BaseException | None = None
        try:
            for piece in self._pieces(spans, weight):
                self._send_piece(piece, settled, dead)
        except BaseException as failure:  # also a SystemExit of an exporter: the lane outlives it
            error = failure
        if isinstance(error, RefusesEverything) and is_all and len(settled) + len(error.suspects) == len(spans):
            dead += self._lone_culprits(error.suspects)
            settled += [span for letter in dead for span in letter.spans]
        else:
            self._lone_since.clear()
        if error is None:
            return Outcome(dead, [], None)
        done = {span.span_id for span in settled}
        rest = [span for span in spans if span.span_id not in done]
        return Outcome(dead, rest, error if rest else None)

    def _send_piece(self, piece: list[Span], settled: list[Span], dead: list[DeadLetter]) -> None:
        parts = [piece]
        suspects: list[tuple[Span, Rejected]] = []
        has_accepted = False
        while parts:
            part = parts.pop()
            refusal = self._refusal_of(part, settled, dead)
            if refusal is None:
                has_accepted = True
            elif len(part) > 1:
                halves = [part[: len(part) // 2], part[len(part) // 2 :]]
                self._shuffle(halves)
                parts += halves
            elif refusal.certain:
                _bury(part[0], refusal, settled, dead)
            else:
                suspects.append((part[0], refusal))
                if not has_accepted and len(suspects) >= _MAX_SUSPECTS:
                    break
        if suspects and not has_accepted:
            raise RefusesEverything(suspects)
        for suspect, _ in suspects:
            refusal = self._refusal_of([suspect], settled, dead)
            if refusal is not None:
                _bury(suspect, refusal, settled, dead)

    def _refusal_of(self, part: list[Span], settled: list[Span], dead: list[DeadLetter]) -> Rejected | None:
        """Send spans; what the destination says if it refuses them, and does not say which."""
        try:
            self._export(part)
        except Rejected as refusal:
            if refusal.span_ids is None:
                return refusal
            refused = [span for span in part if span.span_id in refusal.span_ids]
            dead += [_letter(refused, refusal)] if refused else []
        settled += part
        return None

    def _lone_culprits(self, suspects: Sequence[tuple[Span, Rejected]]) -> list[DeadLetter]:
        now = time.monotonic()
        before = self._lone_since
        self._lone_since = {}
        culprits = []
        for span, refusal in suspects:
            since, count = before.get(span.span_id, (now, 0))
            self._lone_since[span.span_id] = (since, count + 1)
            if count + 1 >= _REFUSALS and now - since >= _PATIENCE:
                culprits.append(_letter([span], refusal))
        return culprits

    def _pieces(self, spans: Sequence[Span], weight: int | None) -> Iterator[list[Span]]:
        is_light = self._octets is None or (weight is not None and weight <= self._octets)
        if len(spans) <= self._size and is_light:  # the usual case, in which nobody has to be weighed
            yield list(spans)
            return
        piece: list[Span] = []
        octets = 0
        for span in spans:
            added = 0 if self._octets is None else weight_of(span)
            is_full = len(piece) >= self._size or (self._octets is not None and octets + added > self._octets)
            if piece and is_full:
                yield piece
                piece, octets = [], 0
            piece.append(span)
            octets += added
        if piece:
            yield piece


def _bury(span: Span, refusal: Rejected, settled: list[Span], dead: list[DeadLetter]) -> None:
    settled.append(span)
    dead.append(_letter([span], refusal))


def _letter(spans: list[Span], refusal: Rejected) -> DeadLetter:
    return DeadLetter(spans, writable(refusal.reason), writable(refusal.counted_as))
