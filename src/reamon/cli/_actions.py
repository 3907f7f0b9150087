"""Actions of a command, as in `reamon costs insights`."""

import argparse


def leave_to_command(action: argparse.ArgumentParser, command: argparse.ArgumentParser) -> None:
    """Let what is said before an action's name count for it too: `reamon costs --db calls.db insights`.

    argparse would put the action's defaults in the place of what the command was given. It offers no way to ask a
    parser for its options, so this looks at the list that every version of it has.

    Args:
        action: The action's parser, with all its options.
        command: The command's, with those that come before the action's name.
    """
    shared = {option.dest for option in command._actions}
    for option in action._actions:
        if option.dest in shared:
            option.help = _with_default(option)
            option.default = argparse.SUPPRESS


def _with_default(option: argparse.Action) -> str | None:
    """The option's help with its default written out, since argparse knows no default of it from here on."""
    return None if option.help is None else option.help.replace("%(default)s", str(option.default))
