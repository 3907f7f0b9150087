import subprocess
import sys
from pathlib import Path

import pytest

from reamon.demo.recording import database_in, default_home, make_room
from reamon.errors import ConfigurationError


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return database_in(tmp_path)


def test_the_demo_records_in_a_folder_of_its_own(tmp_path: Path) -> None:
    assert database_in(tmp_path) == tmp_path / "demo" / "campaign.db"


def test_the_home_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_home() == Path(".reamon")
    monkeypatch.setenv("REAMON_HOME", "elsewhere")
    assert default_home() == Path("elsewhere")


def test_there_is_nothing_to_remove_before_the_first_campaign(database: Path) -> None:
    assert make_room(database) is False
    assert database.parent.is_dir()


def test_the_campaign_before_is_removed_with_all_its_files(database: Path) -> None:
    make_room(database)
    bystander = database.with_name("notes.txt")
    for path in (database, Path(f"{database}-wal"), Path(f"{database}-shm"), bystander):
        path.write_text("old")

    assert make_room(database) is True
    assert list(database.parent.iterdir()) == [bystander]


def test_a_campaign_that_is_being_recorded_is_left_alone(database: Path) -> None:
    make_room(database)
    database.write_text("recording")
    other = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from pathlib import Path\n"
            "from reamon.processes import ProcessDirectory\n"
            f"ProcessDirectory(Path({str(database)!r} + '-processes')).enter('somebody')\n"
            "print('in', flush=True)\n"
            "sys.stdin.read()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout
        other.stdout.readline()

        with pytest.raises(ConfigurationError, match="another campaign is being recorded"):
            make_room(database)
    assert database.read_text() == "recording"
