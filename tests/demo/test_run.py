import argparse
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reamon.cli import main as reamon
from reamon.demo import run
from reamon.errors import MissingExtraError


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return parser.parse_args(given)


def in_a_hurry(home: Path, calls: int, *given: str) -> argparse.Namespace:
    return arguments("--calls", str(calls), "--pace", "0", "--home", str(home), *given)


def test_unasked_two_hundred_leads_are_called_fifty_at_a_time() -> None:
    defaults = arguments()

    assert (defaults.calls, defaults.concurrency, defaults.seed) == (200, 50, 7)
    assert defaults.home is None
    assert defaults.json is False


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--calls", "0", "0 is not a number of at least 1"),
        ("--concurrency", "-3", "-3 is not a number of at least 1"),
        ("--pace", "-0.1", "-0.1 is not a number of at least 0"),
        ("--pace", "nan", "nan is not a number of at least 0"),
        ("--pace", "inf", "inf is not a number of at least 0"),
        ("--seed", "lucky", "invalid int value: 'lucky'"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    option: str, value: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments(f"{option}={value}")
    assert complaint in capsys.readouterr().err


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "find_spec", lambda package: None if package == "openai" else object())

    with pytest.raises(MissingExtraError, match=r"openai is not installed.*pip install 'reamon\[demo\]'"):
        run.main(arguments())


def test_the_demo_tells_a_program_what_it_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(in_a_hurry(tmp_path, 3, "--json")) == run.DONE

    findings = json.loads(capsys.readouterr().out)
    database = tmp_path / "demo" / "campaign.db"
    assert findings["database"] == str(database)
    assert findings["finished"] is findings["delivered"] is True
    assert findings["summary"]["calls"] == 3
    assert findings["summary"]["turns"] == count(database, "workflow_traces")
    assert findings["summary"]["cost"]["status"] == "complete"
    assert list(tmp_path.rglob("*.db")) == [database]


def test_the_demo_tells_people_what_to_type_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(in_a_hurry(tmp_path, 3)) == run.DONE

    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err, "plain text where nobody has a terminal"
    assert "Calling 3 leads" in said.err
    commands = re.findall(r"reamon ((?:traces|show|doctor) .*)", said.out)
    assert len(commands) == 3
    for command in commands:
        assert reamon(shlex.split(command)) == 0
    assert "call-7-" in capsys.readouterr().out


@pytest.mark.slow
def test_each_campaign_takes_the_place_of_the_one_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summaries = []
    for _ in range(2):
        assert run.main(in_a_hurry(tmp_path, 2, "--json")) == run.DONE
        said = capsys.readouterr()
        summaries.append(json.loads(said.out)["summary"])

    assert "in place of the campaign before" in said.err
    assert summaries[0]["calls"] == summaries[1]["calls"] == 2
    assert summaries[0]["outcomes"] == summaries[1]["outcomes"]


@pytest.mark.slow
def test_ctrl_c_ends_the_campaign_with_what_was_recorded(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reamon", "demo", "--calls", "60", "--home", str(tmp_path), "--json"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    database = tmp_path / "demo" / "campaign.db"
    deadline = time.monotonic() + 60
    while finished_turns(database) < 5:
        assert demo.poll() is None, demo.communicate()
        assert time.monotonic() < deadline, "nothing was recorded"
        time.sleep(0.05)
    os.kill(demo.pid, signal.SIGINT)
    out, err = demo.communicate(timeout=60)

    findings: dict[str, Any] = json.loads(out)
    assert demo.returncode == run.INTERRUPTED, err
    assert findings["finished"] is False
    assert findings["delivered"] is True
    assert findings["summary"]["statuses"]["cancelled"] > 0
    assert "running" not in findings["summary"]["statuses"]
    assert "Traceback" not in err


def count(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        number: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return number


def finished_turns(database: Path) -> int:
    if not database.exists():
        return 0
    try:
        return count(database, "workflow_traces WHERE status = 'completed'")
    except sqlite3.OperationalError:  # the tables are on their way
        return 0
