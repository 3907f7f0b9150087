"""The shape of the source: one noun a file, no file too long, each with a mirror among the tests."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted((REPOSITORY / "src" / "reamon").rglob("*.py"))
MOST_LINES = 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_module_is_longer_than_a_reader_can_hold(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_every_test_directory_mirrors_a_package() -> None:
    packages = {path.name for path in (REPOSITORY / "src" / "reamon").iterdir() if path.is_dir()}
    mirrors = {path.name for path in (REPOSITORY / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert mirrors - packages == {"apps", "attacks", "shape", "support", "typing"}


def test_the_package_says_that_it_is_typed() -> None:
    assert (REPOSITORY / "src" / "reamon" / "py.typed").is_file()
