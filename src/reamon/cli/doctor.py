"""`reamon doctor`: what is configured, whether the store is sound, what waits, and what is wrong."""

import argparse
from collections.abc import Iterator, Sequence

from reamon.cli import _budget_checks, _checks, _cost_checks, _delivery_checks, _postgres_checks, _retention_checks
from reamon.cli._checks import Finding, Verdict
from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._store import add_store_option, store_of_environment, target_of
from reamon.errors import ConfigurationError
from reamon.settings import MonitoringSettings
from reamon.store.administration import is_postgres, path_of
from reamon.terminal.document import Document, Facts, Note, Style, Text

_LOOKS = {
    Verdict.GOOD: ("✓", Style.GOOD),
    Verdict.NOTE: ("!", Style.WARNING),
    Verdict.BAD: ("✗", Style.BAD),
    Verdict.OPTIONAL: ("·", Style.FAINT),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon doctor`."""
    add_store_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything; the exit code is 1 if something is wrong."""
    findings = list(_findings(arguments))
    wrong = [finding for finding in findings if finding.verdict is Verdict.BAD]
    if arguments.json:
        write_json({"healthy": not wrong, "findings": findings})
    else:
        show(_document(findings, wrong))
    return 1 if wrong else 0


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    yield from _checks.installation()
    yield from _checks.variables()
    try:
        settings = MonitoringSettings()
    except ConfigurationError as error:
        yield _checks.bad("settings", str(error))
        target = arguments.url or arguments.db or store_of_environment()
    else:
        yield from _checks.configuration(settings)
        yield from _cost_checks.prices(settings)
        yield from _budget_checks.budgets(settings)
        target = target_of(arguments)
        yield from _delivery_checks.langsmith(settings)
        yield from _delivery_checks.otlp(settings)
        yield from _postgres_checks.postgres(settings, arguments.url)
        yield from _delivery_checks.place(settings.home)
        yield from _delivery_checks.backlog(settings.home, settings.abandon_after)
        yield from _retention_checks.retention(settings, target)
    if not is_postgres(target):
        yield from _checks.store(path_of(target))
    yield from _cost_checks.unpriced(target)
    yield from _checks.extras()


def _document(findings: Sequence[Finding], wrong: Sequence[Finding]) -> Document:
    facts = Facts([(finding.topic, _told(finding)) for finding in findings])
    if not wrong:
        return [facts, Note(Text.of("All is well.", Style.GOOD))]
    topics = ", ".join(finding.topic for finding in wrong)
    return [facts, Note(Text.of(f"Something is wrong: {topics}.", Style.BAD))]


def _told(finding: Finding) -> Text:
    return Text.join([Text.of(*_LOOKS[finding.verdict]), Text.of(finding.text)])
