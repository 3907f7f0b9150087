"""Erasing: one person's data, in every place that can be reached, and word of those that cannot."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from reamon.erasure.findings import Findings, Place, PlaceReport, Wanted, patterns_of
from reamon.erasure.lines import LinesPlace
from reamon.erasure.receipt import Elsewhere, Receipt
from reamon.erasure.residue import files_with
from reamon.erasure.stored import StorePlace
from reamon.erasure.subject import Subject
from reamon.erasure.tombstones import ErasedBefore, Tombstones
from reamon.erasure.waiting import OutboxPlace
from reamon.errors import ReamonError
from reamon.store.administration import is_postgres, path_of
from reamon.store.projects import Project, visible

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
_LEFT: Final = "something is left in {name}: look at it by hand, or erase once more when no application is running"


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
    erasure_id = str(uuid.uuid4())
    return _erase(
        subject,
        places,
        destinations,
        erasure_id=erasure_id,
        digest=subject.digest(erasure_id),
        again=None,
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
    project: str | None,
    requested_by: str | None,
    dry_run: bool,
    time: datetime,
) -> Receipt:
    findings = Findings()
    known = sorted({*destinations, *(name for place in places for name in place.destinations())})
    reports: list[PlaceReport] = []
    for _ in range(1 if dry_run else _PASSES):
        _find(subject, places, findings)
        new = [place.erase(subject, findings, dry_run=dry_run) for place in places]
        reports = [_together(*pair) for pair in zip(reports, new, strict=True)] if reports else new
        if not any(report.removed for report in new):
            break
    told = {call for call in findings.calls if not (isinstance(subject, Subject) and _tells(subject, call))}
    receipt = Receipt(
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
        calls=len(findings.calls),
        places=tuple(
            _checked(place, report, subject, findings, dry_run) for place, report in zip(places, reports, strict=True)
        ),
        elsewhere=(*(Elsewhere(name, _ADVICE) for name in known), _COPIES),
        trace_ids=tuple(sorted(findings.traces)),
        tombstones=Tombstones.of(findings.traces, told),
    ).sealed()
    if not dry_run:
        _keep(receipt, places)
    return receipt


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


def _checked(place: Place, report: PlaceReport, subject: Wanted, findings: Findings, dry_run: bool) -> PlaceReport:
    """The report on lines, after a look at the bytes that are there now; others look themselves."""
    if dry_run or not isinstance(place, LinesPlace) or report.remaining:
        return report
    left = files_with(patterns_of(subject, findings), place.files())
    return _together(
        report,
        PlaceReport(
            kind=report.kind,
            where=report.where,
            removed={},
            remaining=tuple(_LEFT.format(name=file.name) for file in left),
        ),
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
