"""Erasing: one person's data, in every place that can be reached, and word of those that cannot."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from reamon.erasure.findings import Findings, Place, PlaceReport, Wanted
from reamon.erasure.lines import LinesPlace
from reamon.erasure.receipt import Elsewhere, Receipt
from reamon.erasure.stored import StorePlace
from reamon.erasure.subject import Subject
from reamon.erasure.tombstones import ErasedBefore, Tombstones
from reamon.erasure.waiting import OutboxPlace
from reamon.errors import ReamonError
from reamon.store.administration import is_postgres, path_of
from reamon.store.projects import Project, visible

_PAGES: Final = Elsewhere(
    "pages of PostgreSQL",
    "what was deleted stays in the server's files until it uses their room again, and in its write-ahead log and its "
    "archive for as long as that is kept; VACUUM FULL of the tables writes them anew",
)

_PASSES: Final = 3
"""So often it is looked again whether somebody has written more of it meanwhile."""

_ADVICE: Final = (
    "what was delivered there before stays until it is deleted there: the spans carry these trace ids, "
    "and the call's id as their thread or conversation"
)
_COPIES: Final = Elsewhere(
    "copies of files",
    "back-ups, snapshots, replicas and exported files keep what they had: delete it there, or let them expire",
)


def erase(
    subject: Subject,
    *,
    store: Path | str | None = None,
    outbox: Path | None = None,
    jsonl: Iterable[Path] = (),
    destinations: Iterable[str] = (),
    project: Project = None,
    requested_by: str | None = None,
    keep_costs: bool = True,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Receipt:
    """Delete all data of a person: every call in which the subject is found, whole.

    One that was killed half-way is gone on with when it is done again: the store keeps its receipt from the start, so
    what it had found goes even where what told of the person has gone already.

    Found means: the call has that id, or one of its spans speaks of the number or the lead, in whatever payload. All
    places are looked through before anything is deleted, so a call that only one of them knows goes everywhere.

    Args:
        subject: Whose data.
        store: A SQLite file, or the URL of a database.
        outbox: The file of the outbox.
        jsonl: Files of `JSONLExporter`; rotated ones and journals are found beside them.
        destinations: To whom spans are sent besides, for the receipt; those in the outbox are known.
        project: Only what belongs to this project; `ALL_PROJECTS`: everything; None: the configured one.
        requested_by: On whose behalf; stands in the receipt.
        keep_costs: Whether cost details stay, without what leads to the call, so that sums by day and model stay right.
        dry_run: Only count.
        now: The time; for tests.

    Returns:
        The receipt, which the store keeps as well.

    Raises:
        StoreError: A place cannot be used; what was deleted before is deleted, and it can be done once more.
    """
    seen = visible(project)
    places = _places(store, outbox, jsonl, seen, keep_costs=keep_costs)
    begun = _begun(places, subject, seen)
    erasure_id = str(uuid.uuid4()) if begun is None else begun.erasure_id
    return _erase(
        subject,
        places,
        destinations,
        erasure_id=erasure_id,
        digest=subject.digest(erasure_id),
        again=None,
        begun=begun,
        project=seen,
        requested_by=requested_by,
        dry_run=dry_run,
        time=now(),
    )


def erase_again(
    erasure_id: str,
    *,
    store: Path | str,
    outbox: Path | None = None,
    jsonl: Iterable[Path] = (),
    destinations: Iterable[str] = (),
    requested_by: str | None = None,
    keep_costs: bool = True,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Receipt:
    """Repeat an erasure for what has arrived since, without knowing any more whose data it was.

    What is found are spans of the traces and calls that went then. A new call of the same person is another call: for
    that, `erase` has to be told the number or the lead.

    Args:
        erasure_id: Of the receipt, which the store keeps.
        store: As for `erase`, like all others.
        outbox: See there.
        jsonl: See there.
        destinations: See there.
        requested_by: See there.
        keep_costs: See there.
        dry_run: See there.
        now: See there.

    Raises:
        ReamonError: The store keeps no such receipt.
        StoreError: As for `erase`.
    """
    before = next((receipt for receipt in receipts(store) if receipt.erasure_id == erasure_id), None)
    if before is None:
        raise ReamonError(f"the store keeps no receipt {erasure_id}: `reamon erase --receipts` lists those that it has")
    return _erase(
        ErasedBefore(before.tombstones, before.subject_kind),
        _places(store, outbox, jsonl, before.project, keep_costs=keep_costs),
        destinations,
        erasure_id=str(uuid.uuid4()),
        digest=before.subject_digest,
        again=erasure_id,
        begun=None,
        project=before.project,
        requested_by=requested_by,
        dry_run=dry_run,
        time=now(),
    )


def receipts(store: Path | str) -> list[Receipt]:
    """The receipts that a store keeps, oldest first.

    Raises:
        StoreError: There is no store, or it cannot be read.
    """
    return [Receipt.from_json(text) for text in StorePlace(store, None).receipts()]


def _places(
    store: Path | str | None, outbox: Path | None, jsonl: Iterable[Path], project: str | None, *, keep_costs: bool
) -> list[Place]:
    places: list[Place] = []
    if store is not None and (is_postgres(store) or path_of(store).is_file()):
        places.append(StorePlace(store, project, keep_costs=keep_costs))
    if outbox is not None:
        places.append(OutboxPlace(outbox, project))
    return [*places, *(LinesPlace(path, project) for path in jsonl)]


def _erase(
    subject: Wanted,
    places: Sequence[Place],
    destinations: Iterable[str],
    *,
    erasure_id: str,
    digest: str,
    again: str | None,
    begun: Receipt | None,
    project: str | None,
    requested_by: str | None,
    dry_run: bool,
    time: datetime,
) -> Receipt:
    known = sorted({*destinations, *(name for place in places for name in place.destinations())})
    elsewhere = [*(Elsewhere(name, _ADVICE) for name in known), _COPIES]
    if any(isinstance(place, StorePlace) and is_postgres(place.target) for place in places):
        elsewhere.append(_PAGES)
    findings = Findings()
    findings.traces.update(() if begun is None else begun.trace_ids)
    before = Tombstones.of((), ()) if begun is None else begun.tombstones

    def receipt(reports: Iterable[PlaceReport], *, finished: bool) -> Receipt:
        told = {call for call in findings.calls if not (isinstance(subject, Subject) and _tells(subject, call))}
        return Receipt(
            erasure_id=erasure_id,
            time=time,
            version=version("reamon"),
            requested_by=requested_by,
            dry_run=dry_run,
            project=project,
            subject_kind=subject.kind,
            subject_digest=digest,
            again=again,
            traces=len(findings.traces),
            calls=max(len(findings.calls), 0 if begun is None else begun.calls),
            places=tuple(reports),
            elsewhere=tuple(elsewhere),
            trace_ids=tuple(sorted(findings.traces)),
            tombstones=Tombstones.of(findings.traces, told, before),
            finished=finished,
        ).sealed()

    reports: list[PlaceReport] = []
    size = 0
    for _ in range(1 if dry_run else _PASSES):
        _find(subject, places, findings)
        if findings.size > size and not dry_run:  # before anything goes, since what goes may be all that tells
            size = findings.size
            _keep(receipt((), finished=False), places)
        new = [place.erase(subject, findings, dry_run=dry_run) for place in places]
        reports = [_together(*pair) for pair in zip(reports, new, strict=True)] if reports else new
        if not any(report.removed for report in new):
            break
    done = receipt(reports, finished=True)
    if not dry_run:
        _keep(done, places)
    return done


def _begun(places: Sequence[Place], subject: Subject, project: str | None) -> Receipt | None:
    """The receipt of the same erasure, if one was begun and never ended."""
    for place in places:
        if isinstance(place, StorePlace):
            for kept in map(Receipt.from_json, place.receipts()):
                is_open = not kept.finished and kept.again is None and kept.project == project
                if is_open and kept.subject_digest == subject.digest(kept.erasure_id):
                    return kept
    return None


def _find(subject: Wanted, places: Sequence[Place], findings: Findings) -> None:
    """Look everywhere, and again while one place has told of a call that another may know more of."""
    before = -1
    while findings.size != before:
        before = findings.size
        for place in places:
            place.find(subject, findings)


def _tells(subject: Subject, call_id: str) -> bool:
    """Whether a call's id is made of what must not be known."""
    return subject.kind != "call" and (subject.value in call_id or subject.is_call(call_id))


def _together(first: PlaceReport, second: PlaceReport) -> PlaceReport:
    def summed(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
        return {name: one.get(name, 0) + other.get(name, 0) for name in (*one, *other)}

    return PlaceReport(
        kind=second.kind,
        where=second.where,
        removed=summed(first.removed, second.removed),
        kept=summed(first.kept, second.kept),
        remaining=second.remaining,
    )


def _keep(receipt: Receipt, places: Sequence[Place]) -> None:
    for place in places:
        if isinstance(place, StorePlace):
            values = (
                receipt.erasure_id,
                receipt.subject_kind,
                receipt.subject_digest,
                receipt.requested_by,
                receipt.to_json().decode(),
            )
            place.keep_receipt(values, receipt.time)
