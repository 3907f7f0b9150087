"""Plugins: found by the name under which a package registers them."""

import sys
from pathlib import Path

import pytest

import reamon
from reamon import plugins
from reamon.errors import ConfigurationError, MissingExtraError

SOURCE = """
from reamon.errors import MissingExtraError

class CrmExporter:
    name = "crm"
    local = True

    def __init__(self, url, timeout=5):
        if timeout == "never":
            raise ValueError("a time-out is a number")
        self.url = url
        self.spans = []

    def export(self, batch):
        self.spans += batch

def upper(): return lambda span: span.replace(name=span.name.upper())

def needy():
    raise MissingExtraError("the CRM", "crm")
"""


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with plugins, installed as an installer would."""
    site = tmp_path / "site"
    metadata = site / "crm_plugin-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "crm_plugin.py").write_text(SOURCE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: crm-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[reamon.exporters]\ncrm = crm_plugin:CrmExporter\nbroken = no_such_module:X\n"
        "needy = crm_plugin:needy\n[reamon.processors]\nupper = crm_plugin:upper\n"
    )
    monkeypatch.syspath_prepend(site)
    sys.modules.pop("crm_plugin", None)


def test_what_is_installed_is_listed_beside_our_own() -> None:
    assert {"crm", "sqlite", "jsonl", "memory", "console"} <= set(plugins.names("exporters"))
    assert plugins.names("processors") == ["upper"]


def test_an_installed_exporter_is_configured_by_name_and_options() -> None:
    runtime = reamon.configure(
        exporters="crm", exporter_options={"crm": {"url": "x"}}, processors=["upper"], handle_sigterm=False
    )
    with reamon.trace_step("step"):
        pass
    assert reamon.flush(20)
    (exporter,) = runtime.exporters
    assert exporter.url == "x"  # type: ignore[attr-defined]
    assert [span.name for span in exporter.spans] == ["STEP"]  # type: ignore[attr-defined]


def test_it_is_configured_by_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", "crm,memory")
    monkeypatch.setenv("REAMON_EXPORTER_OPTIONS__CRM__URL", "y")
    runtime = reamon.configure(handle_sigterm=False)
    assert [exporter.name for exporter in runtime.exporters] == ["crm", "memory"]
    assert runtime.exporters[0].url == "y"  # type: ignore[attr-defined]


def test_an_unknown_name_is_answered_with_the_one_that_may_be_meant() -> None:
    with pytest.raises(ConfigurationError, match=r"'crn'.*did you mean 'crm'\? installed are: .*crm"):
        plugins.load("exporters", "crn")


def test_one_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"'broken' \(no_such_module:X\) cannot be imported: ModuleNotFound"):
        plugins.load("exporters", "broken")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"'crm' cannot be made with these options \(none\): TypeError.*'url'"),
        ({"url": "x", "uri": "x"}, r"'crm' cannot be made with these options \(url, uri\): TypeError.*'uri'"),
        ({"url": "x", "timeout": "never"}, r"'crm' cannot be made.*ValueError: a time-out is a number"),
    ],
)
def test_options_that_do_not_fit_are_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        reamon.configure(exporters="crm", exporter_options={"crm": options})


def test_a_missing_extra_is_told_as_such() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'reamon\[crm\]'"):
        reamon.configure(exporters="needy")
