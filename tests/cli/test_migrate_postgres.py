"""`reamon migrate` on PostgreSQL, to other versions and back; and `reamon doctor` on such a store."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from reamon.cli import main
from reamon.cli._migration_step import LOST
from reamon.exporters import PostgresExporter
from reamon.store.migrate import upgrade
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE
from reamon.testing import make_span
from support.postgres import connected, postgres_database, postgres_schema, read


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_schema() as url:
        yield url


def version(url: str) -> str:
    (found,) = read(url, f"SELECT version_num FROM {VERSION_TABLE}")
    return str(found)


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    return {one["topic"]: (one["verdict"], one["text"]) for one in found}


def test_a_store_is_made_with_its_partitions_and_then_is_up_to_date(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate", "--url", url]) == 0
    assert "made the store at" in capsys.readouterr().out
    assert len(read(url, "SELECT inhrelid FROM pg_inherits WHERE inhparent = 'operations'::regclass")) == 6
    assert main(["migrate", "--url", url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["before"], told["after"]) == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert told["store"].endswith(url.rpartition("=")[2])


def test_the_schema_can_be_named_apart(url: str) -> None:
    address, _, schema = url.partition("?schema=")
    assert main(["migrate", "--url", address, "--schema", schema]) == 0
    assert version(url) == SCHEMA_VERSION


def test_the_store_of_the_settings_is_migrated(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", "postgres")
    monkeypatch.setenv("REAMON_POSTGRES__URL", url.partition("?")[0])
    monkeypatch.setenv("REAMON_POSTGRES__SCHEMA", url.rpartition("=")[2])
    assert main(["migrate"]) == 0
    assert version(url) == SCHEMA_VERSION


def test_a_step_back_says_what_it_loses_and_does_it_when_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--url", url]) == 0
    assert main(["migrate", "--url", url, "--to", "0001"]) == 1
    told = capsys.readouterr().err
    assert LOST["0002"] in told
    assert LOST["0001"] not in told
    assert version(url) == SCHEMA_VERSION
    assert main(["migrate", "--url", url, "--to", "0001", "--downgrade"]) == 0
    assert version(url) == "0001"
    assert main(["migrate", "--url", url, "--to", "base", "--downgrade"]) == 0
    assert read(url, f"SELECT * FROM {VERSION_TABLE}") == []


@pytest.mark.parametrize("place", [["--db", "calls.db"], ["--url", "sqlite:///calls.db"]])
def test_a_sqlite_file_goes_back_and_forth_as_well(place: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", *place]) == 0
    assert main(["migrate", *place, "--to", "0001"]) == 1
    assert "loses: repricings" in capsys.readouterr().err
    assert main(["migrate", *place, "--to", "0001", "--downgrade"]) == 0
    assert "from schema 0002 back to 0001" in capsys.readouterr().out
    assert main(["migrate", *place]) == 0
    assert Path("calls.db").is_file()


def test_every_version_says_what_a_step_back_from_it_loses() -> None:
    assert list(LOST) == [f"{number:04}" for number in range(1, int(SCHEMA_VERSION) + 1)]


@pytest.mark.parametrize("named", ["0009", "9999", "newest", "1"])
def test_a_version_that_is_none_is_refused(named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--to", named]) == 1
    assert f"--to {named}: there is no such version" in capsys.readouterr().err


def test_a_newer_store_is_left_alone(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    upgrade(url)
    with connected(url) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    assert main(["migrate", "--url", url]) == 1
    assert "upgrade reamon" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", ["postgresql://ada:secret@127.0.0.1:1/calls", "postgresql://ada:secret@127.0.0.1:x/calls"]
)
def test_trouble_is_told_without_the_password(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--url", url]) == 1
    told = capsys.readouterr().err
    assert told.startswith("reamon: ")
    assert "secret" not in told


# reamon doctor


def test_doctor_looks_at_the_store_in_postgres(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", "postgres")
    monkeypatch.setenv("REAMON_POSTGRES__URL", url)
    assert "no tables yet" in findings(capsys)["postgres schema"][1]
    exporter = PostgresExporter(url)
    exporter.open()
    exporter.started([make_span("turn", "workflow", status="running")])
    found = findings(capsys)
    exporter.shutdown(1.0)
    assert found["postgres schema"] == ("good", f"{SCHEMA_VERSION}, current")
    assert "the newest workflow began" in found["postgres content"][1]
    assert found["partitions of operations"][0] == "good"
    assert found["postgres processes"][1] == "1 process, 1 running workflow"
    assert "store" not in found  # there is no SQLite file, and none is missed


def test_doctor_tells_an_older_store_and_rows_outside_of_the_partitions(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", "postgres")
    monkeypatch.setenv("REAMON_POSTGRES__URL", url)
    upgrade(url)
    with connected(url) as connection:
        connection.execute(
            "INSERT INTO operations (id, span_id, trace_id, kind, name, start_time, status)"
            " VALUES (1, 's', 't', 'step', 'step', now(), 'ok')"
        )
    found = findings(capsys)
    assert found["partitions of operations"][1].startswith("1 row in the default partition")
    assert found["partitions of agent_executions"][1].startswith("none for this week")
    with connected(url) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0001'")
    assert findings(capsys)["postgres schema"] == (
        "bad",
        f"0001, and this reamon needs {SCHEMA_VERSION}: run `reamon migrate`",
    )


@pytest.mark.parametrize(
    ("options", "statement", "text"),
    [
        ("-c default_transaction_read_only=on", "SELECT 1", "the server is read-only: set the address of the primary"),
        ("-c role={role}", "SELECT 1", "this user may not make temporary tables in the database: grant"),
        (
            "-c role={role}",
            "GRANT TEMPORARY ON DATABASE {database} TO {role}",
            "this user may not write to operations: grant",
        ),
    ],
)
def test_doctor_says_what_would_keep_the_user_from_writing(
    options: str, statement: str, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"reamon_test_{secrets.token_hex(6)}"
    with postgres_database() as url:
        upgrade(url)
        with psycopg.connect(url, autocommit=True) as owner:
            names = {"role": role, "database": owner.info.dbname}
            owner.execute(
                "CREATE ROLE {role}; REVOKE TEMPORARY ON DATABASE {database} FROM public;"
                " GRANT USAGE ON SCHEMA reamon TO {role};"
                " GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA reamon TO {role};"
                " REVOKE INSERT ON reamon.operations FROM {role}".format(**names)
            )
            try:
                owner.execute(statement.format(**names))
                monkeypatch.setenv("REAMON_EXPORTERS", "postgres")
                monkeypatch.setenv("REAMON_POSTGRES__URL", f"{url}&options={quote(options.format(**names))}")
                verdict, told = findings(capsys)["postgres"]
            finally:
                owner.execute("DROP OWNED BY {role}; DROP ROLE {role}".format(**names))
    assert verdict == "bad"
    assert text in told


@pytest.mark.parametrize(
    ("exporters", "url", "verdict", "text"),
    [
        ("sqlite", "postgresql://ada:secret@db/calls", "note", "add postgres to REAMON_EXPORTERS"),
        ("postgres", "", "bad", "set REAMON_POSTGRES__URL"),
        ("postgres", "postgresql://ada:secret@db:port/calls", "bad", "has to look like"),
        ("postgres", "postgresql://ada:secret@127.0.0.1:1/calls", "bad", "waits in the outbox until it answers"),
    ],
)
def test_doctor_says_what_is_wrong_with_the_address(
    exporters: str,
    url: str,
    verdict: str,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", exporters)
    monkeypatch.setenv("REAMON_POSTGRES__URL", url)
    found = findings(capsys)["postgres"]
    assert found[0] == verdict
    assert text in found[1]
    assert "secret" not in found[1]
