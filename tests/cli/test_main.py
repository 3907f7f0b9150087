"""The command line as a whole: help, exit codes, errors, pipes, and what it imports."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from reamon.cli import COMMANDS, main
from reamon.errors import MissingExtraError
from support.stores import stored, turn


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(stored(tmp_path / "calls.db", [span for n in range(50) for span in turn(f"call-{n}", n)]))


def run(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "reamon", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(f"  {name}" in told and purpose in told for name, purpose in COMMANDS.items())


def test_without_a_command_help_is_shown_and_nothing_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().out


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["fly"])
    assert "'fly'" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_with_the_two_functions(name: str) -> None:
    module = import_module(f"reamon.cli.{name}")
    assert callable(module.add_arguments)
    assert callable(module.run)


ACTIONS = [("costs", name) for name in ("insights", "reprice", "reconcile")] + [
    ("outbox", name) for name in ("list", "show", "export", "replay", "drop")
]


@pytest.mark.parametrize("names", [(name,) for name in COMMANDS] + ACTIONS, ids=" ".join)
def test_every_command_and_action_has_a_help(names: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*names, "--help"])
    told = capsys.readouterr().out
    assert told.startswith(f"usage: reamon {' '.join(names)} ")
    assert "%(" not in told


def test_help_of_an_action_tells_its_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["costs", "insights", "--help"])
    assert "the time zone of days (default: UTC)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["traces", "show", "doctor", "migrate"])
def test_help_of_a_command_tells_where_the_store_is_looked_for(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert "$REAMON_SQLITE__PATH, else reamon.db in $REAMON_HOME" in capsys.readouterr().out


@pytest.mark.parametrize("variable", ["REAMON_SQLITE__PATH", "REAMON_HOME"])
def test_the_store_is_where_the_environment_says(
    variable: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(tmp_path / "home" / "reamon.db", turn("call-1", 0))
    monkeypatch.setenv(variable, str(path if variable == "REAMON_SQLITE__PATH" else path.parent))
    assert main(["traces"]) == 0
    assert "call-1" in capsys.readouterr().out


def test_the_store_is_where_a_dotenv_file_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path / "home" / "reamon.db", turn("call-1", 0))
    (tmp_path / ".env").write_text(f"REAMON_HOME={tmp_path / 'home'}\n")
    assert main(["traces"]) == 0
    assert "call-1" in capsys.readouterr().out


def test_a_missing_store_fails_with_advice_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traces", "--db", "nowhere.db"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("reamon: no store at nowhere.db: run your application with reamon.configure()")


def test_with_json_an_error_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traces", "--db", "nowhere.db", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"].startswith("no store at nowhere.db")


def raising(error: BaseException) -> Callable[..., int]:
    def run(*_: object) -> int:
        raise error

    return run


def test_ctrl_c_ends_it_as_shells_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reamon.cli.traces.run", raising(KeyboardInterrupt()))
    assert main(["traces"]) == 130


def test_a_missing_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reamon.cli.traces.run", raising(MissingExtraError("reamon traces", "cli", "rich")))
    assert main(["traces"]) == 2
    assert "pip install 'reamon[cli]'" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_not_an_error_to_complain_about(db: str) -> None:
    command = f"{sys.executable} -m reamon traces --limit 50 --json --db {db} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{\n", "")
    assert done.returncode in (0, 141)


def test_output_into_a_pipe_has_no_escape_codes(db: str) -> None:
    done = run("show", "call-7", "--db", db)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout


def test_it_runs_where_the_terminal_knows_ascii_alone(db: str) -> None:
    done = run("show", "call-7", "--db", db, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PATH": ""})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_a_help_text_costs_no_heavy_import() -> None:
    code = (
        "import sys\nfrom reamon.cli import main\n"
        "try:\n    main(['traces', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'sqlalchemy', 'sqlmodel', 'alembic', 'pydantic', 'rich', 'asyncio'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
