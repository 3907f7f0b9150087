"""The spans of somebody in the outbox, whoever else changes it."""

from contextlib import closing
from pathlib import Path

import pytest

from reamon.erasure import Subject, erase
from reamon.erasure.findings import Findings
from reamon.erasure.waiting import OutboxPlace
from reamon.pipeline.backlog import Backlog
from reamon.pipeline.backlog_entries import Wanted
from reamon.pipeline.outbox import Outbox
from support.stores import turn


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """One batch with the spans of two calls."""
    path = tmp_path / "outbox.sqlite"
    with closing(Outbox(path, 10**9)) as opened:
        opened.write("langsmith calls", [[*turn("call-100", 0), *turn("call-1000", 1)]])
    return path


def waiting(outbox: Path) -> list[str | None]:
    backlog = Backlog(outbox)
    return [span.call_id for _, spans in backlog.contents(backlog.items(Wanted(waiting=True))) for span in spans]


def test_what_another_erasure_has_just_taken_does_not_come_back(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = OutboxPlace._bodies

    def overtaken(place: OutboxPlace, table: str) -> object:
        """Read the batches; before they are looked at, somebody else's erasure comes in between."""
        found = list(read(place, table))
        monkeypatch.setattr(OutboxPlace, "_bodies", read)
        if table == "batches":
            erase(Subject("call", "call-1000"), outbox=outbox)
        return found

    place = OutboxPlace(outbox, None)
    subject = Subject("call", "call-100")
    monkeypatch.setattr(OutboxPlace, "_bodies", overtaken)
    place.erase(subject, Findings(), dry_run=False)
    assert waiting(outbox) == []


def test_a_longer_id_of_somebody_else_is_not_taken_for_something_left(outbox: Path) -> None:
    receipt = erase(Subject("call", "call-100"), outbox=outbox)
    assert set(waiting(outbox)) == {"call-1000"}
    assert [words for words in receipt.places[0].remaining if "is delivering" not in words] == []


def test_an_outbox_that_was_put_aside_is_named_where_it_has_something(outbox: Path) -> None:
    aside = outbox.with_name("outbox.sqlite.damaged-1795000000")
    aside.write_bytes(b"no database any more, but call-of-ada is in it")
    (remaining,) = erase(Subject("call", "call-of-ada"), outbox=outbox).places[0].remaining
    assert aside.name in remaining
    assert erase(Subject("call", "call-of-eve"), outbox=outbox).is_complete
