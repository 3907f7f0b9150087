"""Every Python block of README and docs runs, page by page, and what the pages list is what there is."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from reamon.cli import COMMANDS
from reamon.settings import MonitoringSettings

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)(?P<target>[^)#]+)")


@dataclass
class Block:
    """A piece of Python in a page, and the line that it starts at."""

    code: str
    line: int


def python_blocks(page: Path) -> list[Block]:
    """The Python blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(match["code"], text.count("\n", 0, match.start("code")))
        for match in FENCE.finditer(text)
        if match["language"] == "python"
    ]


def relative(page: Path) -> str:
    """How a page is called in a test's id."""
    return str(page.relative_to(REPOSITORY))


@pytest.mark.usefixtures("langsmith")
@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)], ids=relative)
def test_the_code_of_a_page_runs_from_top_to_bottom(page: Path) -> None:
    namespace = {"__name__": "__main__"}
    for block in python_blocks(page):
        padded = "\n" * block.line + block.code  # so that a traceback shows the line of the page
        exec(compile(padded, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(page.read_text())]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_no_page_is_an_orphan(page: Path) -> None:
    index = REPOSITORY / "docs" / "index.md"
    if page in {index, REPOSITORY / "README.md"}:
        assert "docs/index.md" in (REPOSITORY / "README.md").read_text()
    else:
        assert f"({page.relative_to(index.parent)})" in index.read_text()


def documented_rows() -> list[str]:
    """The rows that the table of settings must have, made from the settings themselves."""
    rows = []
    for name, field in MonitoringSettings.model_fields.items():
        nested = field.annotation
        inner = nested.model_fields if isinstance(nested, type) and issubclass(nested, BaseModel) else {"": field}
        for option, detail in inner.items():
            variable = f"REAMON_{name}__{option}".upper().removesuffix("__")
            default = detail.get_default(call_default_factory=True, validated_data={})
            rows.append(f"| `{variable}` | {shown(default)} | {detail.description} |")
    return rows


def shown(default: object) -> str:
    """A default as one would write it in the environment."""
    text = ",".join(default) if isinstance(default, tuple) else "" if default in (None, {}) else str(default)
    return f"`{text.lower() if isinstance(default, bool) else text}`" if text else "none"


def test_the_table_of_settings_has_every_setting_with_its_default_and_no_other() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| `REAMON_")] == documented_rows()


def test_every_command_is_documented() -> None:
    page = (REPOSITORY / "docs" / "cli.md").read_text()
    assert re.findall(r"^\| `reamon (\w+)", page, re.MULTILINE) == list(COMMANDS)


def test_a_custom_exporter_takes_fewer_than_twenty_lines() -> None:
    blocks = python_blocks(REPOSITORY / "docs" / "exporters.md")
    exporter = next(block for block in blocks if "def export" in block.code)
    assert len([line for line in exporter.code.splitlines() if line.strip()]) < 20
