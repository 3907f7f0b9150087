"""`reamon budgets`: what is spent, reserved and left."""

import argparse

from reamon.cli._output import add_json_option, show, write_json
from reamon.errors import ConfigurationError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon budgets`."""
    parser.add_argument("--call", metavar="ID", help="also what this call may cost")
    parser.add_argument("--project", metavar="NAME", help="the project whose own budgets are meant")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Tell how the budgets of the settings stand."""
    from reamon.cli._budgets import looked_at  # noqa: PLC0415 - brings the settings, which a help text does not need
    from reamon.settings import MonitoringSettings  # noqa: PLC0415
    from reamon.terminal.budgets import budgets_document  # noqa: PLC0415

    settings = MonitoringSettings()
    if settings.budgets.state == "memory":
        raise ConfigurationError("REAMON_BUDGETS__STATE=memory: what was spent is known to the application alone")
    with looked_at(settings) as (budgets, _):
        standing = budgets.standing(call_id=arguments.call, project=arguments.project)
    if arguments.json:
        told = [{"per": budget.per, "timezone": budget.timezone, **_plain(one)} for budget, one in standing.items()]
        write_json({"budgets": told})
    else:
        show(budgets_document(standing))
    return 0


def _plain(decision: object) -> dict[str, object]:
    import msgspec  # noqa: PLC0415 - for JSON alone

    told: dict[str, object] = msgspec.structs.asdict(decision)  # type: ignore[arg-type]
    told.pop("is_local")
    return told
