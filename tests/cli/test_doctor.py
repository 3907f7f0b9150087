"""`reamon doctor`."""

import importlib.metadata
import json
import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reamon.cli import _checks, _delivery_checks, main
from reamon.pipeline.backlog import Backlog
from reamon.pipeline.backlog_entries import Wanted
from reamon.pipeline.delivery import DeadLetter
from reamon.pipeline.outbox import Outbox
from reamon.processes import ProcessDirectory
from reamon.store.versions import VERSION_TABLE
from reamon.testing import make_span
from support.stores import stored, turn

Diagnosis = Callable[..., tuple[int, dict[str, list[tuple[str, str]]]]]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return stored(tmp_path / "calls.db", [*turn("call-1", 0), *turn("call-2", 1)])


@pytest.fixture
def diagnose(capsys: pytest.CaptureFixture[str]) -> Diagnosis:
    def run(*arguments: str | Path) -> tuple[int, dict[str, list[tuple[str, str]]]]:
        code = main(["doctor", "--json", *map(str, arguments)])
        document = json.loads(capsys.readouterr().out)
        assert document["healthy"] == (code == 0)
        findings: dict[str, list[tuple[str, str]]] = {}
        for finding in document["findings"]:
            findings.setdefault(finding["topic"], []).append((finding["verdict"], finding["text"]))
        return code, findings

    return run


def test_a_sound_store_is_well(db: Path, diagnose: Diagnosis) -> None:
    code, findings = diagnose("--db", db)
    assert code == 0
    assert findings["integrity"] == [("good", "sound (SQLite's quick check)")]
    assert findings["content"] == [("good", "2 workflow_traces, 4 agent_executions, 4 operations, 4 cost_details")]
    assert findings["version"][0][1].startswith(f"reamon {importlib.metadata.version('reamon')}, Python 3.")


def test_people_get_a_verdict_in_words(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--db", str(db)]) == 0
    assert capsys.readouterr().out.endswith("All is well.\n")
    assert main(["doctor", "--db", "nowhere.db"]) == 1
    assert capsys.readouterr().out.endswith("Something is wrong: store.\n")


def test_a_missing_store_is_wrong(diagnose: Diagnosis) -> None:
    code, findings = diagnose()
    assert code == 1
    assert findings["store"][0][1].startswith("no store at .reamon/reamon.db: run your application")


def test_a_damaged_store_is_wrong(db: Path, diagnose: Diagnosis) -> None:
    with db.open("r+b") as file:
        for page in range(3, db.stat().st_size // 16_384):
            file.seek(page * 16_384)
            file.write(b"\xff" * 4096)
    code, findings = diagnose("--db", db)
    assert code == 1
    assert [verdict for topic in ("integrity", "store") for verdict, _ in findings.get(topic, [])].count("bad") == 1


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"UPDATE {VERSION_TABLE} SET version_num = '9999'", "upgrade reamon"),
        (f"UPDATE {VERSION_TABLE} SET version_num = '0000'", "run `reamon migrate`"),
        (f"DROP TABLE {VERSION_TABLE}", "none of reamon's"),
    ],
)
def test_a_store_of_another_schema_is_wrong(db: Path, diagnose: Diagnosis, statement: str, words: str) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(statement)
    code, findings = diagnose("--db", db)
    assert code == 1
    assert words in findings["schema"][0][1]


def test_workflows_in_the_hands_of_the_living_and_of_the_dead_are_told_apart(
    tmp_path: Path, diagnose: Diagnosis
) -> None:
    spans = [
        make_span("turn", "workflow", status="running", process_id=process) for process in ("living", "dead", "dead")
    ]
    db = stored(tmp_path / "calls.db", [*spans, make_span("turn", "workflow", status="interrupted")])
    directory = tmp_path / "calls.db-processes"
    theirs = ProcessDirectory(directory)
    theirs.enter("living")
    try:
        _, findings = diagnose("--db", db)
    finally:
        theirs.leave("living")
    assert findings["running"] == [("good", "1 workflow")]
    assert findings["abandoned"][0][1].startswith("2 workflows of 1 dead process")
    assert findings["interrupted"][0][1].startswith("1 workflow died")


