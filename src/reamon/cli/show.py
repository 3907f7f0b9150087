"""`reamon show`: a call with all its turns, or one trace."""

import argparse
import difflib
from typing import TYPE_CHECKING

from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._store import add_project_options, add_store_option, ask, positive
from reamon.errors import ReamonError
from reamon.model import WorkflowTrace
from reamon.terminal.turns import turns_document

if TYPE_CHECKING:
    from reamon.store import Store

_SUGGESTIONS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon show`."""
    parser.add_argument("id", metavar="CALL_OR_TRACE", help="a call id; or a trace id, or the beginning or end of one")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the last N turns of the call")
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show what ran in a call or a trace."""
    turns = ask(arguments, lambda store: find(store, arguments.id))
    if arguments.json:
        last = arguments.limit or len(turns)
        write_json({"call_id": turns[0].call_id, "turns": turns[-last:]})
    else:
        show(turns_document(turns, last=arguments.limit))
    return 0


async def find(store: "Store", wanted: str) -> list[WorkflowTrace]:
    """The turns that somebody means by an id: a call's, else those of the one trace that it names.

    Raises:
        ReamonError: Nothing has that id, or several traces could be meant; the message says what is close.
    """
    turns = await store.traces.of_call(wanted)
    if turns:
        return turns
    candidates = await store.traces.ids_like(wanted)
    whole = await store.traces.get(candidates[0]) if len(candidates) == 1 else None
    if whole is not None:
        return [whole]
    if candidates:
        raise ReamonError(f"{wanted!r} could be any of several traces: {', '.join(candidates)}; give more of the id")
    close = difflib.get_close_matches(wanted, await store.traces.calls(), n=_SUGGESTIONS, cutoff=0.5)
    advice = f"did you mean {' or '.join(close)}?" if close else "`reamon traces` lists what there is"
    raise ReamonError(f"no call and no trace has the id {wanted!r}: {advice}")
