import shlex
from pathlib import Path

import pytest

import reamon
from reamon.demo import findings
from reamon.exporters import SQLiteExporter
from reamon.terminal.layout import lines


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store with three calls: one that went well, one that failed, and one in which somebody apologised."""
    path = tmp_path / "it's a store.db"
    reamon.configure(exporters=[SQLiteExporter(path)], home=tmp_path)
    with reamon.trace_workflow("turn", call_id="degraded-call") as span:
        span.set_status("degraded", "an apology")
    with pytest.raises(LookupError), reamon.trace_workflow("turn", call_id="failed-call"):
        raise LookupError("nobody")
    with reamon.trace_workflow("turn", call_id="good-call"):
        pass
    assert reamon.flush()
    reamon.shutdown()
    return path


async def text_of(database: Path, *, finished: bool = True, delivered: bool = True) -> str:
    found = await findings.read(database, finished=finished, delivered=delivered)
    return "\n".join(line.plain for line in lines(findings.document(found)))


async def test_the_call_with_an_apology_is_the_one_to_look_at(database: Path) -> None:
    found = await findings.read(database, finished=True, delivered=True)

    assert (found.example_call, found.example_why) == ("degraded-call", "a call with an apology")
    assert found.summary.calls == 3


async def test_the_commands_can_be_pasted_whatever_the_path_is(database: Path) -> None:
    command = next(line for line in (await text_of(database)).splitlines() if "reamon show" in line)

    assert shlex.split(command.partition("reamon ")[2]) == ["show", "degraded-call", "--db", str(database)]


async def test_nothing_is_said_of_trouble_where_there_was_none(database: Path) -> None:
    said = await text_of(database)

    assert "Stopped" not in said
    assert "Not everything" not in said


async def test_a_campaign_that_was_stopped_is_not_passed_off_as_a_whole_one(database: Path) -> None:
    assert "Stopped before all leads were called" in await text_of(database, finished=False)


async def test_what_has_not_reached_the_store_is_admitted(database: Path) -> None:
    assert "Not everything recorded has reached the store" in await text_of(database, delivered=False)


async def test_an_empty_store_suggests_no_call(tmp_path: Path) -> None:
    reamon.configure(exporters=[SQLiteExporter(tmp_path / "empty.db")], home=tmp_path)
    reamon.shutdown()
    found = await findings.read(tmp_path / "empty.db", finished=False, delivered=True)

    assert found.example_call is None
    assert "reamon show" not in await text_of(tmp_path / "empty.db", finished=False)