def test_a_variable_that_is_no_setting_is_named_with_the_one_that_was_meant(
    db: Path, diagnose: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_EXPORTER", "jsonl")
    code, findings = diagnose("--db", db)
    assert code == 0
    assert findings["environment"] == [("note", "REAMON_EXPORTER is no setting: did you mean REAMON_EXPORTERS?")]


def test_settings_that_cannot_be_used_are_wrong_but_the_store_is_looked_at(
    db: Path, diagnose: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_BATCH_SIZE", "lots")
    monkeypatch.setenv("REAMON_SQLITE__PATH", str(db))
    code, findings = diagnose()
    assert code == 1
    assert "batch_size" in findings["settings"][0][1].lower()
    assert findings["integrity"][0][0] == "good"


def test_an_exporter_that_is_not_installed_is_wrong(
    db: Path, diagnose: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", "carrier-pigeon")
    code, findings = diagnose("--db", db)
    assert code == 1
    assert "exporters = carrier-pigeon: there is no such exporter" in findings["settings"][-1][1]


def test_recording_that_is_off_is_said(db: Path, diagnose: Diagnosis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_ENABLED", "false")
    assert diagnose("--db", db)[1]["settings"] == [("note", "recording is off (REAMON_ENABLED)")]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """That of an application which starts here; of this process, which lives."""
    with closing(Outbox(tmp_path / ".reamon" / "outbox.sqlite", max_bytes=1_000_000)) as outbox:
        yield outbox


def test_what_waits_with_nobody_to_deliver_it_is_told_with_what_becomes_of_it(
    outbox: Outbox, db: Path, diagnose: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.write("langsmith:calls", [[make_span(), make_span()]])
    outbox.close()
    ((verdict, text),) = diagnose("--db", db)[1]["outbox"]
    assert verdict == "note"
    assert text.startswith("2 spans for langsmith:calls, the oldest since ")
    assert "UTC: they wait for an application that sends there, and become dead letters from " in text
    monkeypatch.setenv("REAMON_ABANDON_AFTER", "none")
    assert diagnose("--db", db)[1]["outbox"][0][1].endswith("UTC: they wait for an application that sends there")


def test_what_a_living_process_delivers_is_well(outbox: Outbox, db: Path, diagnose: Diagnosis) -> None:
    outbox.write("langsmith:calls", [[make_span()], [make_span()]])
    code, findings = diagnose("--db", db)
    ((verdict, text),) = findings["outbox"]
    assert (code, verdict) == (0, "good")
    assert text.startswith("2 spans for langsmith:calls")
    assert text.endswith("a living process is delivering them")


def test_of_what_waits_the_part_is_told_that_nobody_delivers(outbox: Outbox, db: Path, diagnose: Diagnosis) -> None:
    outbox.bury("crm", [DeadLetter([make_span(), make_span()], "no", "rejected")])
    backlog = Backlog(outbox.path)
    backlog.replay(backlog.items(Wanted()))
    outbox.write("crm", [[make_span()]])
    ((verdict, text),) = diagnose("--db", db)[1]["outbox"]
    assert verdict == "note"
    assert text.startswith("3 spans for crm")
    assert "2 of them wait for an application" in text


@pytest.mark.parametrize(("state", "verdict", "code"), [("paused", "bad", 1), ("open", "note", 0)])
def test_a_lane_that_is_not_well_is_told_with_what_to_do(
    outbox: Outbox, db: Path, diagnose: Diagnosis, state: str, verdict: str, code: int
) -> None:
    outbox.report("langsmith:calls", "langsmith", state, "401 Unauthorized", "set LANGSMITH_API_KEY")
    found, findings = diagnose("--db", db)
    ((told, text),) = findings["lane langsmith"]
    assert (found, told) == (code, verdict)
    assert text.startswith(f"langsmith:calls is {state} since ")
    assert text.endswith("401 Unauthorized; set LANGSMITH_API_KEY")


def test_dead_letters_are_told_by_kind_with_the_command_to_look_at_them(
    outbox: Outbox, db: Path, diagnose: Diagnosis
) -> None:
    for reason, kind in (("no name", "rejected"), ("25 h ago", "too_old"), ("no start", "rejected")):
        outbox.bury("crm", [DeadLetter([make_span()], reason, kind)])
    rejected, too_old = diagnose("--db", db)[1]["dead letters"]
    assert rejected[1].startswith("2 spans for crm, rejected since ")
    assert rejected[1].endswith("(no name): `reamon outbox show L1`, then replay, export or drop")
    assert "`reamon outbox show L2`" in too_old[1]


def test_an_outbox_that_cannot_be_read_is_wrong(tmp_path: Path, db: Path, diagnose: Diagnosis) -> None:
    (tmp_path / ".reamon").mkdir()
    (tmp_path / ".reamon" / "outbox.sqlite").write_text("not a database " * 100)
    code, findings = diagnose("--db", db)
    assert (code, findings["outbox"][0][0]) == (1, "bad")


def test_an_outbox_that_was_put_aside_is_told(tmp_path: Path, db: Path, diagnose: Diagnosis) -> None:
    (tmp_path / ".reamon").mkdir()
    (tmp_path / ".reamon" / "outbox.sqlite.damaged-1").touch()
    ((verdict, text),) = diagnose("--db", db)[1]["outbox"]
    assert verdict == "note"
    assert "outbox.sqlite.damaged-1 was damaged and put aside" in text


@pytest.mark.parametrize(
    ("environment", "verdict", "words"),
    [
        (
            {"LANGSMITH_API_KEY": "lsv2_pt_secret", "LANGSMITH_PROJECT": "calls"},
            "good",
            "https://api.smith.langchain.com, project calls, a key is set",
        ),
        ({}, "bad", "https://api.smith.langchain.com, project default, but no key is set: set LANGSMITH_API_KEY"),
        ({"LANGSMITH_ENDPOINT": "http://localhost:1984"}, "note", "no key is set (LANGSMITH_API_KEY)"),
        ({"LANGSMITH_TRACING": "false"}, "note", "left out: LANGSMITH_TRACING (or REAMON_LANGSMITH__TRACING) is false"),
        ({"REAMON_EXPORTERS": "sqlite", "LANGSMITH_API_KEY": "lsv2_pt_secret"}, "note", "add langsmith to"),
    ],
)
def test_the_connection_to_langsmith_is_told_without_the_key(
    db: Path,
    diagnose: Diagnosis,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    verdict: str,
    words: str,
) -> None:
    for name, value in {"REAMON_EXPORTERS": "sqlite,langsmith", **environment}.items():
        monkeypatch.setenv(name, value)
    _, findings = diagnose("--db", db)
    ((told, text),) = findings["langsmith"]
    assert told == verdict
    assert words in text
    assert "secret" not in str(findings)


def test_langsmith_is_not_mentioned_where_nobody_does(db: Path, diagnose: Diagnosis) -> None:
    assert "langsmith" not in diagnose("--db", db)[1]


MOUNTS = """\
overlay / overlay rw 0 0
tmpfs /run tmpfs rw 0 0
/dev/sda1 /data ext4 rw 0 0
/dev/sda2 /data/with\\040space xfs rw 0 0
tmpfs /data/covered tmpfs rw 0 0
/dev/sda3 /data/covered ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("home", "kind"),
    [
        ("/app/.reamon", "overlay"),
        ("/run/reamon", "tmpfs"),
        ("/running", "overlay"),
        ("/data/reamon", "ext4"),
        ("/data/with space/reamon", "xfs"),
        ("/data/covered", "ext4"),
    ],
)
def test_the_file_system_of_a_directory_is_found(home: str, kind: str) -> None:
    assert _delivery_checks.file_system_of(Path(home), MOUNTS) == kind


def test_a_home_that_goes_with_its_container_is_told(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    (finding,) = _delivery_checks.place(Path("/app/.reamon"), mounts)
    assert finding.verdict == "note"
    assert finding.text.startswith("/app/.reamon is in a container's own layer, and goes with the container")
    assert list(_delivery_checks.place(Path("/data/reamon"), mounts)) == []
    assert list(_delivery_checks.place(Path("/app/.reamon"), tmp_path / "nowhere")) == []


def test_a_disk_that_is_almost_full_is_wrong(db: Path, diagnose: Diagnosis, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1_000_000, 1_000_000))
    code, findings = diagnose("--db", db)
    assert code == 1
    assert findings["disk"][0][1].startswith("only 1.0 MB free")


def test_a_missing_extra_is_told_with_what_it_would_bring() -> None:
    requirements = ["msgspec>=0.19", "no-such-package>=1 ; extra == 'cli'", "pytest; extra == 'demo'"]
    (finding,) = _checks.extras(requirements)
    assert finding.text == "not installed (no-such-package); pip install 'reamon[cli]' brings colour in the terminal"
    assert finding.verdict is _checks.Verdict.OPTIONAL


def test_every_extra_is_said_to_be_good_for_something() -> None:
    declared = set(importlib.metadata.metadata("reamon").get_all("Provides-Extra") or [])
    assert declared - {"all"} <= set(_checks.EXTRAS)


def test_the_store_is_not_changed_by_looking_at_it(db: Path, diagnose: Diagnosis) -> None:
    before = db.read_bytes()
    diagnose("--db", db)
    assert db.read_bytes() == before


@pytest.mark.parametrize(
    ("environment", "verdict", "words"),
    [
        ({}, "good", "http://localhost:4318/v1/traces, without headers"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret"}, "good", "with the headers api-key"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "bad", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_the_connection_by_otlp_is_told_without_the_secrets(
    db: Path,
    diagnose: Diagnosis,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    verdict: str,
    words: str,
) -> None:
    for name, value in {"REAMON_EXPORTERS": "sqlite,otlp", **environment}.items():
        monkeypatch.setenv(name, value)
    _, findings = diagnose("--db", db)
    ((told, text),) = findings["otlp"]
    assert told == verdict
    assert words in text
    assert "secret" not in str(findings)
